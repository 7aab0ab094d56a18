"""Frames of one size as the kernels take them: numbers that lie somewhere in one stretch of memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["BIG_ENDIAN", "Samples"]

BIG_ENDIAN = np.dtype(">f4")
"""float32 as FITS files hold it."""


@dataclass(frozen=True, eq=False)
class Samples:
    """float32 frames (n, y, x), each of which is contiguous; they need not follow one another."""

    bits: np.ndarray
    """uint32, flat: the bits of the numbers."""
    starts: np.ndarray
    """int64 (n,): where in ``bits`` each frame begins."""
    size: tuple[int, int]
    """Height and width of a frame."""
    swapped: bool = False
    """The numbers are big-endian."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.starts), *self.size

    @classmethod
    def of(cls, cube: np.ndarray) -> Samples:
        """Those of a contiguous cube (n, y, x), in either byte order.

        >>> Samples.of(np.zeros((3, 2, 5), BIG_ENDIAN)).starts
        array([ 0, 10, 20])
        """
        n, height, width = cube.shape
        starts = np.arange(n, dtype=np.int64) * (height * width)
        return cls(cube.view(np.uint32).reshape(-1), starts, (height, width), not cube.dtype.isnative)

    def row(self, y: int) -> np.ndarray:
        """Row y of all frames, float32 (n, x)."""
        return self._rows(y, y + 1)[:, 0]

    def at(self, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
        """The samples of some pixels (k,), float32 (n, k)."""
        places = ys * self.size[1] + xs
        numbers = np.stack([self.bits.take(start + places) for start in self.starts])
        return (numbers.byteswap() if self.swapped else numbers).view(np.float32)

    def cube(self) -> np.ndarray:
        """All of them, float32 (n, y, x), of native numbers."""
        return self._rows(0, self.size[0])

    def _rows(self, top: int, bottom: int) -> np.ndarray:
        width = self.size[1]
        rows = np.stack([self.bits[start + top * width : start + bottom * width] for start in self.starts])
        numbers = (rows.byteswap() if self.swapped else rows).view(np.float32)
        return numbers.reshape(len(rows), bottom - top, width)
