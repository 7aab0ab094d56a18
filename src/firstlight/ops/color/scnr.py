"""Removal of a green cast."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import joined_flags


class Scnr(Params):
    channel: Literal["red", "green", "blue"] = "green"
    """The colour that is held back."""
    limit: Literal["average", "maximum"] = "average"
    """The channel may not exceed the average, or the larger, of the other two."""
    amount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """0 changes nothing, 1 holds the limit everywhere."""


@operation("color:scnr", reach=Reach.PIXEL)
def scnr(image: Image, p: Scnr) -> Image:
    """Hold a channel, usually green, at the average of the other two where it exceeds it (subtractive chromatic noise).

    Little in the sky is green; apply it once background and stars are balanced. Flags: of the limited channel, OR-ed
    with those of the others. Variance: dropped, for the smaller of two noisy values has none that a pixel could tell.
    Plate and unit: kept.

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
    limit = np.float32(0.5) * (first + second) if p.limit == "average" else np.maximum(first, second)
    amount = np.float32(p.amount)
    data, flags = image.data.copy(), image.flags.copy()
    # NaN beside a good value: the value stays.
    data[held] = np.fmin(data[held], (1 - amount) * data[held] + amount * limit)
    flags[held] = joined_flags(image)[held]
    return image.replace(data=data, flags=flags, variance=None)
