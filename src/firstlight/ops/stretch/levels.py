"""What every stretch shares: where black and white lie, and how a curve acts on an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firstlight.kernels.flagged import all_bits, brightest, join_flags
from firstlight.model.flags import EXCLUDED
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.parts import across, each_plane_part, each_row_part
from firstlight.ops.stretch.bends import Bend

NONE = np.empty(0, np.float32)


def white_level(image: Image) -> float:
    """The value that becomes 1, in the unit of the image.

    1 where the image is normalised or stretched already; else the saturation level (``meta.saturation``, which the
    calibration steps keep at what is left of it; times the gain for electrons); else, where no saturation is known, the
    largest good value. 1 for an image without anything above 0.
    """
    if image.unit == PixelUnit.NORMALISED:
        return 1.0
    white = image.meta.saturation
    if white and image.unit == PixelUnit.ELECTRON:
        white = white * image.meta.gain if image.meta.gain else None
    if not white or not white > 0:
        white = largest_good(image)
    return white if white > 0 else 1.0


def largest_good(image: Image) -> float:
    """The largest value of a pixel that holds a number; 0 where none is above it."""

    def largest(c: int, rows: slice) -> float:
        return brightest(image.data[c, rows].reshape(-1), image.flags[c, rows].reshape(-1), np.uint16(EXCLUDED))

    return float(max(each_plane_part(image.shape, largest), default=0.0))


def normalised(image: Image) -> Image:
    """The image over its white level, unit normalised; variance scaled, all else kept."""
    if image.unit == PixelUnit.NORMALISED:
        return image
    factor = np.float32(1.0 / white_level(image))
    variance = None if image.variance is None else image.variance * factor**2
    return image.replace(data=image.data * factor, variance=variance, unit=PixelUnit.NORMALISED)


def stretched(image: Image, bend: Bend | Sequence[Bend]) -> Image:
    """Apply a curve of normalised values, or one per channel, to an image; its unit becomes normalised.

    The standard deviation is half the step of the curve from one sigma below to one above: exact for straight curves,
    right through bends and ends.
    """
    factor = np.float32(1.0 / white_level(image))
    bends = bend if isinstance(bend, Sequence) else [bend] * image.shape[0]
    data = np.empty(image.shape, np.float32)
    given, variance = image.variance, None if image.variance is None else np.empty(image.shape, np.float32)

    def work(c: int, rows: slice) -> None:
        noise = NONE if given is None else given[c, rows].reshape(-1)
        spread = NONE if variance is None else variance[c, rows].reshape(-1)
        bends[c].on(image.data[c, rows].reshape(-1), factor, noise, data[c, rows].reshape(-1), spread)

    each_plane_part(image.shape, work)
    return image.replace(data=data, variance=variance, unit=PixelUnit.NORMALISED, checked=True)


def joined_flags(image: Image) -> np.ndarray:
    """Flags OR-ed over the channels, in each channel: for operations that mix colours pixel by pixel."""
    if image.shape[0] == 1 or not set_bits(image):
        return image.flags
    flags, out = across(image.flags), np.empty(image.shape, np.uint16)
    each_row_part(image.shape, lambda first, last: join_flags(flags, first, last, across(out)))
    return out


def set_bits(image: Image) -> int:
    """All bits that are set anywhere in the flags."""
    found = each_plane_part(image.shape, lambda c, rows: all_bits(image.flags[c, rows].reshape(-1)))
    return int(np.bitwise_or.reduce(found)) if found else 0
