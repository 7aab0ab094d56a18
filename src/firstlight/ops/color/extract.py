"""One channel of a colour image."""

from __future__ import annotations

from typing import Literal

from firstlight.model.image import Image
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.registry import Params, Reach, operation


class Extract(Params):
    channel: Literal["red", "green", "blue"] = "red"
    """The channel that is taken."""


@operation("color:extract", reach=Reach.PIXEL)
def extract(image: Image, p: Extract) -> Image:
    """Take one channel of a colour image as a mono image; luminance and other mixtures by `color:grey` and `color:mix`.

    Flags and variance: those of the channel. Plate and unit: kept. The filter in the header becomes the colour.

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> import numpy as np
    >>> extract(Image(np.array([1.0, 2.0, 3.0])[:, None, None]), Extract(channel="blue")).data.ravel().tolist()
    [3.0]
    """
    need_three("color:extract", image)
    part = slice(NAMES.index(p.channel), NAMES.index(p.channel) + 1)
    return image.replace(
        data=image.data[part].copy(),
        flags=image.flags[part].copy(),
        variance=None if image.variance is None else image.variance[part].copy(),
        meta=image.meta.replace(filter=p.channel),
    )
