"""Parts of many files side by side in memory, without a copy."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CannotMap", "Piece", "mapped"]

_PROT_NONE, _PROT_READ = 0, 1
_MAP_SHARED, _MAP_FIXED, _MAP_PRIVATE, _MAP_ANONYMOUS, _MAP_NORESERVE = 0x01, 0x10, 0x02, 0x20, 0x4000
_POPULATE_READ = 22
"""Of `madvise`, since Linux 5.14: an error of the disk comes back as an error, not as a signal later on."""
_FAILED = ctypes.c_void_p(-1).value


class CannotMap(OSError):
    """The system, or this file, has to be read instead; that will tell what is wrong with it, if anything."""


@dataclass(frozen=True)
class Piece:
    """Bytes of a file."""

    path: Path
    offset: int
    size: int


@lru_cache(maxsize=1)
def _library() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    library.mmap.argtypes = (address, size, number, number, number, ctypes.c_int64)
    library.mmap.restype = address
    library.munmap.argtypes = (address, size)
    library.madvise.argtypes = (address, size, number)
    return library


@lru_cache(maxsize=1)
def _able() -> bool:
    """Whether this system maps files in a way that tells of errors: 64-bit Linux, 5.14 or later."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) < 8:
        return False
    library = _library()
    page = library.mmap(None, mmap.PAGESIZE, _PROT_READ, _MAP_PRIVATE | _MAP_ANONYMOUS, -1, 0)
    if page == _FAILED:
        return False
    able = library.madvise(page, mmap.PAGESIZE, _POPULATE_READ) == 0
    library.munmap(page, mmap.PAGESIZE)
    return able


@contextmanager
def mapped(pieces: Sequence[Piece]) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Memory (uint8) that shows the pieces, and where in it each begins; not to be written to, and gone with the block.

    No file stays open. Reading 2.8 GB of 60 files so takes 0.22 s where a copy, even into the same small buffer again
    and again, takes 0.45 s.

    Raises
    ------
    CannotMap
        The system cannot do it (it must be Linux), or a file cannot be opened, is shorter, or cannot be read. One that
        is cut while the block runs ends the process.
    """
    if not _able():
        raise CannotMap(errno.ENOSYS, "files are not mapped on this system")
    page, library = mmap.PAGESIZE, _library()
    first = [piece.offset // page * page for piece in pieces]
    room = [-(-(piece.offset + piece.size - start) // page) * page for piece, start in zip(pieces, first)]
    # A page at the end that is not there: what a kernel asks for ahead never lies in memory of others.
    total = sum(room) + page
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_NORESERVE
    base = library.mmap(None, total, _PROT_NONE, flags, -1, 0)
    if base == _FAILED:
        raise CannotMap(ctypes.get_errno(), "no room in the address space")
    try:
        starts, at = [], 0
        for piece, start, size in zip(pieces, first, room):
            _show(library, piece, base + at, start, size)
            starts.append(at + piece.offset - start)
            at += size
        yield np.frombuffer((ctypes.c_uint8 * total).from_address(base), np.uint8), starts
    finally:
        library.munmap(base, total)


def _show(library: Any, piece: Piece, address: int, start: int, size: int) -> None:
    try:
        with open(piece.path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size < piece.offset + piece.size:
                raise CannotMap(errno.ENODATA, "shorter than it should be", str(piece.path))
            found = library.mmap(address, size, _PROT_READ, _MAP_SHARED | _MAP_FIXED, file.fileno(), start)
    except OSError as error:
        raise CannotMap(*error.args) from error
    if found == _FAILED or library.madvise(address, size, _POPULATE_READ):
        code = ctypes.get_errno()
        raise CannotMap(code, os.strerror(code), str(piece.path))
