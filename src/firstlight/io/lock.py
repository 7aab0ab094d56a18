"""One writer at a time in a folder, also among processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from firstlight.errors import InputError


@contextmanager
def only_one(path: str | os.PathLike[str], waiting: Callable[[str], None] = lambda words: None) -> Iterator[None]:
    """Hold the lock of a file while the block runs; another process that wants it waits.

    The system lets go of it when a process ends, however it ends: a killed one leaves no lock behind.

    Parameters
    ----------
    path : file that stands for the lock; it stays, and its content is only the number of the last holder.
    waiting : told a sentence when the lock is taken.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be written to: {error.strerror}; choose another place") from error
    try:
        _take(descriptor, waiting)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, waiting: Callable[[str], None]) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        waiting(f"another run (process {holder or 'unknown'}) is writing here; waiting for it")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        # A file system without locks (some network shares): files are whole or absent there too.
        return
