"""How the sky stands at a moment over a place: altitudes, airmass, Moon, Sun, barycentric time. All offline.

Astropy with the Earth orientation tables it brings along and its built-in ephemeris. Errors: target 1" (13" where a
date is more than a year after the tables), Moon 20" from the site, Sun 1"; BJD_TDB below 0.1 ms for a given position.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from firstlight.io.earth_rotation import earth_rotation
from firstlight.model.observing import Observing, Site


@contextmanager
def offline() -> Iterator[None]:
    """Astropy without the network: bundled tables, however old they are."""
    from astropy.utils import iers

    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "warn"),
        warnings.catch_warnings(),
    ):
        # Years ahead of the tables, of leap seconds and of the precession model: stated in the docstring above.
        warnings.simplefilter("ignore")
        with iers.earth_orientation_table.set(earth_rotation()):
            yield


def airmass_of(altitude: np.ndarray) -> np.ndarray:
    """Relative airmass of an altitude without refraction (Young 1994, Appl. Opt. 33, 1108); NaN below the horizon.

    Within 0.004 of the standard atmosphere down to the horizon, where it is 31.7.

    >>> airmass_of(np.array([90.0, 30.0, 0.0, -1.0])).round(3).tolist()
    [1.0, 1.992, 31.735, nan]
    """
    c = np.sin(np.radians(altitude))
    top = 1.002432 * c**2 + 0.148386 * c + 0.0096467
    bottom = c**3 + 0.149864 * c**2 + 0.0102963 * c + 0.000303978
    return np.where(np.asarray(altitude) >= 0, top / np.where(bottom == 0, 1, bottom), np.nan)


def circumstances(
    times: Sequence[datetime], ra: Sequence[float | None], dec: Sequence[float | None], site: Site | None
) -> list[Observing]:
    """Circumstances at each time.

    Parameters
    ----------
    times : with their zone
    ra, dec : degrees, ICRS; None where a position is not known: Moon and Sun only.
    site : Site or None
        Without one there is only BJD_TDB, of the centre of the Earth: up to 0.021 s off.
    """
    from astropy import units as u
    from astropy.coordinates import AltAz, SkyCoord
    from astropy.coordinates.erfa_astrom import ErfaAstromInterpolator, erfa_astrom
    from astropy.time import Time

    if not times:
        return []
    known = np.array([r is not None and d is not None for r, d in zip(ra, dec)])
    target = np.radians([_filled(ra), _filled(dec)])
    with offline(), erfa_astrom.set(ErfaAstromInterpolator(NODES * u.s)):
        location = _location(site)
        clocks = [time.astimezone(UTC).replace(tzinfo=None) for time in times]
        when = Time(np.array(clocks, "datetime64[us]"), scale="utc")
        nodes, places, weights = _nodes(times)
        slow = _slow(Time(nodes, format="unix", scale="utc", location=location), location, site is not None)
        slow = {name: np.einsum("nk,nk...->n...", weights, values[places]) for name, values in slow.items()}
        columns: dict[str, np.ndarray] = {}
        # The path of light to the barycentre, for a source at infinity (Eastman, Siverd and Gaudi 2010, PASP 122, 935).
        path = np.einsum("nk,kn->n", slow["path"], _unit(*target))
        tdb = when.tdb
        # Not interpolated: it jumps at a leap second.
        later = ((tdb.jd1 - when.jd1) + (tdb.jd2 - when.jd2)) * 86400 + path
        columns["bjd_tdb"] = np.where(known, when.jd1 + (when.jd2 + later / 86400), np.nan)
        if site is not None:
            there = SkyCoord(*target * u.rad).transform_to(AltAz(obstime=when, location=location))
            altitude, azimuth = there.alt.rad, there.az.rad
            of_target = {
                "altitude": np.degrees(altitude),
                "azimuth": np.degrees(azimuth) % 360,
                "hour_angle": _hour_angle(altitude, azimuth, np.radians(site.latitude)),
                "airmass": airmass_of(np.degrees(altitude)),
                "moon_distance": _apart(_unit(azimuth, altitude).T, slow["moon"]),
            }
            columns |= {name: np.where(known, values, np.nan) for name, values in of_target.items()}
            for body in ("moon", "sun"):
                columns[f"{body}_altitude"] = np.degrees(np.arcsin(slow[body][:, 2] / _length(slow[body])))
            columns |= {"moon_illumination": slow["lit"], "moon_waxes": slow["ahead"] > 0}
    return [Observing(**{name: _value(values[i]) for name, values in columns.items()}) for i in range(len(times))]


NODES = 600.0
"""s: what moves slowly is worked out at multiples of this time and interpolated, cubic: 0.02" at the Moon's pace."""


