"""What every stretch shares: where black and white lie, and how a curve acts on an image."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit

CACHED = 50_000
"""Pixels of a block: 200 kB."""
MANY = 2_000_000
"""Pixels of a channel that levels are measured from: median and deviation are right to a thousandth of the noise."""

Curve = Callable[[np.ndarray], np.ndarray]


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
        white = float(np.max(image.data, where=image.good, initial=0.0))
    return white if white > 0 else 1.0


def normalised(image: Image) -> Image:
    """The image over its white level, unit normalised; variance scaled, all else kept."""
    if image.unit == PixelUnit.NORMALISED:
        return image
    factor = np.float32(1.0 / white_level(image))
    variance = None if image.variance is None else image.variance * factor**2
    return image.replace(data=image.data * factor, variance=variance, unit=PixelUnit.NORMALISED)


def stretched(image: Image, curve: Curve | list[Curve]) -> Image:
    """Apply a curve of normalised values, or one per channel, to an image; its unit becomes normalised.

    The standard deviation is half the step of the curve from one sigma below to one above: exact for straight curves,
    right through bends and ends.
    """
    factor = np.float32(1.0 / white_level(image))
    curves = curve if isinstance(curve, list) else [curve] * image.shape[0]
    data = np.empty_like(image.data)
    variance = None if image.variance is None else np.empty_like(image.data)
    # A few rows at a time: the intermediate results of a curve stay in the cache (half the time on 12 Mpx).
    rows = max(CACHED // max(image.shape[2], 1), 1)
    for channel, bend in enumerate(curves):
        for part in (slice(top, top + rows) for top in range(0, image.shape[1], rows)):
            plane = image.data[channel, part]
            plane = plane if factor == 1 else plane * factor
            data[channel, part] = bend(plane)
            if variance is not None:
                sigma = np.sqrt(image.variance[channel, part]) * factor
                variance[channel, part] = (0.5 * (bend(plane + sigma) - bend(plane - sigma))) ** 2
    return image.replace(data=data, variance=variance, unit=PixelUnit.NORMALISED)


def trusted(image: Image, channel: int) -> np.ndarray:
    """Values of a channel that say where its sky is: good ones, neither saturated nor without data.

    Of a large image every so many, evenly spread. All of them where none is free of flags; one zero for an empty
    channel.
    """
    step = sample_step(image.shape[1:])
    flags = image.flags[channel].reshape(-1)[::step]
    data = image.data[channel].reshape(-1)[::step]
    if not flags.any():
        return data
    values = data[~has(flags, Flag.NO_DATA | Flag.NOT_FINITE | Flag.SATURATED)]
    if not values.size:
        values = data[~has(flags, EXCLUDED)]
    return values if values.size else np.zeros(1, np.float32)


def sample_step(shape: tuple[int, int]) -> int:
    """Distance between the pixels, row after row, that stand for a plane (height, width); 1 for all.

    It has no divisor in common with the width, so that the sample runs through all columns.

    >>> sample_step((1000, 1000)), sample_step((4000, 6000))
    (1, 13)
    """
    height, width = shape
    step = max(height * width // MANY, 1)
    while math.gcd(step, width) > 1:
        step += 1
    return step


def joined_flags(image: Image) -> np.ndarray:
    """Flags OR-ed over the channels, in each channel: for operations that mix colours pixel by pixel."""
    if image.shape[0] == 1 or not image.flags.any():
        return image.flags
    return np.broadcast_to(np.bitwise_or.reduce(image.flags, axis=0), image.shape).copy()
