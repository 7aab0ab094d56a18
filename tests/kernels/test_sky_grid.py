"""Cells of the sky: every direction in one cell, the nearest star found as by looking at all."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from firstlight.kernels.sky_grid import bands, cells_of, nearest


@njit
def nearest_of(directions, reach, vectors, start, lowest, size, columns, first, out):
    for i in range(len(directions)):
        out[i], _, _ = nearest(directions[i], reach, vectors, start, lowest, size, columns, first)


@pytest.mark.parametrize(("size", "reach"), [(0.05, 0.0125), (0.1, 0.02), (0.3, 0.06), (1.2, 0.3)])
def test_the_nearest_star_is_that_of_all(size, reach):
    rng = np.random.default_rng(1)
    stars, asked = (rng.normal(size=(n, 3)) for n in (4000, 3000))
    # Some at the poles and at the seam of right ascension.
    asked[:200] = [0, 0, 1] + 0.05 * asked[:200]
    asked[200:400] = [0, 0, -1] + 0.05 * asked[200:400]
    asked[400:600] = [1, 0, 0] + 0.05 * asked[400:600]
    stars, asked = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (stars, asked))
    lowest, columns, first = bands(size, -np.pi / 2, np.pi / 2)
    cells = np.empty(len(stars), np.int64)
    cells_of(stars, lowest, size, columns, first, cells)
    order = np.argsort(cells, kind="stable")
    stars, cells = np.ascontiguousarray(stars[order]), cells[order]
    start = np.searchsorted(cells, np.arange(first[-1] + 1))
    found = np.empty(len(asked), np.int64)
    nearest_of(asked, reach, stars, start, lowest, size, columns, first, found)
    distance = np.linalg.norm(asked[:, None] - stars[None], axis=2)
    best = distance.argmin(axis=1)
    expected = np.where(distance.min(axis=1) < reach, best, -1)
    assert (found == expected).all()
    assert (expected >= 0).sum() > 50
