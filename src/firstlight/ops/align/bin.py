"""Binning."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, Flag
from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import moved
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px


class Mean(Params):
    factor: Annotated[Px, Field(ge=1, le=64)] = 2
    """Blocks of factor x factor pixels become one."""


@operation("bin:mean", reach=Reach.FRAME)
def bin_mean(image: Image, p: Mean) -> Image:
    """Average blocks of pixels; rows and columns that do not fill a block are dropped.

    Pixels without a number take no part; a block without any good pixel is NaN and flagged NO_DATA. Other flags are
    OR-ed. Variance: that of the mean. Plate: rescaled. Unit: kept. In the header binning and pixel size grow by
    ``factor``; the level of a pixel stays and its noise falls, so the gain (e-/adu) grows by factor squared and the
    read noise (e-) by factor; saturation stays.

    Raises
    ------
    InputError
        On a CFA mosaic, whose colours would mix, and on images smaller than a block.

    >>> bin_mean(Image([[1.0, 2.0], [3.0, 6.0]]), Mean()).data.ravel().tolist()
    [3.0]
    """
    n = p.factor
    channels, height, width = image.shape
    if n == 1:
        return image
    refuse_mosaic("bin:mean", image)
    if height < n or width < n:
        raise InputError(f"bin:mean: the image is {height} x {width}; a block is {n} x {n}; use a smaller factor")
    rows, columns = height // n, width // n

    def blocks(planes: np.ndarray) -> np.ndarray:
        return planes[:, : rows * n, : columns * n].reshape(channels, rows, n, columns, n)

    def total(planes: np.ndarray) -> np.ndarray:
        return sum(planes[:, :, j, :, i].astype(np.float64) for j in range(n) for i in range(n))

    good = blocks(image.good)
    count = total(good)
    some = np.maximum(count, 1)
    data = total(np.where(good, blocks(image.data), np.float32(0))) / some
    variance = None
    if image.variance is not None:
        variance = total(np.where(good, blocks(image.variance), np.float32(0))) / some**2
    flags = np.bitwise_or.reduce(np.bitwise_or.reduce(blocks(image.flags), axis=4), axis=2)
    empty = count == 0
    flags = np.where(empty, flags | np.uint16(Flag.NO_DATA), flags & np.uint16(~EXCLUDED & 0xFFFF))
    meta = image.meta
    meta = meta.replace(gain=meta.gain and meta.gain * n * n, read_noise=meta.read_noise and meta.read_noise * n)
    result = image.replace(
        data=np.where(empty, np.nan, data).astype(np.float32),
        variance=None if variance is None else np.where(empty, np.nan, variance).astype(np.float32),
        flags=flags,
        meta=meta,
    )
    return moved(result, PixelMap.binned(n), (rows, columns))
