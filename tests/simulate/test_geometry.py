"""Transforms, distortion, the plate and the horizon."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from firstlight.simulate import geometry
from firstlight.simulate.settings import Camera, Night, Telescope


def test_a_turn_leaves_the_centre_and_a_shift_moves_it():
    transform = geometry.frame_transform((200, 300), 4.0, -3.0, 10.0)
    np.testing.assert_allclose(transform([[149.5, 99.5]]), [[153.5, 96.5]])
    assert transform.rotation == pytest.approx(10.0)
    assert transform.scale == pytest.approx(1.0)


@pytest.mark.parametrize("strength", [-0.02, 0.0, 0.03])
def test_undistort_is_the_inverse(strength):
    positions = np.random.default_rng(1).uniform(-50, 450, (200, 2))
    there = geometry.distort(positions, (300, 400), strength)
    np.testing.assert_allclose(geometry.undistort(there, (300, 400), strength), positions, atol=1e-8)
    corner = geometry.distort(np.array([[399.0, 299.0]]), (300, 400), strength) - [199.5, 149.5]
    assert np.hypot(*corner[0]) == pytest.approx(np.hypot(199.5, 149.5) * (1 + strength), rel=1e-3)


@pytest.mark.parametrize(("dec", "angle"), [(38.0, 0.0), (-65.0, 33.0), (89.5, 200.0)])
def test_plate_agrees_with_astropy(dec, angle):
    from astropy.io import fits
    from astropy.wcs import WCS

    night = Night(ra=123.4, dec=dec, telescope=Telescope(position_angle=angle))
    wcs = WCS(fits.Header(list(geometry.plate_cards(night).items())))
    positions = np.array([[0.0, 0.0], [1599.0, 1199.0], [800.0, 10.0]])
    ra, dec = geometry.sky_of(night, positions)
    there = wcs.pixel_to_world_values(positions[:, 0], positions[:, 1])
    np.testing.assert_allclose(ra, there[0], atol=1e-9)
    np.testing.assert_allclose(dec, there[1], atol=1e-9)
    np.testing.assert_allclose(geometry.positions_of(night, ra, dec), positions, atol=1e-6)


def test_north_is_up_and_east_is_left_without_an_angle():
    night = Night(ra=100.0, dec=20.0)
    ra, dec = geometry.sky_of(night, np.array([[800.0, 0.0], [0.0, 600.0]]))
    assert dec[0] > 20.3
    assert ra[1] > 100.3


def test_positions_behind_the_telescope_are_not_numbers():
    assert np.isnan(geometry.positions_of(Night(ra=10.0, dec=0.0), [190.0], [0.0])).all()


def test_the_field_crosses_the_meridian_in_the_middle_of_the_lights():
    night = Night(n_lights=10, exposures=(300.0,), camera=Camera(width=100, height=100))
    ra, _ = geometry.pointing(night)
    start = geometry.sidereal_angle(night.start, night.telescope.longitude)
    assert (ra - start) % 360 == pytest.approx(10 * 304 / 2 / 240, rel=0.01)


def test_altitude_agrees_with_astropy():
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    when = datetime(2020, 3, 5, 21, 40, tzinfo=UTC)
    with iers.conf.set_temp("auto_download", False):
        site = EarthLocation(lat=28.3 * u.deg, lon=-16.5 * u.deg)
        there = SkyCoord(120 * u.deg, 38 * u.deg).transform_to(AltAz(obstime=Time(when), location=site)).alt.deg
    # ICRS is taken for the equinox of date: 20 years of precession are 0.3 degrees.
    assert geometry.altitude(120.0, 38.0, when, 28.3, -16.5) == pytest.approx(there, abs=0.3)


def test_airmass_of_the_horizon_is_finite():
    assert geometry.airmass(90.0) == pytest.approx(1.0, abs=1e-3)
    assert 30 < geometry.airmass(0.0) < 45
    assert geometry.airmass(-20.0) == geometry.airmass(0.0)
