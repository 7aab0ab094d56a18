"""Catalogue records: cones, matches, motions, joined catalogues."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord, angular_separation
from astropy.time import Time

from firstlight.model.catalog import Catalog, joined, places, separation, unit_vectors


def scattered(n: int = 400, seed: int = 3) -> Catalog:
    rng = np.random.default_rng(seed)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    pm = rng.normal(0, 150, (2, n))
    return Catalog(rng.uniform(0, 360, n), dec, pm[0], pm[1], 2000.0, {"G": rng.uniform(5, 12, n)})


def test_motions_agree_with_astropy_away_from_the_poles():
    stars = scattered()
    stars = stars.take(np.abs(stars.dec) < 80)
    import astropy.units as u

    sky = SkyCoord(
        stars.ra * u.deg, stars.dec * u.deg, pm_ra_cosdec=stars.pm_ra * u.mas / u.yr,
        pm_dec=stars.pm_dec * u.mas / u.yr,
        obstime=Time(2000.0, format="jyear"), distance=np.full(len(stars), 100.0) * u.pc,
    )  # fmt: skip
    later = sky.apply_space_motion(new_obstime=Time(2026.0, format="jyear"))
    moved = stars.at(2026.0)
    apart = angular_separation(*np.radians([moved.ra, moved.dec]), later.ra.rad, later.dec.rad)
    assert np.degrees(apart).max() * 3.6e6 < 5  # mas, in 26 years


def test_stars_without_motion_stay_and_poles_are_crossed():
    stars = Catalog(np.array([10.0, 0.0]), np.array([5.0, 89.9999]), np.array([np.nan, 0.0]), np.array([np.nan, 3.6e4]))
    moved = stars.at(2010.0 + 10.0)
    assert moved.ra[0] == 10.0
    assert moved.dec[0] == 5.0
    assert moved.dec[1] < 90
    assert moved.ra[1] == 180.0


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.9, 30.0), (120.0, 89.0), (200.0, -90.0)])
def test_a_cone_holds_what_is_near_and_only_that(ra, dec):
    stars = scattered(5000)
    found = stars.within(ra, dec, 12.0)
    apart = np.degrees(angular_separation(np.radians(ra), np.radians(dec), np.radians(stars.ra), np.radians(stars.dec)))
    assert len(found) == (apart <= 12.0).sum() > 10
    assert (np.diff(found.mag) >= 0).all()
    assert len(stars.within(ra, dec, 12.0, faintest=8.0)) == ((apart <= 12.0) & (stars.mag <= 8.0)).sum()


def test_matches_are_the_nearest_within_the_radius():
    stars = scattered(300)
    shift = 1.0 / 3600
    index, distance = stars.match(stars.ra, stars.dec + shift, 1.5)
    assert (index == np.arange(300)).all()
    assert np.allclose(distance, 1.0, atol=1e-6)
    index, distance = stars.match(stars.ra, stars.dec + shift, 0.5)
    assert (index == -1).all()
    assert np.isinf(distance).all()
    assert Catalog(np.empty(0), np.empty(0)).match(stars.ra, stars.dec, 1.0)[0].max() == -1


def test_joined_catalogues_name_each_star_once_and_know_its_motion():
    now = scattered(2000).at(2016.0)
    fast = np.argsort(-np.hypot(now.pm_ra, now.pm_dec))[:3]
    old = now.at(2000.0)
    first = Catalog(now.ra, now.dec, epoch=2016.0, mags={"G": now.mag, "BP": now.mag + 0.3})
    extra = scattered(50, seed=9)
    second = Catalog(
        np.concatenate([old.ra, extra.ra]), np.concatenate([old.dec, extra.dec]), epoch=2000.0,
        mags={"VT": np.concatenate([old.mag + 0.2, extra.mag])},
    )  # fmt: skip
    both = joined(first, second, "both")
    assert len(both) == 2050
    assert both.epoch == 2016.0
    assert np.abs(both.pm_ra[:2000] - now.pm_ra).max() < 0.5
    assert np.abs(both.pm_dec[fast] - now.pm_dec[fast]).max() < 0.5
    assert np.isnan(both.mags["G"][2000:]).all()
    assert np.allclose(both.mags["VT"][:2000] - both.mags["G"][:2000], 0.2)


def test_columns_follow_when_some_are_taken():
    stars = Catalog(np.arange(3.0), np.zeros(3), mags={"V": np.array([3.0, 1.0, np.nan])}, names=("a", "b", "c"))
    assert stars.brightest(3).names == ("b", "a", "c")
    assert stars.take(stars.ra > 0.5).names == ("b", "c")


def test_places_and_vectors_are_inverse():
    stars = scattered(100)
    ra, dec = places(7.0 * unit_vectors(stars.ra, stars.dec))
    assert np.allclose(ra, stars.ra)
    assert np.allclose(dec, stars.dec)
    assert separation(10.0, 90.0, 190.0, 89.0) == pytest.approx(1.0)
