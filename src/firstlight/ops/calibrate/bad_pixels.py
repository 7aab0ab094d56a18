"""Bad pixels that a map names."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation

NAMED = Flag.HOT | Flag.COLD | Flag.NO_DATA


class BadPixels(Params):
    """Takes no parameters."""


@operation("cal:badpixels", reach=Reach.PIXEL, demands=State.LINEAR)
def bad_pixels(image: Image, p: BadPixels, map: Image) -> Image:
    """Flag the pixels that a map of bad pixels names, for `cal:repair` to mend.

    Every pixel of the map that is not 0 is bad, as `firstlight detector` and other programs write it; a map of one
    channel serves all.

    Flags: those of the map's own (HOT, COLD, NO_DATA), else NO_DATA. Data, variance, plate and unit: kept.

    Raises
    ------
    InputError
        The map has another size.

    >>> marked = bad_pixels(Image([[5.0, 6.0]]), BadPixels(), Image([[0.0, 1.0]]))
    >>> marked.flags.ravel().tolist()
    [0, 64]
    """
    if image.shape[1:] != map.shape[1:] or map.shape[0] not in (1, image.shape[0]):
        raise InputError(
            f"cal:badpixels: the image is {image.shape[2]} x {image.shape[1]} px, the map {map.shape[2]} x "
            f"{map.shape[1]}; they must be equal; make one of this camera, binning and sub-frame (firstlight detector)"
        )
    known = map.flags & np.uint16(NAMED)
    flags = np.where((map.data != 0) & (known == 0), np.uint16(Flag.NO_DATA), known)
    return image.replace(flags=image.flags | flags)
