"""Black point."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.parts import each_plane_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import Straight
from firstlight.ops.stretch.levels import white_level
from firstlight.ops.stretch.sample import percentiles
from firstlight.units import Percent, Unit


class Black(Params):
    percentile: Annotated[Percent, Field(ge=0, le=100)] = 1.0
    """This percentile of the pixels becomes 0; not used where a fraction is given."""
    fraction: Annotated[float, Field(ge=0, lt=1), Unit("of white")] = 0.0
    """This level becomes 0; 0: the percentile decides."""
    linked: bool = True
    """One level for all channels, the lowest of them (colours keep their balance); otherwise one for each."""
    clip: bool = False
    """Cut off what lies below it; otherwise noise stays on both sides of 0."""


def settled(image: Image, p: Black) -> Callable[[Image], Image]:
    """The subtraction with its level measured."""
    if p.fraction:
        levels = np.full(image.shape[0], p.fraction * white_level(image))
    else:
        levels = percentiles(image, p.percentile)[:, 0]
        if p.linked:
            levels[:] = levels.min()
    return partial(_lowered, levels=levels, p=p)


@operation("stretch:black", version=2, reach=Reach.FRAME, settle=settled)
def black(image: Image, p: Black) -> Image:
    """Subtract a black level, found as a percentile of the image or given as a fraction of white.

    White stays where it is above the new black: integer and float images of any range are alike, for nothing is scaled.
    The saturation in the header moves along. Linear data stay linear; the stretch comes after.

    Flags, plate and unit: kept. Variance: kept, the level is taken as exact; 0 where clipped.

    >>> black(Image([[10.0, 20.0, 110.0]]), Black(percentile=0)).data.ravel().tolist()
    [0.0, 10.0, 100.0]
    """
    return settled(image, p)(image)


def _lowered(image: Image, levels: np.ndarray, p: Black) -> Image:
    least, data, nothing = 0.0 if p.clip else -np.inf, np.empty(image.shape, np.float32), np.empty(0, np.float32)

    def work(c: int, rows: slice) -> None:
        lower = Straight(float(levels[c]), 1.0, least, np.inf)
        lower.on(image.data[c, rows].reshape(-1), np.float32(1), nothing, data[c, rows].reshape(-1), nothing)

    each_plane_part(image.shape, work)
    variance = image.variance
    if p.clip and variance is not None:
        variance = np.where(image.data < levels.astype(np.float32)[:, None, None], np.float32(0), variance)
    meta = image.meta
    if image.unit == PixelUnit.ADU and meta.saturation:
        meta = meta.replace(saturation=max(meta.saturation - float(levels.min()), 0.0) or None)
    return image.replace(data=data, variance=variance, meta=meta, checked=True)
