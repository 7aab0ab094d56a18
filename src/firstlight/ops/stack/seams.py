"""Panels of the sky into one picture: brought to one level and scale together, and blended where they overlap.

All overlaps are solved at once, not one after the other, so that errors do not add up from panel to panel and loops
close. Fluxes of stars tell the factors; the means of cells of 16 px, stars and nebulae included, tell what must be
added: a level, a slope and a weak curvature for each panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstlight.kernels.surface import cell_means

CELL = 16
"""px; panels begin on multiples of it."""
TERMS = 6
"""1, u, v, u^2, u v, v^2."""
ROUNDS = 6
ROW_ERROR = 0.3
"""Noise of a pixel: what the difference of two cells is trusted to. Their noise is a fifth of that, but what is wrong
with flats and stars is alike in neighbouring cells."""
SLOPE, CURVE = 300.0, 3.0
"""Noise of a pixel: how much slope and curvature over half a panel is expected. Slopes are free, but of all answers the
least is taken; a curvature must be seen clearly, as it is carried from a narrow overlap to the far side."""
UNKNOWN = 0.3
"""Error of the logarithm of a factor that no star tells."""
LEAST_FEATHER = 2
"""Cells."""
FAINT = 1e-3
"""Weight at the very edge, so that pixels no other panel sees are kept."""


@dataclass(frozen=True, eq=False)
class PanelCells:
    """A panel in cells, on the grid of the mosaic."""

    means: np.ndarray
    """float64 (channels, rows, columns); NaN where a cell is not wholly covered."""
    top: int
    """First row and column on the mosaic, in cells."""
    left: int
    noise: np.ndarray
    """(channels,): standard deviation of a pixel."""

    @classmethod
    def of(cls, data: np.ndarray, good: np.ndarray, top: int, left: int, noise: np.ndarray) -> PanelCells:
        """From planes (channels, y, x); (top, left) px on the mosaic, multiples of a cell."""
        channels, height, width = data.shape
        size = (height // CELL, width // CELL)
        means = np.full((channels, *size), np.nan)
        for plane, seen, out in zip(data, good, means):
            part = np.empty(size, np.float32)
            cell_means(np.ascontiguousarray(plane), CELL, 0, 0, 1, part)
            whole = seen[: size[0] * CELL, : size[1] * CELL].reshape(size[0], CELL, size[1], CELL).all(axis=(1, 3))
            out[whole] = part[whole]
        return cls(means, top // CELL, left // CELL, np.asarray(noise, np.float64))

    @property
    def covered(self) -> np.ndarray:
        """Boolean (rows, columns)."""
        return np.isfinite(self.means).all(axis=0)

    def terms(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Polynomial terms (n, 6) at cells of the mosaic: -1 to 1 along the longer side."""
        height, width = self.means.shape[1:]
        half = max(height, width) / 2
        v = (rows - self.top - (height - 1) / 2) / half
        u = (columns - self.left - (width - 1) / 2) / half
        return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


