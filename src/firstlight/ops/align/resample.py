"""Resample planes through a transform."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.kernels import warp as kernels
from firstlight.model.registration import Transform

Kernel = Literal["lanczos3", "bilinear", "nearest"]

MOST_TURN = 0.12
"""Sine of the largest rotation (about 7 degrees) for which rows and columns are resampled one after the other."""
MOST_STRETCH = 0.06
NO_CLAMP = np.float32(1e30)


def half_width(kernel: Kernel) -> int:
    """Samples on each side of a position that an interpolation kernel uses."""
    return kernels.LANCZOS3 if kernel == "lanczos3" else kernels.BILINEAR


def turns_little(forward: Transform) -> bool:
    """Whether the quick two-pass path serves: nearly upright, or nearly upside down."""
    m = forward.matrix
    off = max(abs(m[0, 1]), abs(m[1, 0]))
    along = max(abs(abs(m[0, 0]) - 1), abs(abs(m[1, 1]) - 1))
    return forward.is_affine and off < MOST_TURN and along < MOST_STRETCH


def source_window(
    forward: Transform, tile: tuple[int, int, int, int], shape: tuple[int, int], margin: int
) -> tuple[int, int, int, int] | None:
    """Rows and columns (top, bottom, left, right) of a plane that a tile of the grid sees, or None.

    ``tile`` is (top, bottom, left, right) on the grid, ``forward`` maps plane to grid, ``margin`` is added all round.
    """
    top, bottom, left, right = tile
    corners = np.array([[left, top], [right - 1, top], [left, bottom - 1], [right - 1, bottom - 1]], np.float64)
    seen = forward.inverse(corners)
    low = np.floor(seen.min(axis=0)).astype(int) - margin
    high = np.ceil(seen.max(axis=0)).astype(int) + margin + 1
    height, width = shape
    window = max(low[1], 0), min(high[1], height), max(low[0], 0), min(high[0], width)
    return window if window[0] < window[1] and window[2] < window[3] else None


def resample_tile(
    source: np.ndarray,
    first_row: int,
    shape: tuple[int, int],
    forward: Transform,
    out: np.ndarray,
    top: int,
    left: int,
    *,
    kernel: Kernel = "lanczos3",
    clamp: float = np.inf,
    photons: float = 0.0,
) -> None:
    """Resample rows of a plane into a tile of the grid.

    Parameters
    ----------
    source : ndarray
        float32 (rows, x): rows ``first_row`` ... of a plane of ``shape``, all columns. Enough rows for the tile and
        the kernel, or all there are.
    forward : Transform
        Plane positions to grid positions.
    out : ndarray
        float32 (rows, columns), begins at (top, left) of the grid; pixels the plane does not cover become NaN.
    clamp, photons : float
        Lanczos may fall below the lowest of the inner samples by ``sqrt(clamp**2 + photons * highest)`` at most (see
        `firstlight.kernels.warp`): multiples of the noise of the sky and of the variance per unit of signal.

    Notes
    -----
    Values are surface brightness: a transform that enlarges does not dim. Pure shifts by whole pixels are exact.
    """
    inverse = forward.inverse.matrix
    if kernel == "nearest":
        _nearest(source, first_row, shape, inverse, out, top, left)
        return
    half = half_width(kernel)
    table = kernels.kernel_table(half)
    level = np.float32(clamp**2) if np.isfinite(clamp) else NO_CLAMP
    slope = np.float32(photons)
    if turns_little(forward) and left == 0:
        rows = np.empty((source.shape[0], out.shape[1]), np.float32)
        kernels.warp_two_pass(
            source, first_row, shape[0], table, half, inverse[:2].copy(), top, level, slope, rows, out
        )
    else:
        kernels.warp_direct(source, first_row, 0, shape, table, half, inverse.copy(), top, left, level, slope, out)


def _nearest(
    source: np.ndarray,
    first_row: int,
    shape: tuple[int, int],
    inverse: np.ndarray,
    out: np.ndarray,
    top: int,
    left: int,
) -> None:
    ys, xs = np.mgrid[top : top + out.shape[0], left : left + out.shape[1]].astype(np.float64)
    scale = 1.0 / (inverse[2, 0] * xs + inverse[2, 1] * ys + inverse[2, 2])
    px = np.floor((inverse[0, 0] * xs + inverse[0, 1] * ys + inverse[0, 2]) * scale + 0.5).astype(int)
    py = np.floor((inverse[1, 0] * xs + inverse[1, 1] * ys + inverse[1, 2]) * scale + 0.5).astype(int)
    inside = (px >= 0) & (px < shape[1]) & (py >= 0) & (py < shape[0])
    taken = source[np.clip(py - first_row, 0, source.shape[0] - 1), np.clip(px, 0, shape[1] - 1)]
    out[...] = np.where(inside, taken, np.float32(np.nan))


def noise_factor(forward: Transform, tile: tuple[int, int, int, int], kernel: Kernel) -> float:
    """Mean of the sum of squared weights over a tile: variance of a resampled pixel over that of a source pixel.

    Exact for shifts; for turning maps the mean over 16 x 16 positions. Neighbouring pixels are correlated after
    resampling, so the scatter of single pixels says less than it seems.

    >>> round(noise_factor(Transform.of_shift(0.5, 0.0), (0, 64, 0, 64), "bilinear"), 6)
    0.5
    """
    if kernel == "nearest":
        return 1.0
    squares = (kernels.kernel_table(half_width(kernel)).astype(np.float64) ** 2).sum(axis=1)
    top, bottom, left, right = tile
    ys, xs = np.meshgrid(np.linspace(top, bottom - 1, 16), np.linspace(left, right - 1, 16), indexing="ij")
    # Whole positions keep the phase of a shift exact.
    seen = forward.inverse(np.column_stack([np.round(xs).ravel(), np.round(ys).ravel()]))
    steps = np.round((seen - np.floor(seen)) * kernels.PHASES).astype(int)
    return float(np.mean(squares[steps[:, 0]] * squares[steps[:, 1]]))