def _nodes(times: Sequence[datetime]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unix seconds of the nodes needed; of each time the four nodes about it and their Lagrange weights."""
    seconds = np.array([time.timestamp() for time in times])
    first = np.floor(seconds / NODES).astype(np.int64) - 1
    around = first[:, None] + np.arange(4)
    numbers, places = np.unique(around, return_inverse=True)
    x = (seconds / NODES - first)[:, None]
    weights = np.ones((len(times), 4))
    for k in range(4):
        for other in range(4):
            if other != k:
                weights[:, k] *= (x[:, 0] - other) / (k - other)
    return numbers * NODES, places.reshape(-1, 4), weights


def _slow(nodes: Any, location: Any, at_site: bool) -> dict[str, np.ndarray]:
    """At nodes: the place relative to the barycentre, s; directions of Moon and Sun; the Moon's phase."""
    from astropy import constants
    from astropy.coordinates import AltAz, get_body, get_body_barycentric

    earth = get_body_barycentric("earth", nodes, ephemeris="builtin").xyz
    place = location.get_gcrs_posvel(nodes)[0].xyz if at_site else 0 * earth
    found = {"path": ((earth + place) / constants.c).to_value("s").T}
    if at_site:
        over = AltAz(obstime=nodes, location=location)
        moon, sun = (get_body(body, nodes, location, ephemeris="builtin") for body in ("moon", "sun"))
        for name, body in (("moon", moon), ("sun", sun)):
            there = body.transform_to(over)
            found[name] = _unit(there.az.rad, there.alt.rad).T
        found["lit"], found["ahead"] = _phase(moon, sun)
    return found


def _unit(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """(3, n) unit vectors."""
    c = np.cos(latitude)
    return np.array([c * np.cos(longitude), c * np.sin(longitude), np.sin(latitude)])


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=1)


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Angles between vectors (n, 3), degrees; exact for small ones too."""
    return np.degrees(np.arctan2(_length(np.cross(one, other)), np.einsum("nk,nk->n", one, other)))


def _hour_angle(altitude: np.ndarray, azimuth: np.ndarray, latitude: float) -> np.ndarray:
    """Degrees, west positive, -180 to 180, of a place in the sky."""
    west = -np.sin(azimuth) * np.cos(altitude)
    south = np.sin(altitude) * np.cos(latitude) - np.cos(altitude) * np.cos(azimuth) * np.sin(latitude)
    return np.degrees(np.arctan2(west, south))


def _location(site: Site | None) -> Any:
    """The place of a site; of none, the centre of the Earth."""
    from astropy import units as u
    from astropy.coordinates import EarthLocation

    if site is None:
        return EarthLocation.from_geocentric(0, 0, 0, unit=u.m)
    return EarthLocation.from_geodetic(site.longitude * u.deg, site.latitude * u.deg, site.elevation * u.m)


def _filled(values: Sequence[float | None]) -> np.ndarray:
    return np.array([0.0 if v is None else v for v in values], float)


def _value(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    return float(value) if np.isfinite(value) else None


def _phase(moon: Any, sun: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lit share of the Moon's disk, and how far it is ahead of the Sun (Meeus, Astronomical Algorithms, chapter 48)."""
    here, there = (body.cartesian.xyz.to_value("km").T for body in (moon, sun))
    elongation = np.radians(_apart(here, there))
    far, near = _length(there), _length(here)
    angle = np.arctan2(far * np.sin(elongation), near - far * np.cos(elongation))
    # Above zero east of the Sun along the equator: the Moon grows.
    ahead = np.cross(there, here)[:, 2] / (far * near)
    return (1 + np.cos(angle)) / 2, ahead


_EDGES = {"sunset": -0.833, "dusk": -18.0, "dawn": -18.0, "sunrise": -0.833}
"""Altitude of the Sun's centre, degrees."""


def night_events(night: str, site: Site) -> dict[str, datetime | None]:
    """Sunset, end of the evening twilight (dusk), begin of the morning's (dawn) and sunrise of a night, UTC to 10 s.

    None where the Sun does not come so low, or does not rise so high. ``night`` is a date as `night_of` gives it.

    >>> events = night_events("2026-01-17", Site("Munich", 48.14, 11.58, 520.0))
    >>> [time.strftime("%H:%M") for time in events.values()]
    ['15:50', '17:40', '05:06', '06:56']
    """
    noon = datetime.fromisoformat(night).replace(hour=12, tzinfo=UTC) - timedelta(hours=site.longitude / 15)
    minutes = np.arange(0, 24 * 60 + 1, 4.0)
    times = [noon + timedelta(minutes=m) for m in minutes]
    height = np.array([o.sun_altitude for o in circumstances(times, [None] * len(times), [None] * len(times), site)])
    found: dict[str, datetime | None] = {}
    for name, edge in _EDGES.items():
        down = name in ("sunset", "dusk")
        above = height > edge
        crossed = np.flatnonzero(above[:-1] & ~above[1:] if down else ~above[:-1] & above[1:])
        if not crossed.size:
            found[name] = None
            continue
        i = crossed[0] if down else crossed[-1]
        part = (height[i] - edge) / (height[i] - height[i + 1])
        found[name] = noon + timedelta(minutes=float(minutes[i] + part * (minutes[i + 1] - minutes[i])))
    return found


def night_of(time: datetime, longitude: float | None) -> str:
    """The date of the evening a time belongs to: a night lasts from noon to noon, by the Sun where longitude is known.

    >>> time = datetime(2026, 1, 18, 5, 0, tzinfo=UTC)
    >>> night_of(time, -110.9), night_of(time, 149.1)
    ('2026-01-17', '2026-01-18')
    """
    return (time + timedelta(hours=(longitude or 0.0) / 15 - 12)).date().isoformat()
