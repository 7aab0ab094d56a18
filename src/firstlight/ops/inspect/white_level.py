"""From which value on the pixels of an image are full."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, PixelUnit

PILE = 12
"""Pixels of exactly the highest value that make it the white level."""


@dataclass(frozen=True)
class WhiteLevel:
    """The level, and what said so."""

    level: float
    """Unit of the image; infinite where nothing tells."""
    source: str
    n_pixels: int
    """Pixels at or above it, or flagged as saturated."""


def white_level_of(image: Image, given: float = 0.0) -> WhiteLevel:
    """The white level: as given, else the lower of what the header says and of a pile of pixels at one highest value.

    Cameras of 12 and 14 bits seldom say so in their headers: their full pixels do.

    >>> white_level_of(Image(np.minimum(np.arange(100.0).reshape(10, 10), 80.0))).source
    '20 pixels at the highest value'
    """
    data = image.data
    level, source = np.inf, "nothing tells"
    if given:
        level, source = given, "the settings"
    else:
        if image.meta.saturation is not None and image.unit != PixelUnit.NORMALISED:
            factor = (image.meta.gain or 1.0) if image.unit == PixelUnit.ELECTRON else 1.0
            level, source = image.meta.saturation * factor, image.meta.sources.get("saturation", "the header")
        finite = np.isfinite(data)
        highest = float(data.max(where=finite, initial=-np.inf))
        if np.isfinite(highest) and highest < level:
            pile = int(np.count_nonzero(data == np.float32(highest)))
            if pile >= PILE and highest > float(np.median(data[finite])):
                level, source = highest, f"{pile} pixels at the highest value"
    full = has(image.flags, Flag.SATURATED) | (data >= np.float32(level))
    return WhiteLevel(float(level), source, int(np.count_nonzero(full)))