@dataclass(frozen=True, eq=False)
class Evening:
    """What brings a panel to the level and scale of the mosaic: ``factor * pixel + summand``."""

    factor: float
    coefficients: np.ndarray
    """(channels, 6)."""
    cells: PanelCells

    def summand(self, channel: int, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
        """float32 (len(ys), len(xs)): what is added at rows and columns of the mosaic, px."""
        rows, columns = ((each - (CELL - 1) / 2) / CELL for each in (np.asarray(ys, float), np.asarray(xs, float)))
        return (self.cells.terms(*np.meshgrid(rows, columns, indexing="ij")) @ self.coefficients[channel]).astype(
            np.float32
        )


@dataclass(frozen=True)
class FluxRatio:
    """How bright the same stars are on two panels."""

    one: int
    other: int
    ratio: float
    """Flux on the other over flux on the one."""
    error: float
    """Of its logarithm."""


def even_out(panels: Sequence[PanelCells], ratios: Sequence[FluxRatio], reference: int) -> list[Evening]:
    """Factors and summands of all panels, solved together over all overlaps.

    The reference panel keeps its scale and its level at its middle. Panels that overlap no other keep theirs.

    >>> flat = np.full((1, 8, 8), 100.0)
    >>> panels = [PanelCells(flat, 0, 0, np.ones(1)), PanelCells(flat + 30, 0, 6, np.ones(1))]
    >>> one, two = even_out(panels, [], 0)
    >>> float(two.summand(0, np.array([50.0]), np.array([110.0]))[0, 0].round(2) + 0.0)
    -30.0
    """
    factors = _factors(len(panels), ratios, reference)
    channels = len(panels[0].means)
    coefficients = np.stack([_summands(panels, factors, reference, channel) for channel in range(channels)], axis=1)
    return [Evening(float(k), c, panel) for k, c, panel in zip(factors, coefficients, panels)]


def _factors(n: int, ratios: Sequence[FluxRatio], reference: int) -> np.ndarray:
    normal, right = np.diag(np.full(n, UNKNOWN**-2.0)), np.zeros(n)
    normal[reference, reference] = 1e12
    for each in ratios:
        weight, log = each.error**-2.0, np.log(each.ratio)
        i, j = each.one, each.other
        # factor_i flux_i = factor_j flux_j
        normal[[i, j], [i, j]] += weight
        normal[[i, j], [j, i]] -= weight
        right[i] += weight * log
        right[j] -= weight * log
    return np.exp(np.linalg.solve(normal, right))


def _summands(panels: Sequence[PanelCells], factors: np.ndarray, reference: int, channel: int) -> np.ndarray:
    """Coefficients (panels, 6)."""
    noise = float(np.median([panel.noise[channel] for panel in panels])) or 1.0
    n = len(panels) * TERMS
    overlaps = [
        found
        for j in range(len(panels))
        for i in range(j)
        if (found := _overlap(panels[i], panels[j], i, j, factors, channel)) is not None
    ]
    prior = np.tile(np.array([1e-14, *[(SLOPE * noise) ** -2.0] * 2, *[(CURVE * noise) ** -2.0] * 3]), len(panels))
    prior[0::TERMS] *= noise**-2.0
    prior[reference * TERMS] = 1e6 * noise**-2.0
    solution = np.zeros(n)
    for _ in range(ROUNDS):
        normal, right = np.diag(prior), np.zeros(n)
        for i, j, mine, theirs, step in overlaps:
            left = step + mine @ solution[_of(i)] - theirs @ solution[_of(j)]
            # Stars, whose seeing differs, and what moved: Tukey's biweight on the scatter that is seen.
            scale = max(1.4826 * float(np.median(np.abs(left - np.median(left)))), 0.02 * noise)
            first = _ == 0
            u = (left - np.median(left) if first else left) / (5.0 * scale)
            weight = np.where(np.abs(u) < 1, (1 - u**2) ** 2, 0.0) * (ROW_ERROR * noise) ** -2.0
            both = np.concatenate([mine, -theirs], axis=1)
            where = np.r_[_of(i), _of(j)]
            weighted = both * weight[:, None]
            normal[np.ix_(where, where)] += weighted.T @ both
            right[where] -= weighted.T @ step
        solution = np.linalg.solve(normal, right)
    return solution.reshape(len(panels), TERMS)


def _of(panel: int) -> slice:
    return slice(panel * TERMS, (panel + 1) * TERMS)


def _overlap(
    one: PanelCells, other: PanelCells, i: int, j: int, factors: np.ndarray, channel: int
) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray] | None:
    """Terms of both (n, 6) and the difference of their cells (n,) where both are covered."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom = min(p.top + p.means.shape[1] for p in (one, other))
    right = min(p.left + p.means.shape[2] for p in (one, other))
    if bottom <= top or right <= left:
        return None
    mine, theirs = (
        p.means[channel, top - p.top : bottom - p.top, left - p.left : right - p.left] for p in (one, other)
    )
    rows, columns = np.nonzero(np.isfinite(mine) & np.isfinite(theirs))
    if len(rows) < 4:
        return None
    step = factors[i] * mine[rows, columns] - factors[j] * theirs[rows, columns]
    rows, columns = rows + top, columns + left
    return i, j, one.terms(rows, columns), other.terms(rows, columns), step


def feather_width(panels: Sequence[PanelCells]) -> float:
    """Width of the overlaps, in cells: the median over the pairs of their greatest depth."""
    depths = []
    for j, one in enumerate(panels):
        for other in panels[:j]:
            top, left = max(one.top, other.top), max(one.left, other.left)
            bottom = min(p.top + p.means.shape[1] for p in (one, other))
            right = min(p.left + p.means.shape[2] for p in (one, other))
            if bottom > top and right > left:
                near = [
                    _depth(p.covered)[top - p.top : bottom - p.top, left - p.left : right - p.left]
                    for p in (one, other)
                ]
                depths.append(2 * float(np.minimum(*near).max()))
    seen = [depth for depth in depths if depth > 0]
    return max(float(np.median(seen)) if seen else 0.0, float(LEAST_FEATHER))


def feather(cells: PanelCells, width: float) -> np.ndarray:
    """Weight of each cell of a panel, float32 (rows, columns): from 0 at the edge to 1 a ``width`` (cells) inside."""
    ramp = np.clip(_depth(cells.covered) / max(width, 1.0), 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def _depth(covered: np.ndarray) -> np.ndarray:
    """Distance to the nearest cell that is not covered, less a half."""
    from scipy.ndimage import distance_transform_edt

    return np.maximum(distance_transform_edt(np.pad(covered, 1))[1:-1, 1:-1] - 0.5, 0)


def weights_at(plane: np.ndarray, cells: PanelCells, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """A plane of cells at rows and columns of the mosaic (px), linear between cells: float32 (len(ys), len(xs))."""
    from scipy.ndimage import map_coordinates

    rows = (np.asarray(ys, float) - (CELL - 1) / 2) / CELL - cells.top
    columns = (np.asarray(xs, float) - (CELL - 1) / 2) / CELL - cells.left
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    return map_coordinates(plane, places, order=1, mode="nearest").astype(np.float32)


def blend(
    values: Sequence[np.ndarray], variances: Sequence[np.ndarray], weights: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of panels and its variance, float32; NaN where no weight is above 0.

    Planes of equal shape. Errors of different panels are independent: the variance is
    ``sum(w^2 v) / sum(w)^2``.

    >>> mean, variance = blend([np.array([1.0]), np.array([3.0])], [np.array([4.0])] * 2, [np.array([1.0])] * 2)
    >>> float(mean[0]), float(variance[0])
    (2.0, 2.0)
    """
    total = np.zeros(values[0].shape)
    sums, squares = np.zeros_like(total), np.zeros_like(total)
    for value, variance, weight in zip(values, variances, weights):
        seen = weight > 0
        total += weight
        sums += np.where(seen, weight * value, 0.0)
        squares += np.where(seen, np.square(weight, dtype=np.float64) * variance, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums / total).astype(np.float32), (squares / total**2).astype(np.float32)
