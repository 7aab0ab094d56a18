"""Hot pixels made harmless: smoothed, and without weight."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, State
from firstlight.model.meta import Kind
from firstlight.ops.calibrate.masters import WORTHLESS, check_master
from firstlight.ops.calibrate.repair import mend
from firstlight.ops.registry import Params, Reach, operation

WEIGHTLESS = 1e10
"""The variance of a dampened pixel grows by this: in a weighted stack any other frame decides."""
CERTAIN = 6.5
"""In a dark without hot pixels noise must not be taken for them: sigma above the median, at least."""


class DampenHot(Params):
    strength: Annotated[float, Field(gt=0, le=10)] = 1.0
    """A pixel is hot where the dark is above its mean + standard deviation / strength; 0.5 suits flats."""


@operation("cal:dampenhot", reach=Reach.FRAME, demands=State.LINEAR)
def dampen_hot(image: Image, p: DampenHot, dark: Image) -> Image:
    """Take the weight from hot pixels: those of the dark become the median of their neighbours, with hardly any weight.

    For what the dark does not put right, such as hot pixels that changed since: the shot noise of a bright one stays
    after subtraction. Neighbours are the 3 x 3 of the same colour.

    Flags: HOT and INTERPOLATED. Variance: that of the median times 1e10. Plate and unit: kept.

    Raises
    ------
    InputError
        The dark does not fit.

    >>> dark = np.random.default_rng(1).normal(5, 1, (20, 20)); dark[8, 8] = 400
    >>> soft = dampen_hot(Image(np.full((20, 20), 7.0) + dark), DampenHot(), Image(dark))
    >>> Flag(int(soft.flags[0, 8, 8])).name, bool(soft.data[0, 8, 8] < 20)
    ('HOT|INTERPOLATED', True)
    """
    done = image.meta.calibrated
    plain = image.replace(meta=image.meta.replace(calibrated=frozenset()))
    check_master("cal:dampenhot", plain, dark, "dark", {Kind.DARK, Kind.DARK_FLAT, Kind.MASTER_DARK})
    hot = np.zeros(dark.shape, bool)
    for channel, plane in enumerate(dark.data):
        values = plane[dark.good[channel]].astype(np.float64)
        if not len(values):
            continue
        middle = float(np.median(values))
        robust = 1.4826 * float(np.median(np.abs(values - middle)))
        limit = max(float(values.mean() + values.std() / p.strength), middle + CERTAIN * robust)
        hot[channel] = plane > limit
    flags = image.flags | np.where(hot, np.uint16(Flag.HOT), np.uint16(0))
    # Other bad pixels lend nothing, but stay as they are.
    bad = hot | has(image.flags, WORTHLESS)
    mended = mend(plain.replace(flags=flags), bad, 1)
    data = np.where(hot, mended.data, image.data)
    variance = image.variance
    if variance is not None:
        variance = np.where(hot, mended.variance * np.float32(WEIGHTLESS), variance)
    flags = np.where(hot, mended.flags, flags)
    return image.replace(data=data, flags=flags, variance=variance, meta=image.meta.replace(calibrated=done))
