"""Lines without the light of stars."""

import numpy as np
import pytest

from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.color.continuum import Continuum, continuum_factor, subtract_continuum


def scene(k=0.08, noise=0.4):
    y, x = np.mgrid[:200, :240]
    stars = np.zeros((200, 240))
    rng = np.random.default_rng(7)
    for _ in range(40):
        cx, cy, flux = rng.uniform(10, 230), rng.uniform(10, 190), rng.uniform(200, 900)
        stars += flux * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.7**2))
    cloud = 30 * np.exp(-((x - 120) ** 2 + (y - 100) ** 2) / (2 * 50.0**2))
    broad = 100 + stars + 0.2 * cloud + rng.normal(0, noise, stars.shape)
    narrow = 10 + k * stars + cloud + rng.normal(0, noise, stars.shape)
    return (
        Image(narrow, variance=np.full((1, 200, 240), noise**2)),
        Image(broad, variance=np.full((1, 200, 240), noise**2)),
        cloud,
    )


@pytest.mark.parametrize("k", [0.03, 0.08, 0.5])
def test_the_factor_is_that_of_the_stars(k):
    narrow, broad, _ = scene(k)
    assert continuum_factor(narrow, broad) == pytest.approx(k, rel=0.03)


def test_the_line_is_left_and_its_background():
    narrow, broad, cloud = scene()
    out = subtract_continuum(narrow, Continuum(), broad)
    heart = cloud > 25
    assert np.median(out.data[0][heart]) == pytest.approx(10 + np.median(cloud[heart]), rel=0.05)
    k = continuum_factor(narrow, broad)
    np.testing.assert_allclose(out.variance, 0.16 * (1 + k**2), rtol=1e-4)


def test_gaps_in_one_do_not_steer_and_are_passed_on():
    narrow, broad, _ = scene()
    data, flags = broad.data.copy(), broad.flags.copy()
    data[:, :40], flags[:, :40] = 0, Flag.NO_DATA
    gappy = broad.replace(data=data, flags=flags)
    assert continuum_factor(narrow, gappy) == pytest.approx(0.08, rel=0.05)
    assert (subtract_continuum(narrow, Continuum(), gappy).flags[:, :40] == Flag.NO_DATA).all()
