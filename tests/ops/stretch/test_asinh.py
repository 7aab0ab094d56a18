"""Asinh stretch: monotone, invertible, keeps colours."""

import numpy as np
import pytest

from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.stretch.asinh import Asinh, asinh, curve, inverse


@pytest.mark.parametrize(
    "p", [Asinh(beta=b, black=k) for b in (0.01, 1.0, 80.0, 1e5) for k in (-0.1, 0.0, 0.2)], ids=str
)
def test_monotone_and_invertible(p):
    x = np.linspace(max(p.black, 0.0), 1.0, 2001)
    y = curve(x, p)
    assert np.all(np.diff(y) > 0)
    np.testing.assert_allclose(inverse(y, p), x, atol=1e-6)


def test_a_grey_image_follows_the_curve():
    x = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    p = Asinh(beta=50, black=0.1)
    for channels in (1, 3):
        y = asinh(Image(np.stack([x] * channels), unit=PixelUnit.NORMALISED), p).data
        np.testing.assert_allclose(y, np.stack([curve(x, p)] * channels), atol=2e-6)


def test_ratios_of_colours_stay():
    x = np.array([0.02, 0.01, 0.005])[:, None, None] * np.linspace(0.1, 1, 16).reshape(4, 4)
    y = asinh(Image(x, unit=PixelUnit.NORMALISED), Asinh(beta=30)).data
    assert y.max() < 1
    np.testing.assert_allclose(y[0] / y[1], 2.0, rtol=1e-5)
    np.testing.assert_allclose(y[2] / y[1], 0.5, rtol=1e-5)


def test_flags_of_one_colour_reach_the_others():
    flags = np.zeros((3, 2, 2), np.uint16)
    flags[0, 1, 1] = Flag.SATURATED
    image = Image(np.full((3, 2, 2), 0.5), flags, unit=PixelUnit.NORMALISED)
    assert asinh(image, Asinh()).flags[:, 1, 1].tolist() == [Flag.SATURATED] * 3


@pytest.mark.parametrize("level", [1e-6, 1e-4, 0.01, 0.3])
def test_variance_through_the_shared_luminance(level):
    """Scatter of many noisy pixels with different noise in each colour."""
    rng = np.random.default_rng(2)
    sigma = level * np.array([0.02, 0.03, 0.01])[:, None, None]
    truth = level * np.array([1.0, 0.7, 1.3])[:, None, None]
    noisy = truth + sigma * rng.standard_normal((3, 200, 200))
    image = Image(noisy, variance=np.broadcast_to(sigma**2, noisy.shape), unit=PixelUnit.NORMALISED)
    y = asinh(image, Asinh(beta=200))
    np.testing.assert_allclose(y.data.var(axis=(1, 2)), y.variance.mean(axis=(1, 2)), rtol=0.03)
