"""Factors for the three colours."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three, sky_level
from firstlight.ops.registry import Params, Reach, operation

Factor = Annotated[float, Field(ge=0, le=100)]


class Balance(Params):
    red: Factor = 1.0
    """Red light is multiplied by this."""
    green: Factor = 1.0
    """Green light is multiplied by this."""
    blue: Factor = 1.0
    """Blue light is multiplied by this."""
    keep_background: bool = False
    """Multiply only what lies above each channel's background, so that a neutral sky stays neutral."""


@operation("color:balance", reach=Reach.FRAME)
def balance(image: Image, p: Balance) -> Image:
    """Multiply red, green and blue by factors: white balance by hand.

    Flags, plate and unit: kept. Variance: multiplied by the squares; a background kept is taken as exact.

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> balance(Image(np.ones((3, 1, 1))), Balance(red=2, blue=0.5)).data.ravel().tolist()
    [2.0, 1.0, 0.5]
    """
    need_three("color:balance", image)
    factors = np.array([p.red, p.green, p.blue], np.float32)[:, None, None]
    data = image.data * factors
    if p.keep_background:
        levels = np.array([sky_level(image, channel) for channel in range(3)], np.float32)[:, None, None]
        data += levels * (1 - factors)
    return image.replace(data=data, variance=None if image.variance is None else image.variance * factors**2)
