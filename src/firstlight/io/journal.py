"""Lines of JSON that are only ever added to."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstlight.errors import InputError


def append_line(path: Path, line: Any) -> None:
    """Add one line, in one write. A line that a kill has cut before it is closed first and skipped when read.

    Raises
    ------
    InputError
        The disk is full, or the file cannot be written to.
    """
    text = json.dumps(line, default=str).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                text = b"\n" + text
            if os.write(descriptor, text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{path}: the disk is full; make room and run again: what is finished stands") from error
        raise InputError(f"{path}: cannot be written: {error.strerror}; choose another place") from error


def read_lines(path: Path) -> Iterator[Any]:
    """The lines that are whole; none where there is no such file."""
    try:
        content = path.read_bytes()
    except OSError:
        return
    for line in content.split(b"\n"):
        try:
            if line.strip():
                yield json.loads(line)
        except ValueError:
            continue
