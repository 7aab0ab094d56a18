"""Files packed as a whole: gzip, bzip2, xz. Told by their first bytes, never by their name alone."""

from __future__ import annotations

import bz2
import gzip
import lzma
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


def unpack(path: Path) -> bytes:
    """The whole content, decompressed. FrameError where the packing is broken or cut short."""
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
