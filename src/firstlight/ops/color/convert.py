"""From one colour space to another."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.kernels.spaces import SPACES, convert_colours
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.lightness import FROM_XYZ, TO_XYZ, WHITE
from firstlight.ops.parts import across, each_row_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import joined_flags, white_level
from firstlight.ops.words import spelled

ALSO = spelled(
    {"RGB": "rgb", "RGB CIE": "rgb", "XYZ": "xyz", "LAB": "lab", "LCH": "lch", "HSV": "hsv", "L": "luminance",
     "V": "value", "CIEL": "lightness", "GRAY": "grey", "gray": "grey"}
)  # fmt: skip


Space = Annotated[Literal["rgb", "srgb", "xyz", "lab", "lch", "hsv", "luminance", "value", "lightness", "grey"], ALSO]


class Convert(Params):
    source: Space = "rgb"
    """What the channels are now: ``rgb`` linear red, green and blue with the primaries of sRGB; ``srgb`` the same,
    coded for the eye; of the words for one channel a grey picture is made."""
    target: Space = "lab"
    """What they become. ``luminance`` (Y), ``value`` (the largest), ``lightness`` (L*) and ``grey`` (the mean) are one
    channel."""


@operation("color:convert", version=2, reach=Reach.PIXEL)
def convert(image: Image, p: Convert) -> Image:
    """Convert the channels of an image from one colour space to another; each way back gives the image again.

    L*, a*, b* and C* are written over 100, hues over 360, so that all numbers are about 0 to 1; white is that of D65.
    HSV is of the coded colours, as everywhere. Negative values and values above white come back too. The record of the
    image does not know the space: name it when coming back.

    Flags: OR-ed over the channels. Variance: dropped, for the channels no longer stand for light. Plate: kept. Unit:
    normalised (1 is white: the saturation level, or the largest value where none is known).

    References
    ----------
    IEC 61966-2-1 (sRGB); CIE 15 (L*a*b*); Smith 1978 (HSV).

    Raises
    ------
    InputError
        Three channels are needed, or one for a source of one channel.

    >>> grey = Image(np.full((3, 1, 1), 0.18418652), unit=PixelUnit.NORMALISED)
    >>> abs(convert(grey, Convert(target="lab")).data.ravel().round(4)).tolist()
    [0.5, 0.0, 0.0]
    """
    one = p.source in ("luminance", "value", "lightness", "grey")
    if one and image.shape[0] != 1:
        raise InputError(f"color:convert: source={p.source} is one channel; the image has {image.shape[0]}")
    if not one:
        need_three("color:convert", image)
    channels = 1 if p.target in ("luminance", "value", "lightness", "grey") else 3
    shape = (channels, *image.shape[1:])
    x, data = across(image.data), np.empty(shape, np.float32)
    factor = np.float32(1 / white_level(image))
    source, target = SPACES.index(p.source), SPACES.index(p.target)

    def work(first: int, last: int) -> None:
        convert_colours(x, first, last, factor, source, target, TO_XYZ, FROM_XYZ, WHITE, across(data))

    each_row_part(shape, work)
    joined = joined_flags(image)
    if channels == image.shape[0]:
        flags = joined
    else:
        flags = np.broadcast_to(joined[:1], shape).copy()
    return image.replace(data=data, flags=flags, variance=None, unit=PixelUnit.NORMALISED)
