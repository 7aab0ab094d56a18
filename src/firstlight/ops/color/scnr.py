"""Removal of a green cast."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.asinh import WEIGHTS
from firstlight.ops.stretch.levels import joined_flags
from firstlight.ops.words import spelled

Limit = Annotated[
    Literal["average", "maximum", "maximum_mask", "additive_mask", "minimum"],
    spelled({"avg": "average", "max": "maximum", "min": "minimum"}),
]


class Scnr(Params):
    channel: Literal["red", "green", "blue"] = "green"
    """The colour that is held back."""
    limit: Limit = "average"
    """The channel may not exceed the ``average``, or the larger (``maximum``), of the other two. The masks take it down
    by the amount, times one less the larger of the others (``maximum_mask``), or less their sum (``additive_mask``);
    for images in 0..1. ``minimum`` is the inverse: it is raised to the smaller of the other two where it is below
    both."""
    amount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """0 changes nothing, 1 holds the limit everywhere."""
    keep_luminance: bool = False
    """Add to all channels what the pixel lost in luminance."""


@operation("color:scnr", reach=Reach.PIXEL, version=2)
def scnr(image: Image, p: Scnr) -> Image:
    """Hold a channel, usually green, at the average of the other two where it exceeds it (subtractive chromatic noise).

    Little in the sky is green; apply it once background and stars are balanced. Flags: of the limited channel, OR-ed
    with those of the others (of all, with ``keep_luminance``). Variance: dropped, for the smaller of two noisy values
    has none that a pixel could tell. Plate and unit: kept.

    References
    ----------
    The five methods are those known from PixInsight (average neutral, maximum neutral, the two masks) and cvastrophoto
    (the inverse).

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> scnr(Image(np.array([1.0, 5.0, 2.0])[:, None, None]), Scnr()).data.ravel().tolist()
    [1.0, 1.5, 2.0]
    """
    need_three("color:scnr", image)
    held = NAMES.index(p.channel)
    first, second = (image.data[c] for c in range(3) if c != held)
    own = image.data[held]
    amount = np.float32(p.amount)
    data, flags = image.data.copy(), image.flags.copy()
    if p.limit in ("maximum_mask", "additive_mask"):
        others = np.maximum(first, second) if p.limit == "maximum_mask" else first + second
        keep = np.clip(others, 0, 1)
        # NaN beside a good value: the value stays.
        data[held] = np.fmin(own, own * ((1 - amount) * (1 - keep) + keep))
    elif p.limit == "minimum":
        data[held] = np.fmax(own, (1 - amount) * own + amount * np.minimum(first, second))
    else:
        limit = np.float32(0.5) * (first + second) if p.limit == "average" else np.maximum(first, second)
        data[held] = np.fmin(own, (1 - amount) * own + amount * limit)
    flags[held] = joined_flags(image)[held]
    if p.keep_luminance:
        data += np.float32(WEIGHTS["human"][held]) * np.nan_to_num(own - data[held])
        flags = joined_flags(image)
    return image.replace(data=data, flags=flags, variance=None)
