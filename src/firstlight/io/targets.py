"""Whether a result can be written where it is wanted: asked before the work, not after it.

Folders that are missing are made, when the first file is written.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from firstlight.errors import InputError

FITS = (".fits", ".fit", ".fts")
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def check_target(
    target: Path, sources: Sequence[Path] = (), *, overwrite: bool = False, endings: Sequence[str] = ()
) -> None:
    """Refuse a file that cannot be written.

    Parameters
    ----------
    target : the file.
    sources : files that are read; none of them is replaced.
    overwrite : a file that is there may be replaced.
    endings : those that are allowed; empty: any.

    Raises
    ------
    InputError
        It is a folder, one of the sources, has another ending, is there already, or cannot be made there.

    >>> check_target(Path("sub/folder/stack.tiff"), endings=FITS)
    Traceback (most recent call last):
    firstlight.errors.InputError: sub/folder/stack.tiff: the suffix is '.tiff'; .fits, .fit, .fts are allowed; ...
    """
    if endings and target.suffix.lower() not in endings:
        raise InputError(
            f"{target}: the suffix is '{target.suffix}'; {', '.join(endings)} are allowed; choose one of them"
        )
    if _is(target, Path.is_dir):
        raise InputError(f"{target}: is a folder; give the name of a file")
    if target.exists() and any(path.exists() and os.path.samefile(path, target) for path in sources):
        raise InputError(f"{target}: this is an input, which is never replaced; give another name")
    if target.exists() and not overwrite:
        raise InputError(f"{target}: exists already; give another name, or --overwrite to replace it")
    _check_parents(target, target.absolute().parent)


def check_folder(folder: Path) -> None:
    """Refuse a folder for results that cannot be made, or written to.

    Raises
    ------
    InputError
        A file is in its place, or the permissions forbid it.
    """
    _check_parents(folder, folder.absolute())


def _check_parents(target: Path, folder: Path) -> None:
    while not _is(folder, os.path.lexists):
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{target}: {folder} is a file, where a folder is needed; give another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"{target}: {folder} cannot be written to; look at the permissions, or choose another place for the output"
        )


def _is(path: Path, question: object) -> bool:
    try:
        return bool(question(path))  # type: ignore[operator]
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}; give another name") from None
