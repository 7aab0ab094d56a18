"""Flags as an image."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation

WORDS = {
    "saturated": Flag.SATURATED, "hot": Flag.HOT, "cold": Flag.COLD, "cosmicray": Flag.COSMIC_RAY, "trail": Flag.TRAIL,
    "interpolated": Flag.INTERPOLATED, "nodata": Flag.NO_DATA | Flag.NOT_FINITE, "lowflat": Flag.LOW_FLAT,
    "rejected": Flag.REJECTED,
}  # fmt: skip


class Flagged(Params):
    which: Literal[
        "any", "saturated", "hot", "cold", "cosmicray", "trail", "interpolated", "nodata", "lowflat", "rejected"
    ] = "any"
    """The flag that is shown."""


@operation("inspect:flagged", reach=Reach.PIXEL, gives=State.LINEAR)
def flagged(image: Image, p: Flagged) -> Image:
    """The mask of a flag as an image: 1 where it is set, 0 elsewhere.

    With `cal:arithmetic` the difference of an image before and after a step shows what the step took away.

    Flags and plate: kept. Variance: dropped, a mask has none. Unit: normalised.

    >>> image = Image([[5.0, 6.0]], flags=[[0, int(Flag.COSMIC_RAY)]])
    >>> flagged(image, Flagged(which="cosmicray")).data.ravel().tolist()
    [0.0, 1.0]
    """
    mask = image.flags != 0 if p.which == "any" else has(image.flags, WORDS[p.which])
    return image.replace(data=mask.astype(np.float32), variance=None, unit=PixelUnit.NORMALISED, state=State.LINEAR)
