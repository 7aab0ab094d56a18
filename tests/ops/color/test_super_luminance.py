"""One luminance of all light."""

import numpy as np
import pytest

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.color.super_luminance import SuperLuminance, super_luminance

RNG = np.random.default_rng(3)
RGB = RNG.uniform(0.05, 0.6, (3, 20, 20)).astype(np.float32)
LUM = RNG.uniform(0.05, 0.6, (1, 20, 20)).astype(np.float32)
MODES = ("weighted", "screen", "difference", "absolute")


def image(data, variance=None):
    return Image(data, variance=variance, unit=PixelUnit.NORMALISED)


@pytest.mark.parametrize("mode", MODES)
def test_twice_the_colours_give_the_same(mode):
    """The earlier program's screen took the synthetic luminance without its scale."""
    once = super_luminance(image(RGB), SuperLuminance(mode=mode), image(LUM)).data
    twice = super_luminance(image(RGB * 2), SuperLuminance(mode=mode), image(LUM)).data
    np.testing.assert_allclose(twice, once, atol=1e-6)


def test_the_formulas():
    s = RGB.mean(axis=0) * LUM.mean() / RGB.mean()
    out = {m: super_luminance(image(RGB), SuperLuminance(mode=m, lum_weight=3), image(LUM)).data[0] for m in MODES}
    np.testing.assert_allclose(out["weighted"], (3 * LUM[0] + s) / 4, rtol=1e-5)
    np.testing.assert_allclose(out["screen"], 1 - (1 - LUM[0]) * (1 - s), rtol=1e-5)
    np.testing.assert_allclose(out["difference"], LUM[0] - s + 0.25, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out["absolute"], np.abs(LUM[0] - s), atol=1e-6)


def test_equal_inputs_stay_as_they_are():
    out = super_luminance(image(np.repeat(LUM, 3, axis=0)), SuperLuminance(), image(LUM))
    np.testing.assert_allclose(out.data, LUM, rtol=1e-6)


def test_weights_by_noise_give_the_least():
    colours, lum = image(RGB, np.full(RGB.shape, 3e-4)), image(LUM, np.full(LUM.shape, 5e-5))
    best = super_luminance(colours, SuperLuminance(mode="noise"), lum).variance.mean()
    for weight in (0.2, 0.5, 1.0, 2.0):
        assert best <= super_luminance(colours, SuperLuminance(weight=weight), lum).variance.mean() * 1.0001
    assert best < 5e-5
