"""The plane of an image on which stars are measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError
from firstlight.kernels.calibrate import smooth_mosaic
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit

FULL = 0.98
"""Share of the white level from which on a pixel is taken for full."""
LEFT_OUT = EXCLUDED | Flag.HOT | Flag.COLD | Flag.COSMIC_RAY | Flag.TRAIL
"""Pixels with any of these flags take no part in the measuring of a star."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane and what must be known to measure on it."""

    data: np.ndarray
    """float32 (y, x)."""
    excluded: np.ndarray | None
    """bool (y, x), True where a pixel takes no part; None: nowhere."""
    saturation: float
    """In the unit of the plane; infinite where unknown."""
    gain: float | None
    """e- per unit of the plane; None where unknown."""


def plane_of(image: Image, channel: int = 0, *, saturation: float | None = None) -> Plane:
    """The plane for measuring stars: that of the channel (1-based), or of all (0).

    Of a colour image that is the mean of the channels, of a CFA mosaic its 3 x 3 binomial luminance, so that positions
    are those of the full frame. Flagged pixels (hot, cold, cosmic ray, trail, no data) take no part. ``saturation`` (in
    the unit of the image) goes before that of the header; without either, pixels flagged as saturated are full.

    Raises
    ------
    InputError
        There is no such channel.
    """
    channels, height, width = image.shape
    if not 0 <= channel <= channels:
        raise InputError(f"channel {channel}: the image has {channels}; 1 to {channels}, or 0 for all, is allowed")
    chosen = slice(channel - 1, channel) if channel else slice(None)
    data, flags = image.data[chosen], image.flags[chosen]
    gain = image.meta.gain if image.unit == PixelUnit.ADU else 1.0 if image.unit == PixelUnit.ELECTRON else None
    bad = has(flags, LEFT_OUT).any(axis=0)
    full = has(flags, Flag.SATURATED).any(axis=0)
    if len(data) > 1:
        plane = data.mean(axis=0)
        gain = gain * len(data) if gain else None
    elif image.meta.cfa and channels == 1 and min(height, width) >= 3:
        plane = np.empty((height, width), np.float32)
        smooth_mosaic(data[0], plane)
    else:
        plane = data[0]
    white = saturation if saturation is not None else white_of(image)
    if full.any() and np.isfinite(plane[full]).any():
        # What was calibrated or repaired no longer says by its value that it was full.
        white = white if np.isfinite(white) else float(np.nanmax(plane[full]))
        plane = np.where(full, np.float32(white), plane)
    return Plane(np.ascontiguousarray(plane), bad if bad.any() else None, FULL * white, gain)


def white_of(image: Image) -> float:
    """In the unit of the image. A calibrated image lies lower by its pedestal, which the header no longer tells."""
    white = image.meta.saturation
    if white is None or image.unit == PixelUnit.NORMALISED:
        return np.inf
    return white * (image.meta.gain or 1.0) if image.unit == PixelUnit.ELECTRON else white
