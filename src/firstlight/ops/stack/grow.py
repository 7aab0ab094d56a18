"""Reject what lies beside a trail too: its wings are fainter than any limit and many frames deep in the stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.kernels import grow as kernels
from firstlight.kernels.grow import GROWN

__all__ = ["GROWN", "Verdict", "wider"]

BYTES = 8


def wider(
    inner: tuple[slice, slice], shape: tuple[int, int], reach: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """``inner`` with ``reach`` more on all sides where there is so much, and where in that ``inner`` lies.

    >>> wider((slice(0, 5), slice(3, 9)), (20, 10), 2)
    ((slice(0, 7, None), slice(1, 10, None)), (slice(0, 5, None), slice(2, 8, None)))
    """
    parts = [part.indices(size)[:2] for part, size in zip(inner, shape)]
    outer = [(max(start - reach, 0), min(stop + reach, size)) for (start, stop), size in zip(parts, shape)]
    within = [slice(start - first, stop - first) for (start, stop), (first, _) in zip(parts, outer)]
    return tuple(slice(*each) for each in outer), tuple(within)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What became of each sample of a cube (n, y, x): 0 kept or missing, 1 too low, 2 too high, 4 grown."""

    shape: tuple[int, int]
    samples: np.ndarray
    """uint8 (n, pixels and up to 7 more)."""

    @classmethod
    def blank(cls, n: int, shape: tuple[int, ...]) -> Verdict:
        """Nothing is rejected yet."""
        words = -(-shape[0] * shape[1] // BYTES)
        return cls((shape[0], shape[1]), np.zeros((n, words), np.uint64).view(np.uint8))

    def grow(self, reach: int, within: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Mark samples with at least ``2 * reach`` of their frame that are too high within ``reach`` rows and columns.

        A trail one pixel wide has ``2 * reach + 1`` there; noise, at 0.15 % of the samples, hardly ever so many.

        Returns
        -------
        pixels, hits : ndarray
            Flat numbers of the pixels where any frame was marked; and for each frame how many samples ``within`` had
            been rejected before.
        """
        height, width = self.shape
        counts, touched = np.zeros((2, self.samples.shape[1]), np.uint8)
        hits = np.zeros(len(self.samples), np.int64)
        (top, bottom, _), (left, right, _) = (part.indices(size) for part, size in zip(within, self.shape))
        kernels.grow(
            self.samples.view(np.uint64), self.samples, height, width, reach, 2 * reach,
            top, bottom, left, right, counts, touched, hits,
        )  # fmt: skip
        return np.flatnonzero(touched), hits

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """Verdicts (n, k) on the samples of some pixels, a copy."""
        return self.samples[:, pixels]

    def inside(self, pixels: np.ndarray, within: tuple[slice, slice]) -> np.ndarray:
        """Which of the pixels lie ``within``."""
        y, x = np.divmod(pixels, self.shape[1])
        rows, columns = within
        return (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
