"""Altitude, airmass, Moon, Sun and BJD against numbers and formulas that are not astropy's frames."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import erfa
import numpy as np
import pytest

from firstlight.io.cards import Header
from firstlight.io.read import open_frame
from firstlight.model.observing import Site
from firstlight.ops.meta.sky_at import airmass_of, circumstances, night_of, offline

MUNICH = Site("Munich", 48.137, 11.575, 520.0)


def jd(time):
    return 2451545.0 + (time - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400


def test_against_maxim(real_data):
    """MaxIm DL wrote the airmass of the start, and the place in the sky at the end, of this exposure."""
    frame = open_frame(real_data("zoo_public/msumastro") / "maximdl_5_23_header.fit")
    meta, header = frame.meta, Header(frame.meta.cards)
    site = Site("FEDER", meta.latitude, meta.longitude, 300.0)
    times = [meta.start, meta.start + timedelta(seconds=45), meta.start + timedelta(seconds=90)]
    start, middle, end = circumstances(times, [meta.ra] * 3, [meta.dec] * 3, site)
    assert start.airmass == pytest.approx(header.get("AIRMASS"), abs=2e-4)
    assert end.altitude == pytest.approx(float(header.get("OBJCTALT")), abs=0.02)
    assert end.azimuth == pytest.approx(float(header.get("OBJCTAZ")), abs=0.02)
    assert end.hour_angle / 15 == pytest.approx(float(header.get("OBJCTHA")), abs=2e-3)
    # Its heliocentric date of the middle is in UTC; the Sun is within 4.3 s of the barycentre.
    in_tdb = header.get("JD-HELIO") + 67.184 / 86400
    assert abs(middle.bjd_tdb - in_tdb) * 86400 < 5


def test_against_the_telescope_of_microobservatory(real_data):
    """Its longitude is counted westward; what its mount reported agrees with the right sign only."""
    frame = open_frame(real_data("hatp32_microobs") / "HATP-32171220013343.FITS.fz")
    meta, header = frame.meta, Header(frame.meta.cards)
    (here,) = circumstances([meta.start], [meta.ra], [meta.dec], Site("", meta.latitude, -meta.longitude, 1300))
    assert here.altitude == pytest.approx(header.get("TELALT"), abs=0.3)
    assert here.azimuth == pytest.approx(header.get("TELAZ"), abs=0.3)
    assert here.hour_angle == pytest.approx(header.get("HA") - 360, abs=0.3)


def test_against_erfa():
    """ERFA's own chain from ICRS to observed, without refraction."""
    time = datetime(2024, 3, 5, 21, 30, tzinfo=UTC)
    ra, dec = np.array([10.68, 83.82, 250.4, 37.95]), np.array([41.27, -5.39, 36.46, 89.26])
    found = circumstances([time] * 4, list(ra), list(dec), MUNICH)
    rad = np.radians
    azimuth, zenith, hour_angle, _, _, _ = erfa.atco13(
        rad(ra), rad(dec), 0, 0, 0, 0, jd(time), 0, -0.0136, rad(MUNICH.longitude), rad(MUNICH.latitude),
        MUNICH.elevation, 0, 0, 0, 0, 0, 0.55,
    )  # fmt: skip
    np.testing.assert_allclose([f.altitude for f in found], 90 - np.degrees(zenith), atol=3e-4)
    np.testing.assert_allclose([f.azimuth for f in found], np.degrees(azimuth) % 360, atol=1e-3)
    np.testing.assert_allclose([f.hour_angle for f in found], np.degrees(hour_angle), atol=0.02)


