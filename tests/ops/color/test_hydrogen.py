"""Hydrogen in red."""

import numpy as np
import pytest

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.color.hydrogen import Hydrogen, add_hydrogen

RNG = np.random.default_rng(5)
RGB = RNG.uniform(0.05, 0.6, (3, 64, 64)).astype(np.float32)
HA = RNG.uniform(0.05, 0.6, (1, 64, 64)).astype(np.float32)


def image(data):
    return Image(data, unit=PixelUnit.NORMALISED)


@pytest.mark.parametrize("fit", ["none", "mean", "local"])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (5.0, 0.5)])
def test_equal_inputs_stay_as_they_are(fit, weights):
    """Each weight counts over the sum of both, which the earlier program forgot."""
    p = Hydrogen(fit=fit, hydrogen_weight=weights[0], red_weight=weights[1])
    out = add_hydrogen(image(RGB), p, image(RGB[:1]))
    np.testing.assert_allclose(out.data, RGB, atol=1e-5)


def test_the_formula():
    out = add_hydrogen(image(RGB), Hydrogen(scale=1.5, hydrogen_weight=3), image(HA)).data
    fitted = 1.5 * HA[0] * RGB[0].mean() / HA.mean()
    np.testing.assert_allclose(out[0], (3 * fitted + RGB[0]) / 4, rtol=1e-5)
    np.testing.assert_array_equal(out[1:], RGB[1:])
    screen = add_hydrogen(image(RGB), Hydrogen(how="screen", fit="none"), image(HA)).data[0]
    np.testing.assert_allclose(screen, 1 - (1 - HA[0]) * (1 - RGB[0]), rtol=1e-5)


def test_the_local_fit_follows_the_ratio():
    red = (1 + np.tile(np.arange(200) / 200, (200, 1))).astype(np.float32)
    out = add_hydrogen(image(np.stack([red, red, red])), Hydrogen(fit="local", smooth=8), image(np.ones((1, 200, 200))))
    np.testing.assert_allclose(out.data[0, 30:-30, 30:-30], red[30:-30, 30:-30], rtol=0.01)


def test_the_line_alone_leaves_stars_as_they_are():
    y, x = np.mgrid[:160, :200]
    stars = np.zeros((160, 200))
    for k in range(20):
        cx, cy = 15 + 9 * k % 170, 15 + 31 * k % 130
        stars += 400 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.8**2))
    cloud = 80 * np.exp(-((x - 100) ** 2 + (y - 80) ** 2) / (2 * 40.0**2))
    noise = np.random.default_rng(1).normal(0, 0.5, (2, 160, 200))
    red, ha = 100 + stars + 0.3 * cloud + noise[0], 20 + 0.1 * stars + cloud + noise[1]
    image_ = Image(np.stack([red, 100 + stars, 100 + stars]))
    out = add_hydrogen(image_, Hydrogen(how="line", fit="none", blue=0.2), Image(ha)).data
    added = out[0] - red.astype(np.float32)
    far = np.hypot(x - 100, y - 80) > 85
    bright = far & (stars > 100)
    assert np.abs(added[bright]).mean() < 0.04 * stars[bright].mean()
    heart = np.hypot(x - 100, y - 80) < 10
    assert added[heart & (stars < 1)].mean() > 0.8 * cloud[heart].mean()
    np.testing.assert_allclose(out[2] - image_.data[2], 0.2 * added, atol=1e-3)
