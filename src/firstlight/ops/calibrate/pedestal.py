"""A constant that keeps pixels above zero."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Adu


class Pedestal(Params):
    level: Adu = 100.0
    """Added to every pixel; below zero it is taken off."""


@operation("cal:pedestal", reach=Reach.PIXEL, demands=State.LINEAR)
def pedestal(image: Image, p: Pedestal) -> Image:
    """Add a constant, for formats and programs that know no negative numbers.

    The header says it (PEDESTAL), so that reading the file takes it off again. Saturation rises by it. Flags, variance,
    plate and unit: kept.

    Raises
    ------
    InputError
        The image is not in adu.

    >>> lifted = pedestal(Image([[-3.0, 5.0]]), Pedestal(level=10))
    >>> lifted.data.ravel().tolist(), lifted.meta.pedestal
    ([7.0, 15.0], 10.0)
    """
    if image.unit != PixelUnit.ADU:
        raise InputError(f"cal:pedestal: the image is in {image.unit}; the keyword PEDESTAL is in adu; do it before")
    meta = image.meta
    saturation = None if meta.saturation is None else meta.saturation + p.level
    total = (meta.pedestal or 0.0) + p.level
    return image.replace(
        data=image.data + np.float32(p.level), meta=meta.replace(pedestal=total or None, saturation=saturation)
    )
