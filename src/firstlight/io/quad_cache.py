"""Indexes of quads: made once, kept in the cache, read from there as they are needed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np

from firstlight.errors import InputError
from firstlight.io.lock import only_one
from firstlight.io.places import cache_folder
from firstlight.io.table_files import read_table, write_json
from firstlight.model.quad_index import Level, QuadIndex

VERSION = 1
"""Goes up when an index of the same stars would be another."""
_ARRAYS = [field.name for field in fields(Level) if field.name not in ("shortest", "lowest")]


def kept_index(key: str, make: Callable[[], QuadIndex]) -> QuadIndex:
    """The index of this key from the cache; made and put there if it is not, by one process at a time.

    Where the cache cannot be written to it is made for this run only.
    """
    folder = cache_folder() / "quads" / f"{key}-{VERSION}"
    found = _read(folder)
    if found is not None:
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with only_one(folder.parent / ".lock"):
            found = _read(folder)
            if found is None:
                found = make()
                _write(folder, found)
            return found
    except (InputError, OSError):
        return found if found is not None else make()


def _read(folder: Path) -> QuadIndex | None:
    """None where it is not there or not whole. Its arrays are read from the disk when they are looked at."""
    if not (folder / "index.json").is_file():
        return None
    try:
        about = read_table(folder / "index.json")
        levels = [
            Level(
                **{key: float(numbers[key]) for key in ("shortest", "lowest")},
                # Copy on write: nothing is written, and compiled code takes it as any other array.
                **{name: np.asarray(np.load(folder / f"{k}-{name}.npy", mmap_mode="c")) for name in _ARRAYS},
            )
            for k, numbers in enumerate(about["levels"])
        ]
    except (OSError, ValueError, KeyError, InputError):
        return None
    return QuadIndex(tuple(levels), about["source"])


def _write(folder: Path, index: QuadIndex) -> None:
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        for k, level in enumerate(index.levels):
            for name in _ARRAYS:
                np.save(temporary / f"{k}-{name}.npy", getattr(level, name))
        numbers = [{"shortest": level.shortest, "lowest": level.lowest} for level in index.levels]
        write_json(temporary / "index.json", {"source": index.source, "levels": numbers})
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
