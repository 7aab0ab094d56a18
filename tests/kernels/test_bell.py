"""Gaussians in pixels against the error function."""

import numpy as np
import pytest
from scipy.special import ndtr

from firstlight.kernels.bell import law_in_pixels


def law(n, centre, sigma):
    edges = (np.arange(n + 1) - 0.5 - centre) / sigma
    return np.diff(ndtr(edges))


@pytest.mark.parametrize(("centre", "sigma"), [(9.3, 1.2), (9.0, 4.0), (0.2, 0.9), (-3.0, 2.0), (9.4, 0.05)])
def test_shares_and_derivatives(centre, sigma):
    n, step = 19, 1e-5
    value, slope, stretch = (np.empty(n) for _ in range(3))
    law_in_pixels(0, n, centre, sigma, value, slope, stretch)
    np.testing.assert_allclose(value, law(n, centre, sigma), atol=4e-7)
    by_centre = (law(n, centre + step, sigma) - law(n, centre - step, sigma)) / (2 * step)
    np.testing.assert_allclose(slope, by_centre, atol=1e-6)
    by_width = (law(n, centre, sigma * (1 + step)) - law(n, centre, sigma * (1 - step))) / (2 * step)
    np.testing.assert_allclose(stretch, by_width, atol=1e-6)
