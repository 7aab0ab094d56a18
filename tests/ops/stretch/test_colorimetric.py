"""Brighter with the hue kept."""

import colorsys

import numpy as np
import pytest

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.stretch.colorimetric import Colorimetric, colorimetric, faded

COLOURS = np.random.default_rng(1).uniform(0, 1, (3, 20, 20)).astype(np.float32)


def test_the_hue_of_what_exceeds_white_stays():
    light = COLOURS * 40
    out = faded(light, 0.25)
    assert out.max() == pytest.approx(1)
    for before, after in zip(light.reshape(3, -1).T, out.reshape(3, -1).T):
        if before.max() > 1:
            assert colorsys.rgb_to_hsv(*after)[0] == pytest.approx(
                colorsys.rgb_to_hsv(*(before / before.max()))[0], abs=1e-4
            )


def test_the_saturation_left_is_that_of_the_formula():
    light = np.array([8.0, 2.0, 0.0], np.float32)[:, None, None]
    grey = 1 - faded(light, 0.25).ravel()
    # log2(8) + 1 = 4.
    np.testing.assert_allclose(grey, (1 - np.array([1, 0.25, 0])) * 4**-0.25, rtol=1e-6)


def test_what_is_below_white_is_only_multiplied():
    image = Image(COLOURS, unit=PixelUnit.NORMALISED)
    out = colorimetric(image, Colorimetric(bright=0.9, coding="linear"))
    np.testing.assert_allclose(out.data, COLOURS * 0.9, rtol=1e-6)


def test_brighter_light_is_never_darker():
    steps = np.linspace(0.01, 30, 400, dtype=np.float32) * np.array([1, 0.5, 0.2], np.float32)[:, None]
    shown = faded(steps[:, None], 0.25)[:, 0]
    assert np.all(np.diff(shown, axis=1) >= -1e-6)
