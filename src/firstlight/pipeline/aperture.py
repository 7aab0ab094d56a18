"""Light of stars in round apertures, above the ring around them: the same share of it whatever profile a star has."""

from __future__ import annotations

import numpy as np

WIDE = 2.5
"""FWHM: radius that holds all but half a percent of a star's light, and changes of the seeing hardly reach."""
SMALLEST = 3.0
"""px."""


def star_light(plane: np.ndarray, good: np.ndarray, positions: np.ndarray, radius: float) -> np.ndarray:
    """Light of stars on a plane (y, x), in apertures about the nearest pixels of positions (n, 2): float64 (n,).

    The sky is the median of a ring as wide as the aperture. NaN where the ring leaves the plane or touches a pixel that
    is not good.
    """
    reach = int(np.ceil(2 * radius))
    yy, xx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(yy, xx)
    inner = np.stack(np.nonzero(distance <= radius))
    # Every third pixel of the ring tells its median well enough.
    ring = np.stack(np.nonzero((distance > radius + 1) & (distance <= 2 * radius)))[:, ::3]
    places = np.concatenate([inner, ring], axis=1) - reach
    centres = np.rint(positions).astype(int)
    ys, xs = centres[:, 1, None] + places[0], centres[:, 0, None] + places[1]
    height, width = plane.shape
    lost = (ys < 0) | (ys >= height) | (xs < 0) | (xs >= width)
    ys, xs = np.clip(ys, 0, height - 1), np.clip(xs, 0, width - 1)
    lost |= ~good[ys, xs]
    values = np.where(lost, np.float32(0.0), plane[ys, xs])
    count = inner.shape[1]
    light = values[:, :count] - np.median(values[:, count:], axis=1)[:, None]
    light[lost.any(axis=1)] = np.nan
    return light.sum(axis=1, dtype=np.float64)
