"""Parts of many files side by side in memory, without a copy."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CannotMap", "Piece", "mapped", "watched"]

_PROT_NONE, _PROT_READ = 0, 1
_MAP_SHARED, _MAP_FIXED, _MAP_PRIVATE, _MAP_ANONYMOUS, _MAP_NORESERVE = 0x01, 0x10, 0x02, 0x20, 0x4000
_POPULATE_READ = 22
"""Of `madvise`, since Linux 5.14: an error of the disk comes back as an error, not as a signal later on."""
_FAILED = ctypes.c_void_p(-1).value
_SIGACTION = 256
"""Bytes that hold what the system keeps of a signal's handler, on any Linux."""


class CannotMap(OSError):
    """The system, or this file, has to be read instead; that will tell what is wrong with it, if anything."""


@dataclass(frozen=True)
class Piece:
    """Bytes of a file."""

    path: Path
    offset: int
    size: int


@dataclass(eq=False)
class _Shown:
    """What one `mapped` shows."""

    base: int
    places: list[tuple[int, int, Path]] = field(default_factory=list)
    """Address, bytes and file of each piece."""
    lost: Path | None = None
    """A file that can no longer be read."""


_ENOUGH = 10
_watching = False
_in_vain = 0
"""Signals in a row that were not of ours; after `_ENOUGH` the process ends, as it would have at the first."""
_shown: set[_Shown] = set()
_shown_lock = threading.RLock()
"""Held while memory is given back or mended. The handler of the signal may meet its own thread holding it."""


@lru_cache(maxsize=1)
def _library() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    library.mmap.argtypes = (address, size, number, number, number, ctypes.c_int64)
    library.mmap.restype = address
    library.munmap.argtypes = (address, size)
    library.madvise.argtypes = (address, size, number)
    library.sigaction.argtypes = (number, address, address)
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
def watched() -> Iterator[None]:
    """While the block runs, `mapped` can be used by other threads.

    A page that the system can no longer read (its file was cut, its disk is gone) stops the thread that looks at it, by
    a signal that Python answers in the main thread: zeros take the place of what is lost, and the `mapped` that showed
    it ends with `CannotMap`. So the block belongs to the main thread, which must come back to Python now and then (wait
    for the others with a timeout), and the others look at the memory without holding Python's lock, as kernels do.
    Elsewhere nothing is watched, and `mapped` refuses.
    """
    global _watching
    if _watching or not _able() or threading.current_thread() is not threading.main_thread():
        yield
        return
    library, before = _library(), ctypes.create_string_buffer(_SIGACTION)
    library.sigaction(signal.SIGBUS, None, before)
    known = signal.signal(signal.SIGBUS, _mend)
    _watching = True
    try:
        yield
    finally:
        _watching = False
        signal.signal(signal.SIGBUS, known or signal.SIG_DFL)
        # As it was, also where it was not Python that had set it (faulthandler).
        library.sigaction(signal.SIGBUS, before, None)


def _mend(number: int, frame: object) -> None:
    """Show zeros where files can no longer be read."""
    global _in_vain
    library = _library()
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED | _MAP_NORESERVE
    # A thread that has been helped may have asked once more before that.
    _in_vain += 1
    with _shown_lock:
        for shown in _shown:
            for address, size, path in shown.places:
                if library.madvise(address, size, _POPULATE_READ):
                    library.mmap(address, size, _PROT_READ, flags, -1, 0)
                    shown.lost, _in_vain = path, 0
    if _in_vain > _ENOUGH:
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def mapped(pieces: Sequence[Piece]) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Memory (uint8) that shows the pieces, and where in it each begins; not to be written to, and gone with the block.

    No file stays open. Reading 2.8 GB of 60 files so takes 0.22 s where a copy, even into the same small buffer again
    and again, takes 0.45 s.

    Raises
    ------
    CannotMap
        The system cannot do it (it must be Linux), nobody watches (`watched`), or a file cannot be opened, is shorter,
        or cannot be read. At the end of the block: one was cut meanwhile, and what was seen of it means nothing.
    """
    if not _able():
        raise CannotMap(errno.ENOSYS, "files are not mapped on this system")
    if not _watching or threading.current_thread() is threading.main_thread():
        raise CannotMap(errno.EPERM, "files are mapped by threads that the main thread watches over")
    page, library = mmap.PAGESIZE, _library()
    first = [piece.offset // page * page for piece in pieces]
    room = [-(-(piece.offset + piece.size - start) // page) * page for piece, start in zip(pieces, first)]
    # A page at the end that is not there: what a kernel asks for ahead never lies in memory of others.
    total = sum(room) + page
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_NORESERVE
    base = library.mmap(None, total, _PROT_NONE, flags, -1, 0)
    if base == _FAILED:
        raise CannotMap(ctypes.get_errno(), "no room in the address space")
    shown = _Shown(base)
    try:
        starts, at = [], 0
        for piece, start, size in zip(pieces, first, room):
            _show(library, piece, base + at, start, size)
            shown.places.append((base + at, size, piece.path))
            starts.append(at + piece.offset - start)
            at += size
        with _shown_lock:
            _shown.add(shown)
        yield np.frombuffer((ctypes.c_uint8 * total).from_address(base), np.uint8), starts
    finally:
        with _shown_lock:
            _shown.discard(shown)
            library.munmap(base, total)
    if shown.lost is not None:
        raise CannotMap(errno.EIO, "was cut, or can no longer be read", str(shown.lost))


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
