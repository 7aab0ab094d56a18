"""Cells and lattices against plain arithmetic."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from firstlight.kernels.surface import add_lattice, cell_means


@pytest.mark.parametrize(("cell", "top", "left", "step"), [(8, 0, 0, 1), (16, 0, 0, 1), (8, 0, 1, 2), (16, 1, 1, 2)])
def test_cells_are_means_of_their_pixels(cell, top, left, step):
    plane = np.random.default_rng(1).normal(1000, 30, (90, 75)).astype(np.float32)
    out = np.empty((90 // cell, 75 // cell), np.float32)
    cell_means(plane, cell, top, left, step, out)
    for (j, i), value in np.ndenumerate(out):
        part = plane[j * cell : (j + 1) * cell, i * cell : (i + 1) * cell][top::step, left::step]
        assert value == pytest.approx(part.mean(dtype=np.float64), rel=1e-6)


def test_lattice_is_bilinear_and_no_cut_shows():
    rng = np.random.default_rng(2)
    lattice = rng.normal(0, 10, (5, 7)).astype(np.float32)
    size = (4 * 32 + 1, 6 * 32 + 1)
    whole = np.zeros(size, np.float32)
    add_lattice(lattice, 32, 0, 0, whole)
    yy, xx = np.mgrid[: size[0], : size[1]] / 32
    np.testing.assert_allclose(whole, map_coordinates(lattice, [yy, xx], order=1), atol=1e-5)
    for top, bottom, left, right in ((0, 1, 0, 193), (17, 60, 31, 33), (128, 129, 192, 193), (40, 97, 64, 150)):
        part = np.zeros((bottom - top, right - left), np.float32)
        add_lattice(lattice, 32, top, left, part)
        np.testing.assert_array_equal(part, whole[top:bottom, left:right])


def test_missing_pixels_stay_missing():
    plane = np.full((10, 20), np.nan, np.float32)
    plane[3, 4] = 1.0
    add_lattice(np.ones((2, 2), np.float32), 32, 0, 0, plane)
    assert plane[3, 4] == 2.0
    assert np.isnan(plane).sum() == 199
