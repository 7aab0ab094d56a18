"""Reject what lies beside a trail too: its wings are fainter than any limit and many frames deep in the stack."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from firstlight.kernels import grow as kernels
from firstlight.model.buffers import Buffers

__all__ = ["Verdict", "wider"]

BITS = 64


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
    """What became of each sample of a cube (n, y, x)."""

    shape: tuple[int, int]
    samples: np.ndarray
    """uint64 (2, n, y, words of 64 columns): a bit for each sample that is too low, and too high."""
    grown: np.ndarray
    """The same, (n, y, words), for samples beside many that are too high."""

    @classmethod
    def blank(cls, n: int, shape: tuple[int, int], buffers: Buffers | None = None) -> Verdict:
        """Nothing is rejected yet."""
        words = (buffers or Buffers()).own("verdict", (3, n, shape[0], -(-shape[1] // BITS)), np.uint64)
        words[...] = 0
        return cls(shape, words[:2], words[2])

    def grow(self, reach: int) -> np.ndarray:
        """Mark samples with at least ``2 * reach`` of their frame that are too high within ``reach`` rows and columns.

        A trail one pixel wide has ``2 * reach + 1`` there; noise, at 0.15 % of the samples, hardly ever so many.
        Returns the flat numbers of the pixels where any frame was marked.
        """
        touched = np.zeros(self.grown.shape[1:], np.uint64)
        last = np.uint64(2 ** ((self.shape[1] - 1) % BITS + 1) - 1)
        kernels.grow(self.samples, reach, 2 * reach, last, self.grown, touched)
        return np.flatnonzero(unpacked(touched, self.shape[1]))

    def inside(self, pixels: np.ndarray, within: tuple[slice, slice]) -> np.ndarray:
        """Which of the pixels lie ``within``."""
        y, x = np.divmod(pixels, self.shape[1])
        rows, columns = within
        return (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)


def unpacked(words: np.ndarray, width: int) -> np.ndarray:
    """Bits of words (..., words) as booleans (..., width)."""
    if sys.byteorder == "big":
        words = words.byteswap()
    return np.unpackbits(words.view(np.uint8), axis=-1, count=width, bitorder="little").view(bool)


def packed(bits: np.ndarray) -> np.ndarray:
    """The other way round: booleans (..., width) to words of 64.

    >>> unpacked(packed(np.arange(70) % 3 == 0), 70).tolist() == (np.arange(70) % 3 == 0).tolist()
    True
    """
    words = np.zeros((*bits.shape[:-1], -(-bits.shape[-1] // BITS)), np.uint64)
    packed_bytes = np.packbits(bits, axis=-1, bitorder="little")
    words.view(np.uint8)[..., : packed_bytes.shape[-1]] = packed_bytes
    return words.byteswap() if sys.byteorder == "big" else words
