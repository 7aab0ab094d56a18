"""A grey background."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three, sky_level
from firstlight.ops.registry import Params, Reach, operation


class Neutralize(Params):
    level: Literal["mean", "lowest"] = "mean"
    """Where the backgrounds meet: at their mean, or at the lowest of them."""


@operation("color:neutralize", reach=Reach.FRAME)
def neutralize(image: Image, p: Neutralize) -> Image:
    """Shift the channels so that their backgrounds are equal: the sky turns grey, the colours of stars stay.

    The background is the median of good pixels with everything above it by 3 sigma left out. Flags, plate and unit:
    kept. Variance: kept, the levels are taken as exact.

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> sky = np.ones((3, 8, 8)) * np.array([1.0, 2.0, 6.0])[:, None, None]
    >>> neutralize(Image(sky), Neutralize()).data[:, 0, 0].tolist()
    [3.0, 3.0, 3.0]
    """
    need_three("color:neutralize", image)
    levels = np.array([sky_level(image, channel) for channel in range(3)])
    target = levels.mean() if p.level == "mean" else levels.min()
    return image.replace(data=image.data + (target - levels).astype(np.float32)[:, None, None])
