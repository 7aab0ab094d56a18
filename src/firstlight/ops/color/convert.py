"""From one colour space to another."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.lightness import TO_XYZ
from firstlight.ops.color.spaces import from_space, to_space
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import joined_flags, normalised
from firstlight.ops.words import spelled

ALSO = spelled(
    {"RGB": "rgb", "RGB CIE": "rgb", "XYZ": "xyz", "LAB": "lab", "LCH": "lch", "HSV": "hsv", "L": "luminance",
     "V": "value", "CIEL": "lightness", "GRAY": "grey", "gray": "grey"}
)  # fmt: skip
_ROWS = 64


Space = Annotated[Literal["rgb", "srgb", "xyz", "lab", "lch", "hsv", "luminance", "value", "lightness", "grey"], ALSO]


class Convert(Params):
    source: Space = "rgb"
    """What the channels are now: ``rgb`` linear red, green and blue with the primaries of sRGB; ``srgb`` the same,
    coded for the eye; of the words for one channel a grey picture is made."""
    target: Space = "lab"
    """What they become. ``luminance`` (Y), ``value`` (the largest), ``lightness`` (L*) and ``grey`` (the mean) are one
    channel."""


@operation("color:convert", reach=Reach.PIXEL)
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

    >>> from firstlight.model.image import PixelUnit
    >>> grey = Image(np.full((3, 1, 1), 0.18418652), unit=PixelUnit.NORMALISED)
    >>> abs(convert(grey, Convert(target="lab")).data.ravel().round(4)).tolist()
    [0.5, 0.0, 0.0]
    """
    one = p.source in ("luminance", "value", "lightness", "grey")
    if one and image.shape[0] != 1:
        raise InputError(f"color:convert: source={p.source} is one channel; the image has {image.shape[0]}")
    if not one:
        need_three("color:convert", image)
    scaled = normalised(image)
    to_one = p.target in ("luminance", "value", "lightness", "grey")
    data = np.empty((1 if to_one else 3, *image.shape[1:]), np.float32)
    for top in range(0, image.shape[1], _ROWS):
        rows = slice(top, top + _ROWS)
        # In double precision: a cube and its root would cost the last digits of what comes back.
        rgb = _linear(scaled.data[:, rows].astype(np.float64), p.source)
        data[:, rows] = _grey(rgb, p.target) if to_one else to_space(rgb, p.target)
    flags = joined_flags(image)
    return scaled.replace(data=data, flags=np.broadcast_to(flags[:1], data.shape).copy(), variance=None)


def _linear(values: np.ndarray, source: str) -> np.ndarray:
    if len(values) == 3:
        return from_space(values, source)
    if source == "lightness":
        lab = np.concatenate([values, np.zeros((2, *values.shape[1:]))])
        return from_space(lab, "lab")
    return np.repeat(values, 3, axis=0)


def _grey(rgb: np.ndarray, target: str) -> np.ndarray:
    if target == "value":
        return rgb.max(axis=0)
    if target == "grey":
        return rgb.mean(axis=0)
    luminance = np.tensordot(TO_XYZ[1], rgb, axes=1)
    return luminance if target == "luminance" else to_space(np.stack([luminance] * 3), "lab")[0]
