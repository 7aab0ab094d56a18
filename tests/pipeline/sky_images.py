"""Images of a real piece of the sky, drawn from the catalogue that comes along."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firstlight.io.catalogs import cone
from firstlight.io.fits_writer import write_raw_fits
from firstlight.ops.align.plate_fit import on_tangent_plane

SHAPE = (480, 640)
SCALE = 30.0
"""arcsec/px."""


def image_of(ra: float, dec: float, *, angle: float = 20.0, flipped: bool = False, seed: int = 1) -> np.ndarray:
    """uint16 (y, x): the stars of Gaia as they were in 2016, FWHM 2.5 px."""
    stars = cone("gaia", ra, dec, 4.5)
    turn = np.radians(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    pixels = on_tangent_plane(stars.vectors, ra, dec) * 3600 / SCALE @ rotation.T
    pixels = pixels * np.array([1.0 if flipped else -1.0, 1.0]) + np.array([(SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2])
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    plane = np.random.default_rng(seed).normal(1000, 12, SHAPE)
    for (px, py), mag in zip(pixels, stars.mag):
        if -5 < px < SHAPE[1] + 5 and -5 < py < SHAPE[0] + 5:
            x0, y0 = max(int(px) - 9, 0), max(int(py) - 9, 0)
            part = np.s_[y0 : int(py) + 10, x0 : int(px) + 10]
            height = 300 * 10 ** (-0.4 * (mag - 9.0))
            plane[part] += height * np.exp(-((x[part] - px) ** 2 + (y[part] - py) ** 2) / (2 * 1.06**2))
    return np.clip(plane, 0, 65535).astype(np.uint16)


def write_image(path: Path, ra: float, dec: float, cards=(), **how) -> Path:
    """A raw FITS frame of it."""
    write_raw_fits(
        path, image_of(ra, dec, **how), [("DATE-OBS", "2016-01-01T12:00:00", ""), ("EXPTIME", 1.0, ""), *cards]
    )
    return path
