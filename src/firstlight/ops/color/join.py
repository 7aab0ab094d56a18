"""Red, green and blue put together."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.color.together import joined_meta, need_alike, need_mono
from firstlight.ops.registry import Params, Reach, operation


class Join(Params):
    pass


@operation("color:join", reach=Reach.PIXEL)
def join(image: Image, p: Join, green: Image, blue: Image) -> Image:
    """Make a colour image of three: the image becomes red; green and blue are given.

    Flags, variance, unit: those of each channel; the variance is dropped if one has none. Plate: kept. In the header
    exposures and frames are sums, the filter lists all three.

    Raises
    ------
    InputError
        The images differ in size, unit or state, or have several channels.

    >>> join(Image([[1.0]]), Join(), Image([[2.0]]), Image([[3.0]])).data.ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    need_mono("color:join", image=image, green=green, blue=blue)
    need_alike("color:join", image, green=green, blue=blue)
    return stacked([image, green, blue])


def stacked(images: list[Image]) -> Image:
    """Images of one size as the channels of one."""
    if not images:
        raise InputError("color:join: no image given")
    variances = [image.variance for image in images]
    return images[0].replace(
        data=np.concatenate([image.data for image in images]),
        flags=np.concatenate([image.flags for image in images]),
        variance=None if any(v is None for v in variances) else np.concatenate(variances),  # type: ignore[arg-type]
        meta=joined_meta(images),
    )


def split(image: Image, channel: int) -> Image:
    """One channel as an image of its own."""
    part = slice(channel, channel + 1)
    return image.replace(
        data=image.data[part],
        flags=image.flags[part],
        variance=None if image.variance is None else image.variance[part],
    )
