"""Local normalisation: what the sky of each frame must be raised by, from place to place, to be that of the reference.

Every light leaves, when it is measured, the means of its cells of some 16 px: all its pixels, at a 256th of the size.
Those of a frame, moved onto those of the reference and brought to their scale, differ by the sky alone: stars and
nebula are in both, so nothing needs to be masked and no nebula is taken for sky. A robust level of the difference in
each tile, cubic between the tiles, is the surface. It is added: the fluxes of stars, which one factor for the whole
frame has settled, stay as they are. The reference gives its gradient, not the noise of its tiles: that is the frames'
mean.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.surface import cell_means
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import resample_tile
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.stack.normalize import difference_surface

SPACING = 32
"""px between the nodes of the lattice that is added to resampled pixels, bilinear between them: of a surface with tiles
of 128 px it is right to 1 % of the bend of a tile."""
MOST_CELLS = 65_536
"""Cells of a frame, all channels: at most 256 kB stay in memory for each light."""
SMALLEST_CELL = 8


def cell_side(shape: tuple[int, int], channels: int) -> int:
    """Side of the cells of a frame (height, width), px.

    >>> cell_side((1200, 1600), 1), cell_side((2822, 4144), 1), cell_side((2822, 4144), 3), cell_side((6388, 9576), 1)
    (8, 16, 32, 32)
    """
    side = SMALLEST_CELL
    while channels * (shape[0] // side) * (shape[1] // side) > MOST_CELLS:
        side *= 2
    return side


def measure_cells(planes: np.ndarray, cfa: str | None) -> np.ndarray:
    """Mean of the pixels of each cell and colour of a calibrated frame: float32 (channels, ny, nx).

    ``planes`` is (channels, y, x), or (1, y, x) with the colours of its CFA cell.
    """
    _, height, width = planes.shape
    side = cell_side((height, width), 3 if cfa else len(planes))
    size = (height // side, width // side)
    if not cfa:
        cells = np.empty((len(planes), *size), np.float32)
        for plane, out in zip(planes, cells):
            cell_means(plane, side, 0, 0, 1, out)
        return cells
    cells = np.zeros((3, *size), np.float32)
    pattern = pattern_of(cfa)
    part = np.empty(size, np.float32)
    for j, i in np.ndindex(2, 2):
        cell_means(planes[0], side, j, i, 2, part)
        cells[pattern[j, i]] += part / np.float32((pattern == pattern[j, i]).sum())
    return cells


def sky_difference(
    cells: np.ndarray, reference: np.ndarray, to_reference: Transform, side: int, factor: float, summand: float
) -> np.ndarray:
    """Cells of the reference minus those of a frame moved and normalised: float32 (ny, nx), NaN where it sees nothing.

    ``cells`` and ``reference`` are (ny, nx); ``to_reference`` takes pixel positions of the frame to the reference.
    """
    moved = np.empty_like(reference)
    forward = _pixels_of_cells(side).then(to_reference).then(_pixels_of_cells(side).inverse)
    resample_tile(cells, 0, cells.shape, forward, moved, 0, 0, kernel="bilinear")
    return (reference - (np.float32(factor) * moved + np.float32(summand))).astype(np.float32)


def seen_share(difference: np.ndarray) -> float:
    """Share of the reference's cells that a frame sees."""
    return float(np.isfinite(difference).mean())


def noise_of_reference(lattices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What all frames say that the sky of the reference has too much of, without its gradient: (nodes down, across).

    The level of a tile of one frame is noisier than that of the stack by the root of their number; held to it, large
    faint things would be no better seen than in one frame. Of the mean difference of the frames (n, nodes down, nodes
    across) from the reference, all that no quadratic surface follows is taken for such noise.
    """
    mean = np.average(lattices.astype(np.float64), axis=0, weights=weights)
    y, x = (np.linspace(-1, 1, n) for n in mean.shape)
    y, x = (each.ravel() for each in np.meshgrid(y, x, indexing="ij"))
    terms = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    fit, *_ = np.linalg.lstsq(terms, mean.ravel(), rcond=None)
    return (mean - (terms @ fit).reshape(mean.shape)).astype(np.float32)


def lattice_for(
    difference: np.ndarray, tile: int, side: int, grid_to_reference: Transform, size: tuple[int, int]
) -> np.ndarray:
    """The surface through a difference of cells, on the lattice of a stack: float32 (nodes down, nodes across).

    ``tile`` is in px of the reference; ``size`` (height, width) of the stack, whose positions ``grid_to_reference``
    takes to the reference. Beyond the reference the surface goes on as it is at the edge.
    """
    from scipy.ndimage import map_coordinates

    # As fine as the lattice: finer would cost more than all else here.
    fine = tuple(max(1, n * side // SPACING) for n in difference.shape)
    surface = difference_surface(difference, max(4, round(tile / side))).at(fine)
    nodes = [np.arange(-(-(n - 1) // SPACING) + 1 + (n == 1)) * SPACING for n in size]
    y, x = np.meshgrid(*nodes, indexing="ij")
    places = grid_to_reference.then(_pixels_of_cells(side).inverse)(np.column_stack([x.ravel(), y.ravel()]))[:, ::-1]
    places = (places + 0.5) * np.array(fine) / np.array(difference.shape) - 0.5
    return map_coordinates(surface, places.T, order=1, mode="nearest").reshape(y.shape).astype(np.float32)


def _pixels_of_cells(side: int) -> Transform:
    """Positions in units of cells to those of pixels."""
    middle = (side - 1) / 2
    return Transform(np.array([[side, 0.0, middle], [0.0, side, middle], [0.0, 0.0, 1.0]]))
