"""The sky between bright things, at the same places in all channels."""

import numpy as np
import pytest

from firstlight import step
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.color.background import backgrounds

LEVELS = np.array([150.0, 142.0, 140.0])


def nebula():
    """A red cloud over 60 % of the field: sky in its corners."""
    y, x = np.mgrid[:900, :1200]
    cloud = np.exp(-(((x - 600) / 430) ** 8) - ((y - 450) / 380) ** 8)
    noise = np.random.default_rng(3).normal(0, [[[9]], [[6]], [[7]]], (3, 900, 1200))
    return Image(LEVELS[:, None, None] + np.array([60.0, 20.0, 25.0])[:, None, None] * cloud + noise), cloud


def test_a_cloud_that_fills_most_of_the_field_is_not_taken_for_sky():
    image, _ = nebula()
    for (level, noise), truth, sigma in zip(backgrounds(image), LEVELS, (9, 6, 7)):
        assert level == pytest.approx(truth, abs=1.5)
        assert noise == pytest.approx(sigma, rel=0.05)


def test_the_sky_beside_a_red_cloud_is_grey():
    """Measured in each channel by itself it was 24 adu too green."""
    image, cloud = nebula()
    grey = step("color:neutralize")(image).data
    assert np.ptp(np.median(grey[:, cloud < 0.01], axis=1)) < 1.0


def test_an_even_sky_is_measured_on_all_of_it():
    rng = np.random.default_rng(5)
    image = Image(rng.normal(300, 10, (1, 1000, 1000)))
    [(level, noise)] = backgrounds(image, [0])
    assert level == pytest.approx(300, abs=0.06)
    assert noise == pytest.approx(10, rel=0.01)


def test_few_squares_masks_and_flags():
    rng = np.random.default_rng(5)
    data = rng.normal(300, 10, (3, 60, 70))
    flags = np.zeros(data.shape, np.uint16)
    data[:, :, :30], flags[:, :, :30] = 5000, Flag.SATURATED
    data[:, :20] += 400
    mask = Image((np.arange(60) < 20).astype(float)[None, :, None] * np.ones((1, 60, 70)))
    for level, _ in backgrounds(Image(data, flags), mask=mask):
        assert level == pytest.approx(300, abs=1)
    assert backgrounds(Image(data, flags | Flag.NO_DATA)) == [(0.0, 0.0)] * 3
