"""Resample planes through a transform."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.kernels import shapes, warp, warp_any
from firstlight.model.distortion import Distorted
from firstlight.model.registration import Transform

Kernel = Literal["lanczos3", "lanczos4", "lanczos2", "bicubic", "bilinear", "nearest"]

MOST_TURN = 0.06
"""Sine of the largest rotation (3.4 degrees) for which rows and columns are resampled one after the other. Beyond
it, runs of like pixels are so short that taking every pixel alone is as fast."""
MOST_STRETCH = 0.06
POSITIONS = 4096
"""Of a tile, at which turning maps are looked at for their noise."""
FEW_POSITIONS = 400
"""The same for noise that is not white."""


def half_width(kernel: Kernel) -> int:
    """Samples on each side of a position that an interpolation kernel uses."""
    return shapes.HALF[kernel]


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
    # The extremes of straight maps lie at corners, those of bent ones on the edges.
    if forward.is_affine:
        border = np.array([[x, y] for x in (left, right - 1) for y in (top, bottom - 1)])
    else:
        # As closely as the finest displacements change.
        along = np.linspace(0.0, 1.0, 33 + max(bottom - top, right - left) // 32)
        xs, ys = left + along * (right - 1 - left), top + along * (bottom - 1 - top)
        edges = [(xs, np.full_like(xs, top)), (xs, np.full_like(xs, bottom - 1))]
        edges += [(np.full_like(ys, left), ys), (np.full_like(ys, right - 1), ys)]
        border = np.concatenate([np.column_stack(edge) for edge in edges])
    seen = forward.inverse(border)
    margin += 0 if forward.is_affine else 1
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
    level = np.float32(clamp**2)
    slope = np.float32(photons)
    if kernel == "nearest":
        warp_any.pick_nearest(source, first_row, shape[0], _mesh(forward, out.shape, top, left), top, left, out)
    elif turns_little(forward):
        inverse = forward.inverse.matrix[:2].copy()
        terms = shapes.polynomials(kernel)
        warp.warp_two_pass(source, first_row, shape[0], terms, inverse, top, left, level, slope, out)
    else:
        mesh = _mesh(forward, out.shape, top, left)
        table = shapes.lane_table(kernel)
        half = half_width(kernel)
        warp_any.warp_any(source, first_row, shape[0], table, half, mesh, top, left, level, slope, out)


def _mesh(forward: Transform, size: tuple[int, int], top: int, left: int) -> np.ndarray:
    """Plane positions of the nodes around a tile of the grid."""
    rows, columns = (
        np.arange(start // warp_any.CELL, (start + length - 1) // warp_any.CELL + 2) * warp_any.CELL
        for start, length in ((top, size[0]), (left, size[1]))
    )
    xs, ys = np.meshgrid(columns, rows)
    return forward.inverse(np.column_stack([xs.ravel(), ys.ravel()])).reshape(len(rows), len(columns), 2)


def mark_near(
    ys: np.ndarray, xs: np.ndarray, forward: Transform, top: int, left: int, value: np.uint16, out: np.ndarray
) -> None:
    """`firstlight.kernels.warp.mark_near` through any transform."""
    warp.mark_near(*_placed(ys, xs, forward), top, left, value, out)


def withdraw_near(
    ys: np.ndarray, xs: np.ndarray, forward: Transform, top: int, left: int, gain: np.float32, zero: np.float32,
    weight: np.float32, out: np.ndarray, sums: np.ndarray, weights: np.ndarray,
) -> None:  # fmt: skip
    """`firstlight.kernels.warp.withdraw_near` through any transform."""
    warp.withdraw_near(*_placed(ys, xs, forward), top, left, gain, zero, weight, out, sums, weights)


def _placed(ys: np.ndarray, xs: np.ndarray, forward: Transform) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions and the matrix that takes them to the grid."""
    if not isinstance(forward, Distorted):
        return ys, xs, forward.matrix
    placed = forward(np.column_stack([xs, ys]))
    return placed[:, 1].copy(), placed[:, 0].copy(), np.eye(3)


def noise_factor(forward: Transform, tile: tuple[int, int, int, int], kernel: Kernel) -> float:
    """Mean of the sum of squared weights over a tile: variance of a resampled pixel over that of a source pixel.

    Exact for shifts; for other maps the mean over 4096 pixels, right to 0.5 %. What it leaves out is the little that
    clamping does to noise. Neighbouring pixels are correlated after resampling; see `noise_correlation`.

    >>> noise_factor(Transform.of_shift(0.5, 0.0), (0, 64, 0, 64), "bilinear")
    0.5
    """
    squares = [(shapes.weights(kernel, phase) ** 2).sum(axis=1) for phase in _phases(forward, tile, POSITIONS).T]
    return float(np.mean(squares[0] * squares[1]))


def kernel_correlations(
    forward: Transform, tile: tuple[int, int, int, int], kernel: Kernel
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of the weights with themselves, along and down, at some positions of a tile: each (positions, lags).

    The variance of a resampled pixel is the sum of products of both with the covariances of the source, whose noise
    need not be white. The middle lag is 0.
    """
    along, down = (
        np.stack([np.correlate(w, w, "full") for w in shapes.weights(kernel, phase)])
        for phase in _phases(forward, tile, FEW_POSITIONS).T
    )
    return along, down


def _phases(forward: Transform, tile: tuple[int, int, int, int], count: int) -> np.ndarray:
    """Sub-pixel parts (x, y) of the source positions of pixels of a tile; a single one where all are the same."""
    top, bottom, left, right = tile
    # Two irrational steps fill the tile evenly, and beat with no map.
    turns = np.arange(1, count + 1)[:, None] * np.array([0.7548776662466927, 0.5698402909980532]) % 1.0
    # Whole positions keep the phase of a shift exact.
    pixels = np.floor([left, top] + turns * [right - left, bottom - top])
    seen = forward.inverse(pixels)
    phases = np.round((seen - np.floor(seen)) * warp.GRAIN) / warp.GRAIN
    # One phase for all, as shifts have, is looked up once.
    return phases[:1] if np.ptp(phases, axis=0).max() == 0.0 else phases


def noise_correlation(forward: Transform, tile: tuple[int, int, int, int], kernel: Kernel) -> float:
    """How much larger the noise of wide areas is than the scatter of single resampled pixels lets expect.

    The R of Casertano et al. 2000 and Fruchter & Hook 2002: the standard deviation of a sum over many pixels is R times
    the square root of their number times that of one pixel. 1 without resampling.

    >>> round(noise_correlation(Transform.of_shift(0.5, 0.5), (0, 64, 0, 64), "bilinear"), 3)
    2.0
    """
    return forward.scale / noise_factor(forward, tile, kernel) ** 0.5
