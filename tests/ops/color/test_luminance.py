"""Brightness from one image, colour from another: against scikit-image, and what must not change."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.color.lightness import LUMINANCE, lstar, value
from firstlight.ops.color.luminance import Luminance, set_luminance
from firstlight.ops.stretch import srgb

RNG = np.random.default_rng(1)
RGB = RNG.uniform(0.05, 0.9, (3, 24, 30)).astype(np.float32)
LUM = RNG.uniform(0.05, 0.9, (1, 24, 30)).astype(np.float32)
KINDS = [(s, m) for s in ("cie", "hsv", "linear") for m in ("replace", "weighted", "geometric")]


def linear(data):
    return Image(data, unit=PixelUnit.NORMALISED)


@pytest.mark.parametrize(("space", "mix"), KINDS)
@pytest.mark.parametrize("state", list(State))
def test_equal_inputs_stay_as_they_are(space, mix, state):
    grey = np.repeat(LUM, 3, axis=0)
    image, lum = linear(grey).replace(state=state), linear(LUM).replace(state=state)
    for weights in ((1.0, 1.0), (3.0, 0.5)):
        p = Luminance(space=space, mix=mix, luminance_weight=weights[0], color_weight=weights[1], fit=True)
        np.testing.assert_allclose(set_luminance(image, p, lum).data, grey, atol=2e-6)


def test_lightness_is_that_of_the_luminance_and_colour_that_of_the_image():
    from skimage.color import rgb2lab

    out = set_luminance(linear(RGB), Luminance(), linear(LUM)).data
    before, after = (rgb2lab(srgb.curve(np.clip(a, 0, 1).astype(float)).transpose(1, 2, 0)) for a in (RGB, out))
    inside = ((out > 0) & (out < 1)).all(axis=0)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(after[inside][:, 0], lstar(LUM[0].astype(float))[inside], atol=0.05)
    np.testing.assert_allclose(after[inside][:, 1:], before[inside][:, 1:], atol=0.05)


def test_value_is_that_of_the_luminance_and_hue_that_of_the_image():
    from skimage.color import rgb2hsv

    out = set_luminance(linear(RGB), Luminance(space="hsv"), linear(LUM)).data
    before, after = (rgb2hsv(srgb.curve(a.astype(float)).transpose(1, 2, 0)) for a in (RGB, out))
    np.testing.assert_allclose(after[..., 2], srgb.curve(LUM[0].astype(float)), atol=1e-5)
    np.testing.assert_allclose(after[..., :2], before[..., :2], atol=1e-4)


def test_linear_luminance_keeps_the_ratios():
    out = set_luminance(linear(RGB), Luminance(space="linear"), linear(LUM)).data
    np.testing.assert_allclose(out[0] / out[2], RGB[0] / RGB[2], rtol=1e-5)
    np.testing.assert_allclose(np.tensordot(LUMINANCE, out, axes=1), LUM[0], rtol=1e-5)


def test_the_geometric_mean_is_that_of_the_formula():
    out = set_luminance(linear(RGB), Luminance(mix="geometric"), linear(LUM)).data
    target = np.sqrt(lstar(LUM[0].astype(float)) * lstar(RGB[2].astype(float)))
    np.testing.assert_allclose(lstar(np.tensordot(LUMINANCE, out.astype(float), axes=1)), target, atol=1e-3)
    out = set_luminance(linear(RGB), Luminance(space="hsv", mix="geometric", partner="colours"), linear(LUM)).data
    target = np.sqrt(srgb.curve(LUM[0]) * value(srgb.curve(RGB)))
    np.testing.assert_allclose(value(srgb.curve(out)), target, atol=1e-5)


def test_the_weighted_mean_is_that_of_the_formula():
    p = Luminance(space="linear", mix="weighted", luminance_weight=2, color_weight=1)
    out = set_luminance(linear(RGB), p, linear(LUM)).data
    mean = RGB.mean(axis=0)
    wanted = (2 * LUM[0] + mean * LUM.mean() / mean.mean()) / 3
    np.testing.assert_allclose(np.tensordot(LUMINANCE, out, axes=1), wanted, rtol=1e-4)


def test_the_fit_scales_to_the_mean_of_the_colours():
    p = Luminance(space="linear", fit=True)
    once = set_luminance(linear(RGB), p, linear(LUM)).data
    np.testing.assert_allclose(set_luminance(linear(RGB), p, linear(LUM * 0.3)).data, once, rtol=1e-4)


def test_numbers_of_a_camera_are_taken_over_the_white_level():
    small = set_luminance(linear(RGB), Luminance(), linear(LUM)).data
    meta = Image([[0.0]]).meta.replace(saturation=40000.0)
    large = set_luminance(Image(RGB * 40000, meta=meta), Luminance(), Image(LUM * 40000, meta=meta)).data
    np.testing.assert_allclose(large / 40000, small, atol=1e-5)


def test_flags_of_either_and_sizes():
    flags = np.zeros((1, 24, 30), np.uint16)
    flags[0, 3, 4] = Flag.SATURATED
    out = set_luminance(linear(RGB), Luminance(), linear(LUM).replace(flags=flags))
    assert (out.flags[:, 3, 4] == Flag.SATURATED).all()
    assert (out.flags != 0).sum() == 3
    with pytest.raises(InputError, match="30 x 24 px, the luminance 29 x 24"):
        set_luminance(linear(RGB), Luminance(), linear(LUM[:, :, :-1]))
