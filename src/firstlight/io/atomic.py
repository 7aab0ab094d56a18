"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstlight.errors import InputError


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
        # NumPy's own writing tells a full disk only by a text ("1000 requested and 0 written").
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or (error.errno is None and "requested and" in str(error)):
            raise InputError(
                f"{path}: the disk is full after {written / 1e6:.1f} MB of this file; "
                "free more than that, or choose another place for the output"
            ) from error
        if error.errno == errno.EFBIG:
            raise InputError(
                f"{path}: larger than this disk takes in one file ({written / 1e6:.1f} MB were written; FAT32 takes "
                "4 GB, `ulimit -f` may set less); choose another place for the output"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV):
            raise InputError(f"{path}: cannot be written: {error.strerror}; choose another place") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
