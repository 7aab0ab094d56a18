"""Arrays in scratch files: what must wait, or does not fit into memory."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import numpy as np

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path


def spooled(array: np.ndarray, folder: Path) -> np.ndarray:
    """The same numbers, read-only, in a file of the folder: the system keeps in memory what is used.

    >>> from firstlight.io.scratch import Scratch
    >>> with Scratch() as folder:
    ...     spooled(np.arange(3), folder).tolist()
    [0, 1, 2]

    Raises
    ------
    InputError
        The scratch folder's disk is full.
    """
    path = Path(folder) / f"{secrets.token_hex(8)}.npy"
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)
    return np.load(path, mmap_mode="r")


def scratch_array(shape: tuple[int, ...], dtype: type, folder: Path) -> np.ndarray:
    """Zeros of this shape in a file of the folder, to be written to; for what does not fit into memory.

    Raises
    ------
    InputError
        The scratch folder's disk has no room for it.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(f"{folder}: {free / 1e6:.0f} MB free; {size / 1e6:.0f} MB are needed; choose another --output")
    return np.memmap(Path(folder) / f"{secrets.token_hex(8)}.raw", dtype=dtype, mode="w+", shape=shape)
