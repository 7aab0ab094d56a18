"""Names of files that can be told."""

from __future__ import annotations

import os

from firstlight.errors import InputError


def refuse_unreadable_name(path: str | os.PathLike[str]) -> None:
    """Names of old disks may hold bytes that are no text: no header, table or page could tell them.

    Raises
    ------
    InputError
        The name holds such bytes.

    >>> refuse_unreadable_name(os.fsdecode(b"f\\xfcr"))
    Traceback (most recent call last):
    firstlight.errors.InputError: f?r: ...
    """
    path = os.fspath(path)
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "replace").decode("utf-8")
        raise InputError(
            f"{shown}: the name holds bytes that are no text (in place of '?'): an old disk, or another system's; "
            "UTF-8 is allowed; rename it (convmv -f latin1 -t utf8 --notest NAME)"
        ) from None
