"""The black level of camera raw."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation


class AddBlack(Params):
    """Takes no parameters."""


@operation("cal:addblack", reach=Reach.PIXEL, demands=State.LINEAR)
def add_black(image: Image, p: AddBlack) -> Image:
    """Add the black level that reading a camera raw file has subtracted: the pixels as the sensor gave them.

    The level is the lowest of the cards BLACK_R, BLACK_G1, BLACK_B and BLACK_G2 (mono: BLACK_M). Apply it first. The
    header says it as a pedestal, and a FITS file of the result is read without it again. Saturation rises by it. Flags,
    variance, plate and unit: kept.

    Raises
    ------
    InputError
        If the header has no such cards, the image is not in adu, or its bias or black level is accounted for already.

    >>> from firstlight.model.meta import Meta
    >>> frame = Image([[-3.0, 10.0]], meta=Meta(cards=(("BLACK_R", 512.0, ""), ("BLACK_B", 513.0, ""))))
    >>> add_black(frame, AddBlack()).data.ravel().tolist()
    [509.0, 522.0]
    """
    meta = image.meta
    levels = [float(value) for keyword, value, _ in meta.cards if keyword.startswith("BLACK_")]
    if not levels:
        raise InputError("cal:addblack: the header has no BLACK_R; only camera raw files bring it along")
    if image.unit != PixelUnit.ADU or meta.pedestal or meta.calibrated & {"bias", "dark"}:
        what = (
            f"is in {image.unit}" if image.unit != PixelUnit.ADU
            else f"has a pedestal of {meta.pedestal:g} adu" if meta.pedestal
            else "was corrected for bias or dark"
        )  # fmt: skip
        raise InputError(f"cal:addblack: the image {what}; it must be in adu, as read; make this the first step")
    level = min(levels)
    saturation = None if meta.saturation is None else meta.saturation + level
    return image.replace(
        data=image.data + np.float32(level), meta=meta.replace(pedestal=level or None, saturation=saturation)
    )
