"""Flat field division."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Kind
from firstlight.ops.calibrate.masters import check_master, passed_flags
from firstlight.ops.registry import Params, Reach, operation


class DivideFlat(Params):
    """Takes no parameters."""


@operation("cal:divideflat", reach=Reach.PIXEL, demands=State.LINEAR)
def divide_flat(image: Image, p: DivideFlat, flat: Image) -> Image:
    """Divide by a master flat, of mean 1 in each CFA colour.

    A flat that is not normalised yet is divided by the mean of its good pixels first. Where the flat is 0 or less the
    pixel keeps its value and is flagged NO_DATA.

    Flags: cold, low and missing pixels of the flat are added. Variance: divided by the flat squared; that of the flat
    is added in proportion to the signal squared; none stays none. Plate and unit: kept.

    Raises
    ------
    InputError
        The master does not fit, is no flat, has no signal, or the flat was divided out before.

    >>> divide_flat(Image([[2.0, 3.0]]), DivideFlat(), Image([[5.0, 15.0]])).data.ravel().tolist()
    [4.0, 2.0]
    """
    check_master("cal:divideflat", image, flat, "flat", {Kind.FLAT, Kind.MASTER_FLAT})
    level = np.float32(1) if flat.unit == PixelUnit.NORMALISED else _levels(flat)
    sensitivity = flat.data / level
    usable = (sensitivity > 0) & flat.good
    inverse = np.divide(np.float32(1), sensitivity, out=np.ones_like(sensitivity), where=usable)
    data = image.data * inverse
    variance = image.variance
    if variance is not None:
        variance = variance * inverse**2
        if flat.variance is not None:
            relative = np.where(usable, flat.variance / level**2 * inverse**2, np.float32(0))
            variance = variance + data**2 * relative
    flags = passed_flags(image, flat) | np.where(usable, np.uint16(0), np.uint16(Flag.NO_DATA))
    meta = image.meta.replace(calibrated=image.meta.calibrated | {"flat"})
    return image.replace(data=data, variance=variance, flags=flags, meta=meta)


def _levels(flat: Image) -> np.ndarray:
    """Mean of the good pixels, of each channel and each position of the CFA cell."""
    levels = np.empty_like(flat.data)
    step = 2 if flat.meta.cfa else 1
    for channel in range(flat.shape[0]):
        for cell in ((channel, slice(j, None, step), slice(i, None, step)) for j in range(step) for i in range(step)):
            mean = np.mean(flat.data[cell], where=flat.good[cell], dtype=np.float64) if flat.good[cell].any() else 0.0
            if not mean > 0:
                raise InputError(f"cal:divideflat: the mean of the flat is {mean:.3g}; it must be above 0")
            levels[cell] = mean
    return levels
