"""Where things lie: positions of stars on the frames, on the sky, and above the horizon."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np

from firstlight.model.meta import julian_date
from firstlight.model.registration import Transform
from firstlight.simulate.settings import Night


def frame_transform(shape: tuple[int, int], dx: float, dy: float, angle: float) -> Transform:
    """Frame to reference: a turn by ``angle`` degrees about the centre of the frame, then a shift.

    >>> t = frame_transform((11, 21), 3.0, -2.0, 180.0)
    >>> np.round(t(np.array([[10.0, 5.0], [0.0, 0.0]])), 9).tolist()
    [[13.0, 3.0], [23.0, 8.0]]
    """
    cx, cy = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return Transform(np.array([[c, -s, cx - c * cx + s * cy + dx], [s, c, cy - s * cx - c * cy + dy], [0, 0, 1.0]]))


def panel_transform(night: Night, x: float, y: float) -> Transform:
    """Frame to reference for a telescope turned so that its middle lies (x, y) px from that of the reference.

    Both are planes that touch the sphere of the sky, and the map between them a homography.

    >>> t = panel_transform(Night(), 900.0, 0.0)
    >>> t(np.array([[799.5, 599.5]])).round(6).tolist()
    [[1699.5, 599.5]]
    """
    focal = night.telescope.focal_length * 1000.0 / night.camera.pixel_size
    cx, cy = (night.camera.width - 1) / 2, (night.camera.height - 1) / 2
    way = math.hypot(x, y)
    if way == 0.0:
        return Transform.identity()
    angle = math.atan2(way, focal)
    c, s, u, v = math.cos(angle), math.sin(angle), x / way, y / way
    # A turn by the angle in the plane of the axis of view and of (u, v).
    towards = np.array([u, v, 0.0])
    away = np.array([0.0, 0.0, 1.0])
    turn = np.eye(3) + (c - 1) * (np.outer(towards, towards) + np.outer(away, away))
    turn += s * (np.outer(towards, away) - np.outer(away, towards))
    into = np.array([[1 / focal, 0, -cx / focal], [0, 1 / focal, -cy / focal], [0, 0, 1.0]])
    matrix = np.linalg.inv(into) @ turn @ into
    return Transform(matrix / matrix[2, 2])


def distort(positions: np.ndarray, shape: tuple[int, int], strength: float) -> np.ndarray:
    """Ideal positions (n, 2) to those behind the optics: moved outwards by ``strength`` r^2 of their distance.

    r is the distance from the centre over half the diagonal of the frame.
    """
    positions = np.asarray(positions, dtype=np.float64)
    centre, radius = _centre(shape)
    offset = positions - centre
    r2 = (offset**2).sum(axis=-1, keepdims=True) / radius**2
    return centre + offset * (1.0 + strength * r2)


def undistort(positions: np.ndarray, shape: tuple[int, int], strength: float) -> np.ndarray:
    """The inverse of `distort`, to 1e-9 px.

    >>> p = np.array([[3.0, 5.0], [150.0, 80.0]])
    >>> bool(np.allclose(distort(undistort(p, (100, 200), 0.02), (100, 200), 0.02), p, atol=1e-9))
    True
    """
    positions = np.asarray(positions, dtype=np.float64)
    if strength == 0.0:
        return positions.copy()
    centre, radius = _centre(shape)
    offset = positions - centre
    seen = np.sqrt((offset**2).sum(axis=-1, keepdims=True)) / radius
    true = seen.copy()
    for _ in range(20):
        true -= (true * (1.0 + strength * true**2) - seen) / (1.0 + 3.0 * strength * true**2)
    return centre + offset / (1.0 + strength * true**2)


def _centre(shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    return centre, 0.5 * math.hypot(*shape)


def pointing(night: Night) -> tuple[float, float]:
    """Right ascension and declination of the reference frame's centre, degrees."""
    if night.ra is not None:
        return night.ra, night.dec
    blocks = len(night.filters) * len(night.exposures)
    lasts = night.n_lights * sum((e + night.pause) * len(night.filters) for e in night.exposures) if blocks else 0.0
    return (sidereal_angle(night.start, night.telescope.longitude) + lasts / 2.0 / 86164.09 * 360.0) % 360.0, night.dec


def plate_cards(night: Night) -> dict[str, float | str]:
    """WCS cards of the reference geometry (without distortion), as FITS writes them."""
    ra, dec = pointing(night)
    (a, b), (c, d) = _cd(night)
    return {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": ra,
        "CRVAL2": dec,
        "CRPIX1": (night.camera.width + 1) / 2,
        "CRPIX2": (night.camera.height + 1) / 2,
        "CD1_1": a,
        "CD1_2": b,
        "CD2_1": c,
        "CD2_2": d,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "RADESYS": "ICRS",
    }


def _cd(night: Night) -> np.ndarray:
    angle = math.radians(night.telescope.position_angle)
    scale = night.pixel_scale / 3600.0
    c, s = math.cos(angle), math.sin(angle)
    return scale * np.array([[-c, s], [-s, -c]])


def sky_of(night: Night, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right ascension and declination (degrees) of ideal positions (n, 2) of the reference frame."""
    ra0, dec0 = (math.radians(v) for v in pointing(night))
    centre, _ = _centre(night.shape)
    xi, eta = np.radians((np.asarray(positions, dtype=np.float64) - centre) @ _cd(night).T).T
    below = math.cos(dec0) - eta * math.sin(dec0)
    ra = ra0 + np.arctan2(xi, below)
    dec = np.arctan2(math.sin(dec0) + eta * math.cos(dec0), np.hypot(xi, below))
    return np.degrees(ra) % 360.0, np.degrees(dec)


def positions_of(night: Night, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Ideal positions (n, 2) on the reference frame of places on the sky (degrees); NaN on its far side.

    >>> night = Night()
    >>> ra, dec = sky_of(night, np.array([[12.0, 800.0]]))
    >>> np.round(positions_of(night, ra, dec), 6).tolist()
    [[12.0, 800.0]]
    """
    ra0, dec0 = (math.radians(v) for v in pointing(night))
    ra, dec = np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
    depth = math.sin(dec0) * np.sin(dec) + math.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    depth = np.where(depth > 1e-3, depth, np.nan)
    xi = np.cos(dec) * np.sin(ra - ra0) / depth
    eta = (math.cos(dec0) * np.sin(dec) - math.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / depth
    centre, _ = _centre(night.shape)
    return centre + np.degrees(np.column_stack([xi, eta])) @ np.linalg.inv(_cd(night)).T


def sidereal_angle(time: datetime, longitude: float) -> float:
    """Local mean sidereal time, degrees (Meeus, Astronomical Algorithms, 12.4)."""
    return (280.46061837 + 360.98564736629 * (julian_date(time) - 2451545.0) + longitude) % 360.0


def altitude(ra: float, dec: float, time: datetime, latitude: float, longitude: float) -> float:
    """Height above the horizon, degrees, without refraction."""
    hour_angle = math.radians(sidereal_angle(time, longitude) - ra)
    d, l = math.radians(dec), math.radians(latitude)
    return math.degrees(math.asin(math.sin(d) * math.sin(l) + math.cos(d) * math.cos(l) * math.cos(hour_angle)))


def airmass(height: float) -> float:
    """Airmass at a height in degrees (Pickering 2002, DIO 12, 20); the value of the horizon below it.

    >>> round(airmass(90.0), 3), round(airmass(30.0), 2)
    (1.0, 1.99)
    """
    height = max(height, 0.0)
    return 1.0 / math.sin(math.radians(height + 244.0 / (165.0 + 47.0 * height**1.1)))
