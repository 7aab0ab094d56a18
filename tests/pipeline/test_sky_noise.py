"""Noise of the sky: right between stars, and in all that is not as the textbook has it."""

import numpy as np
import pytest

from firstlight.pipeline.sky_noise import noise_of_sky

RNG = np.random.default_rng(5)


def rows(sigma, shape=(120, 900)):
    return RNG.normal(200.0, sigma, shape).astype(np.float32)


def crowded(plane, share):
    """Stars of 3 px FWHM of all brightnesses on this share of the rows' pixels."""
    light = np.zeros(plane.shape)
    x = np.arange(plane.shape[1])
    for row in light:
        for place in RNG.uniform(0, len(x), int(share * len(x))):
            row += RNG.pareto(0.8) * np.exp(-((x - place) ** 2) / 3.3)
    return (plane + 5 * light).astype(np.float32)


def test_gaussian_noise():
    assert noise_of_sky([rows(7.0)]) == pytest.approx(7.0, rel=0.01)


def test_few_photons():
    photons = RNG.poisson(30.0, (120, 900)) + RNG.normal(0, 1.0, (120, 900))
    assert noise_of_sky([photons.astype(np.float32)]) == pytest.approx(np.sqrt(31.0), rel=0.015)


def test_gradients_are_none():
    slope = np.linspace(0, 3000, 900, dtype=np.float32)
    assert noise_of_sky([rows(7.0) + slope]) == pytest.approx(7.0, rel=0.015)


@pytest.mark.parametrize(("share", "most"), [(0.02, 1.01), (0.05, 1.03)])
def test_stars_are_none(share, most):
    plane = crowded(rows(7.0), share)
    plain = 1.4826 * np.median(np.abs(plane[:, 1:] - plane[:, :-1])) / np.sqrt(2)
    assert plain / 7.0 > most
    assert 0.99 < noise_of_sky([plane]) / 7.0 < most


def test_missing_pixels_and_narrow_frames():
    plane = rows(7.0)
    plane[:, ::9] = np.nan
    assert noise_of_sky([plane], apart=4) == pytest.approx(7.0, rel=0.015)
    assert noise_of_sky([rows(7.0, (3000, 24))]) == pytest.approx(7.0, rel=0.02)