def test_bjd_against_the_earth_of_erfa():
    """UTC to TDB by the leap seconds and the periodic terms, then the light's way from epv00 and the site: 0.1 ms."""
    for time in (datetime(2010, 7, 1, tzinfo=UTC), datetime(2026, 1, 17, 22, 13, 7, tzinfo=UTC)):
        ra, dec = 301.56, 22.71
        (found,) = circumstances([time], [ra], [dec], MUNICH)
        ahead = 32.184 + float(erfa.dat(time.year, time.month, time.day, 0.0))
        tdb = ahead + float(erfa.dtdb(jd(time), ahead / 86400, 0, 0, 0, 0))
        _, barycentric = erfa.epv00(jd(time), tdb / 86400)
        place = erfa.gd2gc(1, math.radians(MUNICH.longitude), math.radians(MUNICH.latitude), MUNICH.elevation)
        place = erfa.rz(-float(erfa.gst06a(jd(time), 0, jd(time), ahead / 86400)), np.eye(3)) @ place
        to_icrs = erfa.pnm06a(jd(time), ahead / 86400).T
        metres = barycentric["p"] * erfa.DAU + to_icrs @ place
        way = metres @ erfa.s2c(math.radians(ra), math.radians(dec)) / erfa.CMPS
        wanted = (jd(time) - 2400000.5) + (tdb + way) / 86400
        # A Julian date in one double has steps of 0.04 ms.
        assert abs(found.bjd_tdb - 2400000.5 - wanted) * 86400 < 2e-4


def test_what_is_interpolated_is_what_is_worked_out():
    """Between its nodes, against astropy at each time: 0.05" for target, Sun and Moon."""
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
    from astropy.time import Time

    rng = np.random.default_rng(8)
    times = [datetime(2026, 1, 17, tzinfo=UTC) + timedelta(seconds=float(s)) for s in rng.uniform(0, 86400, 20)]
    ra, dec = rng.uniform(0, 360, 20), rng.uniform(-80, 80, 20)
    found = circumstances(times, list(ra), list(dec), MUNICH)
    with offline():
        place = EarthLocation.from_geodetic(MUNICH.longitude * u.deg, MUNICH.latitude * u.deg, MUNICH.elevation * u.m)
        when = Time(times, scale="utc", location=place)
        over = AltAz(obstime=when, location=place)
        target = SkyCoord(ra * u.deg, dec * u.deg).transform_to(over)
        moon, sun = (get_body(body, when, place).transform_to(over) for body in ("moon", "sun"))
        path = when.light_travel_time(SkyCoord(ra * u.deg, dec * u.deg), location=place)
        tdb = when.tdb + path
        within = 0.05 / 3600
        np.testing.assert_allclose([f.altitude for f in found], target.alt.deg, atol=within)
        np.testing.assert_allclose([f.moon_altitude for f in found], moon.alt.deg, atol=within)
        np.testing.assert_allclose([f.sun_altitude for f in found], sun.alt.deg, atol=within)
        np.testing.assert_allclose([f.moon_distance for f in found], target.separation(moon).deg, atol=2 * within)
        np.testing.assert_allclose([f.bjd_tdb for f in found], tdb.jd, rtol=0, atol=1e-9)


def test_times_of_any_zone():
    utc = datetime(2026, 1, 17, 22, tzinfo=UTC)
    there = utc.astimezone(timezone(timedelta(hours=-7)))
    assert circumstances([utc], [10.0], [40.0], MUNICH) == circumstances([there], [10.0], [40.0], MUNICH)


def test_bjd_across_a_leap_second():
    """TDB goes on evenly: one second of UTC more lies between these times than between their clocks."""
    before, after = (
        circumstances([time], [83.8], [-5.4], None)[0].bjd_tdb
        for time in (datetime(2016, 12, 31, 23, 59, 55, tzinfo=UTC), datetime(2017, 1, 1, 0, 0, 5, tzinfo=UTC))
    )
    assert (after - before) * 86400 == pytest.approx(11.0, abs=0.002)


def test_bjd_without_a_site_is_that_of_the_earths_centre():
    time = datetime(2026, 1, 17, 22, tzinfo=UTC)
    (there,), (nowhere,) = (circumstances([time], [83.8], [-5.4], site) for site in (MUNICH, None))
    assert 0.001 < abs(there.bjd_tdb - nowhere.bjd_tdb) * 86400 < 0.0215
    assert nowhere.altitude is nowhere.moon_altitude is nowhere.airmass is None


