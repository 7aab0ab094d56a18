"""An index of quads of stars, to find out where an image of unknown place and scale lies on the sky."""

from __future__ import annotations

import numpy as np

from firstlight.kernels import quads, sky_grid
from firstlight.model.catalog import Catalog, unit_vectors
from firstlight.model.quad_index import Level, QuadIndex

STEP = 2**0.5
"""Ratio of the sizes of neighbouring levels."""
PER_CELL = 8
"""Brightest stars of a cell, which is as wide as a level's shortest quads, that a level knows."""
QUADS_PER_CELL = 6
LARGEST = 16.0
"""Degrees; the longest side of the largest quads is that of STEP more."""


def smallest_level(catalog: Catalog, area: float) -> float:
    """Degrees: shortest quads worth an index of a catalogue with so many stars on so many square degrees.

    >>> one = np.zeros(480_000)
    >>> round(smallest_level(Catalog(one, one), 41253.0), 2)
    0.29
    """
    return float(np.sqrt(area / max(len(catalog), 1)))


def build_index(catalog: Catalog, smallest: float, largest: float = LARGEST) -> QuadIndex:
    """Quads of the stars of a catalogue, of the whole sky or of a part.

    Sizes go from ``smallest`` to ``largest`` degrees in steps of 1.41. At each size the sky is divided into cells of
    that size; the eight brightest stars of each make its quads, those of bright stars first (Lang et al. 2010).
    """
    vectors, mags = unit_vectors(catalog.ra, catalog.dec), np.nan_to_num(catalog.mag, nan=99.0)
    declinations = np.radians(catalog.dec)
    levels = []
    size = np.radians(smallest)
    while size <= np.radians(largest) * (1 + 1e-9) and len(catalog) >= 4:
        lowest, highest = declinations.min() - 1e-9, declinations.max() + 1e-9
        if highest - lowest > np.pi / 2:
            lowest, highest = -np.pi / 2, np.pi / 2
        level, kept = _level(vectors, mags, size, lowest, highest)
        levels.append(level)
        # What was not among the brightest of a cell is hardly among those of a larger one.
        vectors, mags = vectors[kept], mags[kept]
        size *= STEP
    return QuadIndex(tuple(level for level in levels if len(level.codes)), catalog.source)


def _level(
    vectors: np.ndarray, mags: np.ndarray, size: float, lowest: float, highest: float
) -> tuple[Level, np.ndarray]:
    """The level, and which of the stars it kept."""
    lowest, columns, first = sky_grid.bands(size, lowest, highest)
    cells = np.empty(len(vectors), np.int64)
    sky_grid.cells_of(vectors, lowest, size, columns, first, cells)
    order = np.lexsort((mags, cells))
    cells = cells[order]
    start = np.searchsorted(cells, np.arange(first[-1] + 1))
    place = np.arange(len(order)) - start[cells]
    kept = order[place < PER_CELL]
    counts = np.minimum(np.diff(start), PER_CELL)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    stars, brightness = np.ascontiguousarray(vectors[kept]), np.ascontiguousarray(mags[kept])
    # A quad lies in the cell of its middle: empty cells beside full ones have some too.
    room = QUADS_PER_CELL * min(int(first[-1]), 9 * int(np.count_nonzero(counts)))
    codes, members = np.empty((room, 4), np.uint16), np.empty((room, 4), np.int32)
    n = quads.quads_of_sky(stars, brightness, start, lowest, size, columns, first, size, QUADS_PER_CELL, codes, members)
    bins = np.empty(n, np.int32)
    quads.bins_of(codes[:n], bins)
    order = np.argsort(bins.astype(np.int64) << 16 | codes[:n, 2], kind="stable")
    edges = np.searchsorted(bins[order], np.arange(quads.BINS**2 + 1)).astype(np.int32)
    stars = stars.astype(np.float32)
    return Level(size, lowest, columns, first, stars, start, codes[order], members[order], edges), kept
