"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from firstlight.errors import InputError

_FULL = re.compile(r"requested and \d+ written|Not enough space on disk")
"""How NumPy and astropy tell a full disk, without its number."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path``, which takes its place when the block ends well.

    The temporary file is hidden, has the same suffix, is flushed to the disk before it is renamed, and is removed on
    any error: nobody ever sees half a file under its final name.

    Raises
    ------
    InputError
        The disk is full, or the folder cannot be written to.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot make this folder: {error.strerror}; give another place") from error
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        written = temporary.stat().st_size if temporary.exists() else 0
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or (error.errno is None and _FULL.search(str(error))):
            raise InputError(
                f"{path}: the disk is full after {_size(written)} of this file; "
                "free more than that, or choose another place for the output"
            ) from error
        if error.errno == errno.EFBIG:
            raise InputError(
                f"{path}: larger than this disk takes in one file ({_size(written)} were written; FAT32 takes "
                "4 GB, `ulimit -f` may set less); choose another place for the output"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV):
            raise InputError(f"{path}: cannot be written: {error.strerror}; choose another place") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def keep_array(path: Path, numbers: np.ndarray) -> None:
    """Put an array (``.npy``) where later runs look for it; without room or permission it is made again next time."""
    try:
        with atomic_path(path) as temporary:
            np.save(temporary, numbers)
    except (InputError, OSError):
        pass


def _size(n: int) -> str:
    return f"{n / 1e6:.1f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"


def _flush_folder(folder: Path) -> None:
    # The rename itself must reach the disk; some file systems (network shares) cannot flush a folder, which is no loss.
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
