"""Light in apertures against rendered stars."""

import numpy as np

from firstlight.pipeline.aperture import star_light
from firstlight.simulate.scene import render_stars

SHAPE = (300, 400)
X, Y = (axis.ravel().astype(float) for axis in np.meshgrid(np.arange(30, 380, 40), np.arange(30, 280, 40)))
FLUX = np.geomspace(3e4, 3e5, len(X))


def plane(beta=None, fwhm=3.0, seed=1):
    jitter = np.random.default_rng(5).uniform(-0.5, 0.5, (2, len(X)))
    stars = render_stars(SHAPE, X + jitter[0], Y + jitter[1], FLUX, fwhm, beta=beta)
    return (stars + 200 + np.random.default_rng(seed).normal(0, 3, SHAPE)).astype(np.float32)


def test_light_is_that_of_the_stars_above_the_sky():
    light = star_light(plane(), np.ones(SHAPE, bool), np.column_stack([X, Y]), 8.0)
    np.testing.assert_allclose(light, FLUX, rtol=0.01)


def test_what_is_cut_off_or_bad_is_not_measured():
    good = np.ones(SHAPE, bool)
    good[30, 32] = False
    light = star_light(plane(), good, np.array([[30.0, 30.0], [70.0, 30.0], [10.0, 150.0]]), 8.0)
    assert np.isnan(light).tolist() == [True, False, True]
