"""Every pair of colour spaces makes a round trip, and the numbers are those of scikit-image."""

import numpy as np
import pytest
from skimage import color

from firstlight import step
from firstlight.errors import InputError
from firstlight.kernels.spaces import SPACES
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.spec import parse_step
from firstlight.ops.stretch.srgb import curve as srgb_curve

PIXELS = np.random.default_rng(8).uniform(0, 1, (3, 16, 20)).astype(np.float32)
WILD = np.random.default_rng(9).uniform(-0.3, 2.5, (3, 16, 20)).astype(np.float32)


def run(data, source, target):
    return step("color:convert", source=source, target=target)(Image(data, unit=PixelUnit.NORMALISED)).data


@pytest.mark.parametrize("target", SPACES[:6])
@pytest.mark.parametrize("source", SPACES[:6])
def test_every_pair_of_spaces_makes_a_round_trip(source, target):
    for data in (PIXELS, WILD):
        start = run(data, "rgb", source)
        back = run(run(start, source, target), target, source)
        np.testing.assert_allclose(run(back, source, "rgb"), data, atol=3e-5)


def test_numbers_of_scikit_image():
    coded = srgb_curve(PIXELS.astype(float)).transpose(1, 2, 0)
    lab = color.rgb2lab(coded).transpose(2, 0, 1)
    np.testing.assert_allclose(100 * run(PIXELS, "rgb", "lab"), lab, atol=0.02)
    lch = color.lab2lch(lab.transpose(1, 2, 0)).transpose(2, 0, 1)
    ours = run(PIXELS, "rgb", "lch")
    np.testing.assert_allclose(100 * ours[1], lch[1], atol=0.02)
    away = np.abs(ours[2] * 2 * np.pi - lch[2] % (2 * np.pi))
    assert np.minimum(away, 2 * np.pi - away).max() < 2e-3
    np.testing.assert_allclose(run(PIXELS, "rgb", "hsv").transpose(1, 2, 0), color.rgb2hsv(coded), atol=1e-5)
    np.testing.assert_allclose(run(PIXELS, "rgb", "xyz").transpose(1, 2, 0), color.rgb2xyz(coded), atol=1e-4)


def test_single_channels():
    y = np.tensordot([0.2126729, 0.7151522, 0.0721750], PIXELS, axes=1)
    np.testing.assert_allclose(run(PIXELS, "rgb", "luminance")[0], y, rtol=1e-5)
    np.testing.assert_allclose(run(PIXELS, "rgb", "value")[0], PIXELS.max(axis=0), rtol=1e-6)
    np.testing.assert_allclose(run(PIXELS, "rgb", "grey")[0], PIXELS.mean(axis=0), rtol=1e-5)
    lightness = run(PIXELS, "rgb", "lightness")
    np.testing.assert_allclose(lightness[0], run(PIXELS, "rgb", "lab")[0], atol=1e-6)
    for word, plane in (("lightness", lightness), ("luminance", y), ("grey", y), ("value", y)):
        back = run(plane, word, "rgb")
        assert np.ptp(back, axis=0).max() < 1e-5
        np.testing.assert_allclose(run(back, "rgb", word), np.reshape(plane, (1, 16, 20)), atol=1e-5)
    assert parse_step("color:convert:source=RGB,target=CIEL").params.target == "lightness"
    with pytest.raises(InputError, match="source=grey is one channel; the image has 3"):
        run(PIXELS, "grey", "rgb")
