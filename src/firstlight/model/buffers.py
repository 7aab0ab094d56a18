"""Large arrays that are used again: the system zeroes the pages of every new one, a tenth of the time of a run."""

from __future__ import annotations

from math import prod
from threading import local

import numpy as np

ALIGNED = 64
"""Bytes: a vector register never straddles two lines of the cache."""


class Buffers(local):
    """Arrays of each thread, by name; the memory goes when this object goes.

    >>> buffers = Buffers()
    >>> first = buffers.own("cube", (4, 100))
    >>> buffers.own("cube", (2, 100)).base is first.base
    True
    """

    def __init__(self) -> None:
        self._rooms: dict[str, np.ndarray] = {}

    def own(self, name: str, shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
        """An array whose content is whatever was left there; it stands until the same thread asks for it again."""
        size = prod(shape) * np.dtype(dtype).itemsize
        room = self._rooms.get(name)
        if room is None or room.nbytes < size + ALIGNED:
            # The old room first, or both would be held.
            self._rooms.pop(name, None)
            room = None
            room = self._rooms[name] = np.empty(size + ALIGNED, np.uint8)
        start = -room.ctypes.data % ALIGNED
        return room[start : start + size].view(dtype).reshape(shape)
