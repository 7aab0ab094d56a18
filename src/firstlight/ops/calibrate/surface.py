"""Smooth surfaces through the sky of one channel, past stars and nebulae."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firstlight.ops.calibrate.nodes import Surface
from firstlight.ops.calibrate.sights import ALL, Grid, Sight

CLIP_LOW = 4.0
CLIP_HIGH = 2.5
"""Objects only ever add light: cells are dropped sooner above the surface than below it."""
WIDE = ((3, 3.0), (5, 3.5))
"""Sides (cells) of squares whose means show objects, and how many sigma above the sky they are then. With the larger
one too, a wide nebula of 2.4 sigma at its peak loses half as much light; a yet larger one takes bends of the sky for
objects."""
ABOVE = 0.05
START = 4000
PER_SQUARE = 4
"""Cells over the square of the number of terms: with fewer, which cells are sky is a matter of their noise."""
ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Cells:
    """A plane in cells of ``size`` x ``size`` pixels: the median of each, and where it lies."""

    value: np.ndarray
    """float64 (rows, columns); NaN where less than half of the cell is good."""
    y: np.ndarray
    """float64 (rows,): centres of the cells in pixels."""
    x: np.ndarray
    shape: tuple[int, int]
    """(height, width) of the plane."""

    @classmethod
    def on(cls, grid: Grid, value: np.ndarray, shape: tuple[int, int]) -> Cells:
        """What a grid of a plane of this shape showed."""
        return cls(value, grid.y, grid.x, shape)

    @classmethod
    def of(cls, plane: np.ndarray, good: np.ndarray, size: int) -> Cells:
        """Even cells of about a size (px) of a plane (y, x) in memory."""
        shape = plane.shape[0], plane.shape[1]
        grid = Grid.even(shape, size)
        whole = ALL if good.all() else good
        found = [
            grid.see(k, np.ascontiguousarray(plane[rows]), whole if whole is ALL else good[rows])
            for k, rows in enumerate(grid.parts)
        ]
        return cls.on(grid, grid.joined(found), shape)

    @property
    def known(self) -> np.ndarray:
        return np.isfinite(self.value)


def polynomial(cells: Cells, degree: int, ridge: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Fit a polynomial of a total degree to the cells that hold sky.

    The start is a surface along the lower envelope (least squares in which light above counts little); from there the
    sky is told from objects by `sky_cells` and fitted, again until nothing changes.

    ``ridge`` holds all powers but the constant back, as a share of the weight of the cells.

    Returns
    -------
    coefficients : ndarray
        Legendre coefficients (degree + 1, degree + 1) over the plane scaled to -1 .. 1.
    used : ndarray
        Boolean like ``cells.value``: taken for sky.
    """
    known = np.isfinite(cells.value)
    # A power needs five cells for its second degree, seven for its third, to be told from noise.
    most_y, most_x = ((n - 1) // 2 for n in known.shape)
    powers: list[tuple[int, int]] = []
    for total in range(min(degree, most_y + most_x), -1, -1):
        powers = [(j, i) for j in range(min(total, most_y) + 1) for i in range(min(total - j, most_x) + 1)]
        if np.count_nonzero(known) >= PER_SQUARE * len(powers) ** 2:
            break
    coefficients = np.zeros((degree + 1, degree + 1))
    if len(powers) == 1:
        coefficients[0, 0] = np.median(cells.value[known]) if known.any() else 0.0
        return coefficients, known
    basis = np.stack(
        [np.outer(_legendre(cells.y, cells.shape[0], j), _legendre(cells.x, cells.shape[1], i)) for j, i in powers], -1
    )
    # The start need not know every cell: a few thousand, spread evenly, show the envelope.
    few = np.flatnonzero(known)[:: max(np.count_nonzero(known) // START, 1)]
    solution = _lower_envelope(basis.reshape(-1, len(powers))[few], cells.value.ravel()[few])
    used = known
    for _ in range(ROUNDS):
        keep = sky_cells(cells.value - basis @ solution, known, len(powers))
        solution = _least_squares(basis[keep], cells.value[keep], ridge=ridge)
        if np.array_equal(keep, used):
            break
        used = keep
    for (j, i), value in zip(powers, solution):
        coefficients[j, i] = value
    return coefficients, used


def _lower_envelope(basis: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Asymmetric least squares (Newey & Powell 1987): residuals above count a twentieth of those below."""
    weight = np.ones(len(values))
    for _ in range(ROUNDS):
        solution = _least_squares(basis, values, weight)
        weight = np.where(values > basis @ solution, ABOVE, 1.0)
    return solution


def _least_squares(
    basis: np.ndarray, values: np.ndarray, weight: np.ndarray | None = None, ridge: float = 0.0
) -> np.ndarray:
    """Normal equations; Legendre polynomials on a filled plane are nearly orthogonal, so nothing is lost.

    A trace of ridge keeps terms that the used cells cannot tell apart small.
    """
    weighted = basis if weight is None else basis * weight[:, None]
    normal = weighted.T @ basis
    normal[np.diag_indices_from(normal)] += 1e-9 * np.trace(normal) / len(normal)
    normal[np.diag_indices_from(normal)] += ridge * len(basis) * (np.arange(len(normal)) > 0)
    return np.linalg.solve(normal, weighted.T @ values)


def sky_cells(residual: np.ndarray, known: np.ndarray, fewest: int) -> np.ndarray:
    """Cells of a residual map (rows, columns) that hold sky: among the bulk of the darker ones, not beside an object.

    Objects are looked for in means over squares of cells, where faint wide light stands out better.
    """
    from scipy.ndimage import binary_dilation

    centre, sigma = bulk(residual[known])
    inside = known & (residual > centre - CLIP_LOW * sigma) & (residual < centre + CLIP_HIGH * sigma)
    objects = wide_objects(residual, known, 1.0)
    for grown in (2, 1, 0):
        apart = inside & ~binary_dilation(objects, iterations=grown) if grown else inside
        if np.count_nonzero(apart) >= max(4 * fewest, 0.15 * np.count_nonzero(known)):
            return apart
    return known


def wide_objects(residual: np.ndarray, known: np.ndarray, factor: float) -> np.ndarray:
    """Cells whose surroundings stand above the sky by ``factor`` times what is usual."""
    from scipy.ndimage import uniform_filter

    objects = np.zeros(known.shape, bool)
    for side, sigmas in WIDE:
        share = uniform_filter(known.astype(float), side)
        smooth = uniform_filter(np.where(known, residual, 0.0), side) / np.maximum(share, 0.1)
        centre, sigma = bulk(smooth[known])
        objects |= known & (smooth > centre + factor * sigmas * sigma)
    return objects


def bulk(values: np.ndarray) -> tuple[float, float]:
    """Level and spread of the sky among residuals: the shortest interval with a quarter of them, and the scatter of
    those below it. Objects, on one side only, hardly move either."""
    ordered = np.sort(values)
    n = max(len(ordered) // 4, 1)
    width = ordered[n:] - ordered[:-n]
    first = int(np.argmin(width)) if width.size else 0
    centre = float(np.median(ordered[first : first + n + 1]))
    below = centre - ordered[ordered <= centre]
    floor = 1e-7 * float(np.max(np.abs(ordered))) + 1e-30
    return centre, max(1.4826 * float(np.median(below)), floor)


def polynomial_on(coefficients: np.ndarray, ys: np.ndarray, xs: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The polynomial at rows ``ys`` and columns ``xs`` of the plane: float64 (len(ys), len(xs))."""
    degree = len(coefficients) - 1
    across = np.stack([_legendre(ys, shape[0], j) for j in range(degree + 1)])
    along = np.stack([_legendre(xs, shape[1], i) for i in range(degree + 1)])
    return across.T @ coefficients @ along


def _legendre(positions: np.ndarray, length: int, order: int) -> np.ndarray:
    scaled = (2 * np.asarray(positions, np.float64) + 1) / length - 1
    return np.polynomial.legendre.legval(scaled, [0.0] * order + [1.0])


@dataclass(frozen=True, eq=False)
class Mesh:
    """A spline surface: natural cubic between its nodes, straight beyond the outermost."""

    values: np.ndarray
    ys: np.ndarray
    xs: np.ndarray

    def on(self, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
        """Its values at rows ``ys`` and columns ``xs`` of the plane: float64 (len(ys), len(xs))."""
        return _spline(self.ys, ys) @ self.values @ _spline(self.xs, xs).T


def mesh(cells: Cells, residual: np.ndarray, used: np.ndarray, scale: float) -> Mesh:
    """A spline surface whose nodes are about ``scale`` apart, through the means of the cells that hold sky.

    Nodes with too little sky around them are filled from the others by the smoothest surface (Laplace).
    """
    height, width = cells.shape
    nodes_y, nodes_x = _nodes(height, scale), _nodes(width, scale)
    to_y = _tents(cells.y, nodes_y)
    to_x = _tents(cells.x, nodes_x)
    weight = to_y @ used.astype(float) @ to_x.T
    total = to_y @ np.where(used, residual, 0.0) @ to_x.T
    full = np.outer(to_y.sum(axis=1), to_x.sum(axis=1))
    known = weight > 0.25 * full
    if not known.any():
        return Mesh(np.zeros_like(total), nodes_y, nodes_x)
    values = _filled(np.divide(total, weight, out=np.zeros_like(total), where=known), known)
    return Mesh(values, nodes_y, nodes_x)


def _nodes(length: int, scale: float) -> np.ndarray:
    count = max(round(length / scale), 1)
    return (np.arange(count) + 0.5) * length / count - 0.5


def _tents(positions: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Weights (nodes, positions): 1 within half a spacing of a node."""
    spacing = nodes[1] - nodes[0] if len(nodes) > 1 else np.inf
    return (np.abs(positions[None] - nodes[:, None]) <= spacing / 2).astype(float)


def _filled(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Unknown nodes become the mean of their neighbours, until all agree."""
    if known.all():
        return values
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve

    number = np.full(values.shape, -1)
    number[~known] = np.arange(np.count_nonzero(~known))
    rows, columns, entries = [], [], []
    right = np.zeros(np.count_nonzero(~known))
    for axis in (0, 1):
        here, there = np.moveaxis(number, axis, 0)[:-1], np.moveaxis(number, axis, 0)[1:]
        value_here, value_there = np.moveaxis(values, axis, 0)[:-1], np.moveaxis(values, axis, 0)[1:]
        for a, b, value in ((here, there, value_there), (there, here, value_here)):
            own = a >= 0
            rows.append(a[own])
            columns.append(a[own])
            entries.append(np.ones(np.count_nonzero(own)))
            inner = own & (b >= 0)
            rows.append(a[inner])
            columns.append(b[inner])
            entries.append(-np.ones(np.count_nonzero(inner)))
            outer = own & (b < 0)
            np.add.at(right, a[outer], value[outer])
    matrix = coo_matrix((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns)))).tocsc()
    filled = values.copy()
    filled[~known] = spsolve(matrix, right)
    return filled


def _spline(nodes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Matrix (positions, nodes): natural cubic spline through the nodes; straight beyond the ends."""
    from scipy.interpolate import CubicSpline

    if len(nodes) == 1:
        return np.ones((len(positions), 1))
    positions = np.asarray(positions, dtype=np.float64)
    spline = CubicSpline(nodes, np.eye(len(nodes)), bc_type="natural")
    inside = spline(np.clip(positions, nodes[0], nodes[-1]))
    below = np.minimum(positions - nodes[0], 0.0)[:, None] * spline(nodes[0], 1)
    above = np.maximum(positions - nodes[-1], 0.0)[:, None] * spline(nodes[-1], 1)
    return inside + below + above


def of_two_grids(shape: tuple[int, int], fine: Grid, broad: Grid, fitted: Callable[[Cells, Cells], Surface]) -> Sight:
    """A model made of the cells of two grids of a plane; none where either saw no sky."""

    def fit(cells: np.ndarray, few: np.ndarray) -> Surface | None:
        if not (np.isfinite(cells).any() and np.isfinite(few).any()):
            return None
        return fitted(Cells.on(fine, cells, shape), Cells.on(broad, few, shape))

    return Sight((fine, broad), fit)
