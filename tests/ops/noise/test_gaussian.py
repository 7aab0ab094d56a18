"""Smoothing against scipy and astropy."""

import numpy as np
import pytest
from astropy.convolution import Gaussian2DKernel, convolve
from scipy.ndimage import gaussian_filter, generic_filter, median_filter

from firstlight import step
from firstlight.model.flags import Flag
from firstlight.model.image import Image

RNG = np.random.default_rng(3)


def test_gaussian_equals_scipy():
    data = RNG.normal(100, 10, (2, 40, 50))
    for sigma in (0.5, 1.0, 3.7):
        result = step("nr:gaussian", sigma=sigma)(Image(data)).data
        expected = [gaussian_filter(plane, sigma, mode="mirror", truncate=4.0) for plane in data.astype(np.float32)]
        np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_gaussian_leaves_out_missing_pixels_as_astropy_does():
    data = RNG.normal(100, 10, (40, 50)).astype(np.float32)
    data[10:13, 20:24] = np.nan
    result = step("nr:gaussian", sigma=2.0)(Image(data)).data[0]
    expected = convolve(data, Gaussian2DKernel(2.0, x_size=17, y_size=17), boundary="extend")
    inner = np.zeros(data.shape, bool)
    inner[8:-8, 8:-8] = True
    inner &= np.isfinite(data)
    np.testing.assert_allclose(result[inner], expected[inner], rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(data))


def test_median_equals_scipy_and_leaves_out_missing_pixels():
    data = RNG.normal(100, 10, (30, 36)).astype(np.float32)
    for distance in (1, 2, 3):
        result = step("nr:median", distance=distance)(Image(data)).data[0]
        inner = np.s_[distance:-distance, distance:-distance]
        np.testing.assert_array_equal(result[inner], median_filter(data, 2 * distance + 1)[inner])
    flags = np.where(RNG.random(data.shape) < 0.1, np.uint16(Flag.NO_DATA), np.uint16(0))
    result = step("nr:median")(Image(data, flags)).data[0]
    holed = np.where(flags > 0, np.nan, data)
    with np.errstate(all="ignore"):
        expected = generic_filter(holed, np.nanmedian, size=3, mode="constant", cval=np.nan)
    np.testing.assert_allclose(result, np.where(flags > 0, data, expected), rtol=1e-6)


def test_flags_stay_with_their_pixels():
    flags = np.zeros((20, 20), np.uint16)
    flags[5, 6] = Flag.COSMIC_RAY
    for name in ("nr:gaussian", "nr:median"):
        assert np.argwhere(step(name)(Image(np.ones((20, 20)), flags)).flags[0]).tolist() == [[5, 6]]


@pytest.mark.parametrize("sigma", [0.7, 2.5])
def test_noise_of_smoothed_noise(sigma):
    image = Image(RNG.normal(0, 3, (200, 200)), variance=np.full((200, 200), 9.0))
    result = step("nr:gaussian", sigma=sigma)(image)
    assert result.data.std() == pytest.approx(float(np.sqrt(result.variance.mean())), rel=0.08)
