"""Noise: the formulas, and the model that is read off the scatter of stars."""

import numpy as np
import pytest

from firstlight.ops.catalog.noise import fit_noise, flux_variance, pixel_variance, scintillation


def test_every_term_of_merline_and_howell():
    # 10000 adu at 2 e-/adu; 50 px, 500 of sky at 100 adu; dark 10 adu; 6 e- of read noise; rounding.
    pixel = pixel_variance(100.0, 2.0, 6.0, 10.0)
    assert float(pixel) == pytest.approx(110 / 2 + 9 + 0.289**2)
    assert float(flux_variance(1e4, 50.0, 500.0, pixel, 2.0)) == pytest.approx(5000 + 50 * 1.1 * pixel)
    assert float(flux_variance(1e4, 50.0, 500.0, pixel, None)) == pytest.approx(50 * 1.1 * pixel)


def test_scintillation_scales_as_the_theory_says():
    one = scintillation(200.0, 1.0, 10.0)
    assert scintillation(200.0, 1.0, 40.0) == pytest.approx(one / 2)
    assert scintillation(1600.0, 1.0, 10.0) == pytest.approx(one / 4)
    assert scintillation(200.0, 2.0, 10.0) == pytest.approx(one * 2**1.5)
    assert scintillation(200.0, 1.0, 10.0, 4000.0) == pytest.approx(one * np.exp(-0.5))


@pytest.mark.parametrize("known", [True, False])
def test_gain_and_floor_are_read_off_the_stars(known):
    rng = np.random.default_rng(3)
    gain, floor, n = 12.0, 0.004, 80
    flux = np.geomspace(800, 60000, n)
    sky = 12.0 / flux
    sigma = np.sqrt(sky**2 + 1.0857**2 / (gain * flux) + floor**2)
    scatter = sigma * np.sqrt(rng.chisquare(40, n) / 40)
    scatter[::9] *= 5
    found = fit_noise(flux, sky, scatter, gain if known else None)
    assert found.floor == pytest.approx(floor, rel=0.15)
    assert found.gain == pytest.approx(gain, rel=0.25)
    assert found.is_measured is not known
    np.testing.assert_allclose(found.error(flux, sky), sigma, rtol=0.1)


def test_few_stars_tell_nothing_of_the_gain():
    found = fit_noise(np.full(4, 1e4), np.full(4, 1e-3), np.full(4, 5e-3), None)
    assert found.gain is None
    assert found.floor == pytest.approx(np.sqrt(24e-6), rel=0.05)