def test_the_sun_against_the_almanacs_formula():
    """Low-precision solar coordinates (Astronomical Almanac, page C5): 0.01 degrees."""
    for time in (datetime(2026, 1, 17, 6, tzinfo=UTC), datetime(2024, 6, 21, 15, 30, tzinfo=UTC)):
        n = jd(time) - 2451545.0
        mean, anomaly = 280.460 + 0.9856474 * n, math.radians(357.528 + 0.9856003 * n)
        longitude = math.radians(mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
        tilt = math.radians(23.439 - 0.0000004 * n)
        ra = math.degrees(math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude)))
        dec = math.asin(math.sin(tilt) * math.sin(longitude))
        sidereal = (18.697374558 + 24.06570982441908 * n) * 15 + MUNICH.longitude
        h, phi = math.radians(sidereal - ra), math.radians(MUNICH.latitude)
        altitude = math.degrees(math.asin(math.sin(phi) * math.sin(dec) + math.cos(phi) * math.cos(dec) * math.cos(h)))
        (found,) = circumstances([time], [None], [None], MUNICH)
        assert found.sun_altitude == pytest.approx(altitude, abs=0.02)
        assert found.altitude is found.bjd_tdb is None


def test_the_moon_against_meeus():
    """Astronomical Algorithms, examples 47.a and 48.a: 1992 April 12, 0 h TD, seen from below the Moon: no parallax."""
    time = datetime(1992, 4, 11, 23, 59, 0, 816000, tzinfo=UTC)
    ra, dec = 134.688470, 13.768368
    sidereal = math.degrees(float(erfa.gst06a(jd(time), 0, jd(time), 59.184 / 86400)))
    below = Site("", dec, (ra - sidereal + 180) % 360 - 180)
    of_date = erfa.s2c(math.radians(ra), math.radians(dec))
    icrs = np.degrees(erfa.c2s(erfa.pnm06a(jd(time), 59.184 / 86400).T @ of_date))
    (found,) = circumstances([time], [icrs[0] % 360], [icrs[1]], below)
    assert found.moon_illumination == pytest.approx(0.6786, abs=6e-4)
    assert found.moon_distance < 0.02
    assert found.moon_altitude > 89.8
    assert found.moon_waxes


def test_the_eclipse_of_2017():
    """Greatest eclipse at 18:25:32 UT, 36.97 N 87.67 W, the Sun 63.9 degrees high (NASA)."""
    greatest = datetime(2017, 8, 21, 18, 25, 32, tzinfo=UTC)
    (found,) = circumstances([greatest], [None], [None], Site("", 36.97, -87.67, 150))
    assert found.sun_altitude == pytest.approx(63.9, abs=0.1)
    assert found.moon_altitude == pytest.approx(found.sun_altitude, abs=0.02)
    assert found.moon_illumination < 1e-4
    assert found.twilight == "day"


def test_the_full_moon_of_2018_waned_afterwards():
    eclipse = datetime(2018, 7, 27, 20, 22, tzinfo=UTC)
    full, later, before = circumstances(
        [eclipse, eclipse + timedelta(days=2), eclipse - timedelta(days=2)], [None] * 3, [None] * 3, MUNICH
    )
    assert full.moon_illumination > 0.9998
    assert (before.moon_waxes, later.moon_waxes) == (True, False)


def test_years_ahead_of_the_tables_no_network_and_no_warning():
    (found,) = circumstances([datetime(2049, 1, 1, tzinfo=UTC)], [10.0], [40.0], MUNICH)
    assert found.altitude is not None


def test_airmass_falls_to_one_and_is_that_of_kasten_and_young():
    """Kasten and Young (1989), for the altitude with refraction, differs by less than 0.4 % above 10 degrees."""
    height = np.linspace(10, 90, 81)
    refraction = 1.02 / np.tan(np.radians(height + 10.3 / (height + 5.11))) / 60
    seen = height + refraction
    kasten = 1 / (np.sin(np.radians(seen)) + 0.50572 * (seen + 6.07995) ** -1.6364)
    np.testing.assert_allclose(airmass_of(height), kasten, rtol=4e-3)
    assert np.all(np.diff(airmass_of(np.linspace(0, 90, 100))) < 0)


def test_a_night_has_one_date():
    evening = datetime(2026, 1, 18, 3, tzinfo=UTC)
    night = {night_of(evening + timedelta(hours=h), -110.9) for h in range(10)}
    assert night == {"2026-01-17"}
    # At noon by the Sun the next night begins.
    assert night_of(datetime(2026, 1, 17, 12, 1, tzinfo=UTC), 0.0) == "2026-01-17"
    assert night_of(datetime(2026, 1, 17, 11, 59, tzinfo=UTC), 0.0) == "2026-01-16"
