"""Arrays that lie in files of a folder which several processes or machines see: what is sent is the file's name."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.io.atomic import atomic_path

SMALL = 2**15
"""Bytes up to which an array is sent as it is."""


class SharedArray(np.ndarray):
    """An array whose copy in another process is mapped from its file.

    Parts of it, and what is computed from it, are arrays like any other.
    """

    _home: tuple[Any, ...] | None = None

    def __array_finalize__(self, parent: object) -> None:
        self._home = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._home is None:
            return np.asarray(self).__reduce_ex__(protocol)
        return open_shared, self._home


def share(array: np.ndarray, folder: Path, name: str) -> np.ndarray:
    """Write an array into a folder that others see; small arrays are returned as they are.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     opened, what = share(np.arange(100_000.0), Path(folder), "numbers").__reduce_ex__(4)
    ...     opened.__name__, float(opened(*what)[-1])
    ('open_shared', 99999.0)
    """
    if array.nbytes <= SMALL:
        return array
    path = Path(folder) / f"{name}.array"
    array = np.ascontiguousarray(array)
    if not path.exists():
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            file.write(array.data)
    shared = np.memmap(path, array.dtype, "c", shape=array.shape).view(SharedArray)
    shared._home = (str(path.resolve()), array.dtype.str, array.shape)
    return shared


@functools.lru_cache(maxsize=256)
def open_shared(path: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array in a file; changes stay with this process."""
    return np.memmap(path, np.dtype(dtype), "c", shape=shape).view(np.ndarray)


def write_piece(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays that go from one process to another, in one file that is whole or not there."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def take_piece(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `write_piece`; the file is removed."""
    with np.load(path, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    path.unlink(missing_ok=True)
    return arrays
