"""A point spread function, ready to blur planes quickly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError
from firstlight.kernels.blur import blur_rows
from firstlight.ops.parts import each_part, row_parts

TRIMMED = 1e-3
"""Share of the light that may lie outside the rows and columns that are kept."""
EXACT = 2e-3
"""Largest error of the products against the kernel, as a share of its peak."""
MOST = 12
"""Products; a kernel of more is noise, or no point spread function."""


@dataclass(frozen=True, eq=False)
class Blur:
    """A kernel as a sum of products of columns and rows."""

    kernel: np.ndarray
    """float64 (odd, odd), sum 1."""
    down: np.ndarray
    """float32 (products, taps)."""
    across: np.ndarray

    @classmethod
    def of(cls, kernel: np.ndarray) -> Blur:
        """Trimmed to what holds light, then by singular values: as many products as bring it within 0.2 % of its peak.

        Raises
        ------
        InputError
            The kernel holds no light, or is not square with an odd side.

        >>> x = np.arange(-5, 6); bell = np.exp(-0.5 * (x / 1.3) ** 2)
        >>> len(Blur.of(np.outer(bell, bell)).down)
        1
        """
        kernel = np.asarray(kernel, np.float64)
        side = kernel.shape[0]
        if kernel.ndim != 2 or kernel.shape[1] != side or side % 2 == 0:
            raise InputError(f"psf: {' x '.join(map(str, kernel.shape))} px; a square with an odd side is needed")
        total = kernel.sum()
        if not np.isfinite(total) or total <= 0:
            raise InputError("psf: it holds no light (its sum is not above 0); give one with its background subtracted")
        kernel = kernel / total
        while len(kernel) > 3:
            inner = kernel[1:-1, 1:-1]
            if abs(inner.sum() - 1) > TRIMMED or kernel.shape[0] <= side - 2 * (side // 2 - 1):
                break
            kernel = inner
        kernel = kernel / kernel.sum()
        left, values, right = np.linalg.svd(kernel)
        products = 0
        rest = kernel.copy()
        while products < min(MOST, len(values)) and np.abs(rest).max() > EXACT * kernel.max():
            rest -= values[products] * np.outer(left[:, products], right[products])
            products += 1
        root = np.sqrt(values[:products])
        down, across = left[:, :products].T * root[:, None], right[:products] * root[:, None]
        # The products hold the light that they have to: blurring keeps the flux.
        scale = np.sum(down.sum(axis=1) * across.sum(axis=1))
        return cls(kernel, (down / scale).astype(np.float32), across.astype(np.float32))

    @property
    def half(self) -> int:
        return self.down.shape[1] // 2

    def reversed(self) -> Blur:
        """The same, turned by 180 degrees."""
        turned = (np.ascontiguousarray(each[:, ::-1]) for each in (self.down, self.across))
        return Blur(self.kernel[::-1, ::-1], *turned)

    def __call__(self, plane: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The blurred plane, float32."""
        plane = np.ascontiguousarray(plane, np.float32)
        out = np.empty_like(plane) if out is None else out
        each_part(lambda rows: blur_rows(plane, self.down, self.across, *rows, out), row_parts(plane.shape))
        return out
