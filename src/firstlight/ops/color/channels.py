"""What colour operations share."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.ops.stretch.sample import sample

NAMES = ("red", "green", "blue")


def need_three(step: str, image: Image) -> None:
    """Whether the image has red, green and blue.

    Raises
    ------
    InputError
        If not.
    """
    if image.shape[0] != 3:
        hint = "; debayer it first (cal:debayer)" if image.meta.cfa else ""
        raise InputError(f"{step}: the image has {image.shape[0]} channel(s); red, green and blue are needed{hint}")


def sky_level(image: Image, channel: int) -> float:
    """Level of the background of a channel: the median of good pixels, those above it by 3 sigma left out, repeatedly.

    Sigma is taken from below the median, where there are no stars.
    """
    flags = sample(image.flags[channel])
    values = sample(image.data[channel])[~has(flags, Flag.NO_DATA | Flag.NOT_FINITE | Flag.SATURATED)]
    if not values.size:
        return 0.0
    # A million pixels give the level to a thousandth of the noise.
    values = np.sort(values[:: max(values.size // 1_000_000, 1)])
    for _ in range(20):
        median = values[len(values) // 2]
        sigma = 1.4826 * float(median - values[len(values) // 4])
        last = np.searchsorted(values, median + 3 * sigma, side="right")
        if last == len(values) or sigma == 0:
            break
        values = values[:last]
    return float(np.median(values))
