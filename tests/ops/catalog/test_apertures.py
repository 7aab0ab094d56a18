"""Aperture photometry: figure A8 on scenes with known light, errors that tell the truth, flags."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.ops.catalog.apertures import Apertures, crowd_of, measure_apertures
from star_field import expose, light_of, scattered

SHAPE = (300, 300)


def test_flux_is_right_to_a_thousandth():
    rng = np.random.default_rng(2)
    x, y = scattered(rng, 40, SHAPE, 34.0, 20.0)
    flux = np.full(40, 2e6)
    plane = light_of(SHAPE, x, y, flux, 3.0) + 500.0
    found = measure_apertures(plane.astype(np.float32), x, y, [9.0], (12.0, 18.0), crowd=crowd_of(SHAPE, x, y, 11.0))
    np.testing.assert_allclose(found.flux[:, 0], flux, rtol=1e-3)


def test_flux_with_noise_has_no_bias_and_the_errors_of_merline_and_howell():
    """A4 and A8: pulls of stars from SNR 8 to 500, with gain and read noise, sky level measured in a ring."""
    rng = np.random.default_rng(4)
    x, y = scattered(rng, 49, SHAPE, 34.0, 20.0)
    flux = np.geomspace(2e3, 5e5, 49)
    light, gain = light_of(SHAPE, x, y, flux, 3.2), 1.5
    share = measure_apertures(light.astype(np.float32), x, y, [5.0], (60, 61)).flux[:, 0] / flux
    pulls = []
    for _ in range(40):
        plane = expose(light, rng, gain=gain).astype(np.float32)
        found = measure_apertures(plane, x, y, [5.0], (12.0, 18.0), gain=gain, crowd=crowd_of(SHAPE, x, y, 10.0))
        pulls.append((found.flux[:, 0] * gain - flux * share) / (found.error[:, 0] * gain))
    pulls = np.array(pulls)
    for part in np.array_split(pulls, 4, axis=1):
        assert abs(part.mean()) < 4 / np.sqrt(part.size) + 0.05
        assert 0.92 < part.std() < 1.08


def test_a_variance_plane_gives_the_same_errors():
    rng = np.random.default_rng(6)
    x, y = scattered(rng, 20, SHAPE, 40.0, 20.0)
    light = light_of(SHAPE, x, y, 5e4, 3.2)
    plane = expose(light, rng).astype(np.float32)
    variance = ((light + 200) / 1.5**2 + (4.0 / 1.5) ** 2 + 1 / 12).astype(np.float32)
    one = measure_apertures(plane, x, y, [5.0], (12.0, 18.0), gain=1.5)
    other = measure_apertures(plane, x, y, [5.0], (12.0, 18.0), variance=variance)
    np.testing.assert_allclose(other.error, one.error, rtol=0.03)


def test_flags_are_told_and_bad_pixels_mended():
    rng = np.random.default_rng(7)
    light = light_of((60, 60), [30.2], [29.7], 4e5, 3.5)
    plane = expose(light, rng, bias=0.0).astype(np.float32)
    clean = measure_apertures(plane, [30.2], [29.7], [6.0], (10.0, 16.0), gain=1.5)
    flags = np.zeros((60, 60), np.uint16)
    flags[31, 33], flags[30, 30] = Flag.HOT, Flag.SATURATED
    plane[31, 33] = 6e4
    found = measure_apertures(plane, [30.2], [29.7], [6.0], (10.0, 16.0), gain=1.5, flags=flags)
    assert found.flags[0, 0] == Flag.HOT | Flag.SATURATED
    assert found.mended[0, 0] == pytest.approx(1 / found.area[0, 0])
    assert found.flux[0, 0] == pytest.approx(clean.flux[0, 0], rel=0.01)
    assert found.error[0, 0] > clean.error[0, 0]


def test_no_flux_where_a_part_of_the_circle_is_off_the_frame_or_has_no_number():
    plane = np.ones((40, 40), np.float32)
    assert np.isnan(measure_apertures(plane, [2.0], [20.0], [4.0], (6.0, 12.0)).flux).all()
    plane[18:23, 18:23] = np.nan
    assert np.isnan(measure_apertures(plane, [20.0], [20.0], [4.0], (6.0, 12.0)).flux).all()


def test_neighbours_do_not_raise_the_sky():
    rng = np.random.default_rng(9)
    x, y = np.array([50.0, 61.0, 40.0, 52.0]), np.array([50.0, 52.0, 45.0, 38.0])
    plane = (rng.normal(100, 3, (100, 100)) + light_of((100, 100), x, y, [3e4, 2e5, 1e5, 5e4], 3.0)).astype(np.float32)
    crowd = crowd_of(plane.shape, x, y, 7.0)
    found = measure_apertures(plane, x[:1], y[:1], [4.0], (8.0, 16.0), crowd=crowd)
    assert found.sky[0] == pytest.approx(100, abs=0.7)


def test_a_ring_without_room_is_refused():
    with pytest.raises(InputError, match="raise outer"):
        Apertures(inner=10.0, outer=10.5).ring(4.0, 3.0)
