"""Files packed as a whole: gzip, bzip2, xz. Told by their first bytes, never by their name alone."""

from __future__ import annotations

import bz2
import gzip
import lzma
import threading
import zlib
from pathlib import Path

from firstlight.errors import FrameError

_MAGIC = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
_COMPRESS_LZW = b"\x1f\x9d"


def is_packed(path: Path) -> bool:
    """Does the file begin as a packed one?"""
    with open(path, "rb") as file:
        start = file.read(6)
    return start.startswith((*_MAGIC, _COMPRESS_LZW))


_last = threading.local()


def unpack(path: Path) -> bytes:
    """The whole content, decompressed. FrameError where the packing is broken or cut short.

    Each thread keeps what it unpacked last until `forget`: header, checksum, planes and pixels of a file are asked for
    one after the other, and unpacking takes longer than all the rest.
    """
    status = path.stat()
    key = (path, status.st_size, status.st_mtime_ns)
    if getattr(_last, "key", None) != key:
        forget()
        _last.content = _unpacked(path)
        _last.key = key
    return _last.content


def forget() -> None:
    """Give back the memory of what this thread unpacked last."""
    _last.key = _last.content = None


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if content.startswith(_COMPRESS_LZW):
        return _unpack_lzw(path)
    for magic, decompress in _MAGIC.items():
        if content.startswith(magic):
            try:
                return decompress(content)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise FrameError(f"{path.name}: its packing is broken or cut short: {error}; copy it again") from error
    return content


def _unpack_lzw(path: Path) -> bytes:
    raise FrameError(f"{path.name}: packed by the Unix program compress (.Z), which is not read; unpack it with gunzip")
