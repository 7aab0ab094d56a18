"""Limits: the formula against noise, completeness against detection theory."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.model.bell import Bell
from firstlight.model.psf import Psf
from firstlight.ops.catalog.apertures import measure_apertures
from firstlight.ops.catalog.limits import limiting_flux, measure_completeness
from firstlight.ops.inspect.stars import FindStars
from star_field import expose, light_of

SHAPE = (260, 260)


def test_a_star_at_the_limit_has_the_signal_to_noise_asked_for():
    rng = np.random.default_rng(3)
    gain, radius = 1.5, 3.5
    pixel = 200 / gain**2 + (4 / gain) ** 2 + 1 / 12
    flux = limiting_flux(pixel, np.pi * radius**2, 600.0, gain)
    light = light_of((60, 60), [30.0], [30.0], flux * gain, 2.6)
    share = measure_apertures(light.astype(np.float32), [30.0], [30.0], [radius], (20, 22)).flux[0, 0] / (flux * gain)
    ring = (9.0, np.hypot(9.0, np.sqrt(600 / np.pi)))
    values = [
        measure_apertures(
            expose(light / share, rng, gain=gain).astype(np.float32), [30.0], [30.0], [radius], ring
        ).flux[0, 0]
        for _ in range(1500)
    ]
    assert np.mean(values) / np.std(values) == pytest.approx(5.0, rel=0.07)
    assert np.mean(values) == pytest.approx(flux, rel=0.02)


@pytest.fixture(scope="module")
def sky():
    return expose(np.zeros(SHAPE), np.random.default_rng(8)).astype(np.float32)


def test_half_of_the_stars_are_found_where_their_matched_signal_is_five_sigma(sky):
    psf = Psf.of_bell(Bell(3.0), SHAPE)
    sigma = float(np.std(sky))
    # The flux of SNR 5 in the best weighting of a profile: 5 sigma / sqrt(sum of its squares).
    five = 5 * sigma / np.sqrt((psf.kernel**2).sum())
    limit = -2.5 * np.log10(five)
    found = measure_completeness(sky, psf, limit, FindStars(), n_stars=600, gain=1.5)
    assert found.half == pytest.approx(limit, abs=0.15)
    assert found.share[0] > 0.97
    assert found.share[-1] < 0.1
    assert abs(found.bias) < 0.05
    again = measure_completeness(sky, psf, limit, FindStars(), n_stars=600, gain=1.5)
    np.testing.assert_array_equal(found.share, again.share)


def test_an_image_without_room_is_refused():
    with pytest.raises(FrameError, match="too small"):
        measure_completeness(
            np.zeros((20, 20), np.float32), Psf.of_bell(Bell(3.0), (20, 20)), -7.0, FindStars(), n_stars=10
        )
