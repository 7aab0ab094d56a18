"""Removal of a green cast."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.kernels.mixing import hold_channel
from firstlight.model.image import Image
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.parts import across, each_row_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.asinh import WEIGHTS
from firstlight.ops.stretch.levels import joined_flags
from firstlight.ops.words import spelled

LIMITS = ("average", "maximum", "maximum_mask", "additive_mask", "minimum")
"""In the order of the kernel's modes."""
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


@operation("color:scnr", reach=Reach.PIXEL, version=3)
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
    others = np.array([c for c in range(3) if c != held])
    mode = LIMITS.index(p.limit)
    weight = np.float32(WEIGHTS["human"][held] if p.keep_luminance else 0.0)
    x, data = across(image.data), np.empty(image.shape, np.float32)

    def work(first: int, last: int) -> None:
        hold_channel(x, first, last, held, others, mode, np.float32(p.amount), weight, across(data))

    each_row_part(image.shape, work)
    joined = joined_flags(image)
    flags = joined
    if joined is not image.flags and not p.keep_luminance:
        flags = image.flags.copy()
        flags[held] = joined[held]
    return image.replace(data=data, flags=flags, variance=None, checked=True)
