"""Factors for the colours of the stars, or of what lies behind them."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three, sky_level
from firstlight.ops.contrast.starless import StarSplit, split_stars
from firstlight.ops.registry import Reach, operation

Factor = Annotated[float, Field(ge=0, le=100)]


class PartBalance(StarSplit):
    part: Literal["stars", "background"] = "stars"
    """What is balanced; the other stays as it is."""
    red: Factor = 1.0
    """Red light is multiplied by this."""
    green: Factor = 1.0
    """Green light is multiplied by this."""
    blue: Factor = 1.0
    """Blue light is multiplied by this."""


@operation("color:partbalance", version=2, reach=Reach.FRAME)
def balance_part(image: Image, p: PartBalance) -> Image:
    """Multiply red, green and blue of the stars alone, or of what lies behind them alone, by factors.

    Stars are taken out first (see `extract:starless`). Of the background only what lies above each channel's level is
    multiplied, so that a neutral sky stays neutral.

    Flags, plate and unit: kept. Variance: dropped, for that of what is drawn in behind stars is not known.

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> balance_part(Image(np.ones((3, 32, 32))), PartBalance(red=2)).data.max()
    np.float32(1.0)
    """
    need_three("color:partbalance", image)
    parts = split_stars(image, p, "color:partbalance")
    factors = np.array([p.red, p.green, p.blue], np.float32)[:, None, None]
    if p.part == "stars":
        data = parts.starless.data + factors * parts.stars.data
    else:
        levels = np.array([sky_level(parts.starless, c) for c in range(3)], np.float32)[:, None, None]
        data = levels + factors * (parts.starless.data - levels) + parts.stars.data
    return image.replace(data=data, variance=None)
