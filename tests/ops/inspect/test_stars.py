"""Finding stars: parts that whole frames do not show."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from firstlight.ops.inspect.stars import _near_an_earlier, find_stars


@pytest.mark.parametrize("n", [0, 1, 2, 40, 2500])
def test_close_pairs_as_a_tree_finds_them(n):
    x, y = np.random.default_rng(n).uniform(0, 300, (2, n))
    expected = np.zeros(n, bool)
    if n:
        expected[cKDTree(np.c_[x, y]).query_pairs(2.5, output_type="ndarray").max(axis=1)] = True
    np.testing.assert_array_equal(_near_an_earlier(x, y, 2.5), expected)


@pytest.mark.parametrize(("fwhm", "snr", "eccentricity", "within"),
                         [(3.0, 40, 0.5, 0.06), (3.0, 15, 0.6, 0.1), (2.0, 15, 0.6, 0.1), (4.5, 40, 0.42, 0.08),
                          (3.0, 40, 0.8, 0.03), (3.0, 150, 0.2, 0.08), (3.0, 40, 0.0, 0.25)])  # fmt: skip
def test_eccentricity_of_a_frame_of_faint_stars(fwhm, snr, eccentricity, within):
    """Noise lengthens round stars; taken off star by star, it left 0 of most that are long."""
    rng = np.random.default_rng(4)
    shrink = (1 - eccentricity**2) ** 0.25
    long, short = fwhm / 2.3548 / shrink, fwhm / 2.3548 * shrink
    plane = rng.normal(500, 10, (500, 500))
    dy, dx = np.mgrid[-12:13, -12:13]
    sub = (np.arange(5) - 2) / 5
    for y, x in np.mgrid[25:475:38, 25:475:38].reshape(2, -1).T + rng.uniform(-5, 5, (144, 2)):
        row, column = round(y), round(x)
        v, u = (
            along[..., None, None] + shift - rest
            for along, shift, rest in ((dy, sub[:, None], y - row), (dx, sub[None, :], x - column))
        )
        law = np.exp(-0.5 * (((0.8 * u + 0.6 * v) / long) ** 2 + ((0.8 * v - 0.6 * u) / short) ** 2))
        flux = snr * 10 * np.sqrt(4 * np.pi) * fwhm / 2.3548
        plane[row - 12 : row + 13, column - 12 : column + 13] += (
            flux * law.mean(axis=(2, 3)) / (2 * np.pi * long * short)
        )
    _, quality = find_stars(plane.astype(np.float32))
    assert abs(quality.eccentricity - eccentricity) < within
