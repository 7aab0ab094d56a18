"""A comet that crosses the field: nucleus, coma and tail, and where they are at what time."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from firstlight.simulate.scene import render_stars
from firstlight.simulate.settings import Night

COLOURS = (0.6, 1.0, 0.7)
"""Light in red, green and blue over that in green or clear: a comet is green."""
COMA = ((0.35, 0.5), (0.4, 1.0), (0.25, 2.2))
"""Shares of the coma's light, and their widths over that of the coma: Gaussians, which fall off about as 1/r does."""
NUCLEUS = 0.2
TAIL = 0.25
BLOBS = 12


def comet_position(night: Night, time: datetime) -> np.ndarray:
    """Ideal position (2,) of the nucleus on the reference frame; at the middle of the lights it is in the centre.

    >>> from firstlight.simulate.settings import Comet
    >>> night = Night(n_lights=1, comet=Comet(flux=9.0, rate=60.0, angle=0.0), exposures=(60.0,), pause=0.0)
    >>> comet_position(night, night.start + timedelta(minutes=1, seconds=30)).tolist()
    [800.5, 599.5]
    """
    blocks = len(night.filters) * night.n_lights
    middle = night.start + timedelta(seconds=0.5 * blocks * sum(e + night.pause for e in night.exposures))
    hours = (time - middle).total_seconds() / 3600.0
    angle = math.radians(night.comet.angle)
    height, width = night.shape
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return centre + night.comet.rate * hours * np.array([math.cos(angle), math.sin(angle)])


def comet_parts(night: Night) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets (n, 2) from the nucleus, shares of the light (n,) and widths (n,), px; 0 wide is the nucleus, a star."""
    comet = night.comet
    wide = comet.coma / night.pixel_scale
    tail = TAIL if comet.tail else 0.0
    offsets, shares, widths = [(0.0, 0.0)], [NUCLEUS], [0.0]
    for share, width in COMA:
        offsets.append((0.0, 0.0))
        shares.append((1 - NUCLEUS - tail) * share)
        widths.append(width * wide)
    away = math.radians(comet.tail_angle)
    for k in range(BLOBS if tail else 0):
        along = comet.tail * (k + 1) / BLOBS
        offsets.append((along * math.cos(away), along * math.sin(away)))
        shares.append(tail * 2 * (BLOBS - k) / (BLOBS * (BLOBS + 1)))
        widths.append(0.5 * wide + 0.3 * along)
    return np.array(offsets), np.array(shares), np.array(widths)


def add_comet(
    night: Night, position: np.ndarray, turn: float, star_fwhm: float, factor: float, cell: np.ndarray, out: np.ndarray
) -> None:
    """Draw the comet on a plane (y, x) of e-/s.

    ``position`` of the nucleus on the plane; ``turn`` of the reference against the plane, degrees; ``factor`` is the
    transparency. It stands still during the exposure.
    """
    offsets, shares, widths = comet_parts(night)
    angle = math.radians(-turn)
    turned = offsets @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    x, y = (position + turned).T
    colours = np.array([1.0] if cell.max() == 0 else COLOURS)
    flux = night.comet.flux * factor * shares[:, None] * colours
    # One call each: their widths differ much.
    for i in range(len(shares)):
        width = math.hypot(widths[i], star_fwhm)
        one = slice(i, i + 1)
        render_stars(out.shape, x[one], y[one], flux[one], width, beta=None, cell=cell, floor=0.0, out=out)
