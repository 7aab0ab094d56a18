"""Deconvolution by a point spread function that is given as an image."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.image import Image, State
from firstlight.ops.deconvolve.restore import deconvolved
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.tiles import Spread
from firstlight.ops.registry import Reach, operation
from firstlight.units import Px

SMALLEST, LARGEST = 3, 129


class SamplePsf(Deconvolve):
    x: Annotated[Px, Field(ge=-1)] = -1
    """Column of the star in the image of it, 0-based; -1: the brightest pixel."""
    y: Annotated[Px, Field(ge=-1)] = -1
    """Its row; -1: the brightest pixel."""
    size: Annotated[Px, Field(ge=0, le=LARGEST)] = 0
    """Side of the square around it that is taken; 0: as much as fits, at most 129."""


@operation("sharp:deconvolution", version=2, reach=Reach.FRAME, demands=State.LINEAR)
def deconvolve_by_sample(image: Image, p: SamplePsf, psf: Image) -> Image:
    """Undo a blur that is given as an image: a point spread function, or a field of stars in which one is named.

    The square around the star is taken less the median of its rim, and its centre of light put on the middle of the
    kernel. Each channel by its own, if both images have as many; otherwise all by the mean.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    deconvolved pixels share their noise with all around them.

    Raises
    ------
    InputError
        On a CFA mosaic; no star at the place named; an image smaller than the point spread function.

    >>> y, x = np.mgrid[:40, :40]
    >>> star = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 8.0)
    >>> bool(deconvolve_by_sample(Image(star), SamplePsf(size=15), Image(star)).data.max() > 200)
    True
    """
    planes = psf.data if psf.shape[0] == image.shape[0] else psf.data.mean(axis=0, keepdims=True)
    kernels = [kernel_from(plane, p.x, p.y, p.size) for plane in planes]
    return deconvolved(image, p, lambda channel: Spread.same(kernels[channel % len(kernels)]), "sharp:deconvolution")


def kernel_from(plane: np.ndarray, x: int, y: int, size: int) -> np.ndarray:
    """float64 (odd, odd), sum 1: the star at (x, y) of the plane, centred; -1 and 0 as in `SamplePsf`."""
    from scipy.ndimage import shift

    height, width = plane.shape
    known = np.where(np.isfinite(plane), plane, -np.inf)
    peak_y, peak_x = (int(each) for each in np.unravel_index(int(known.argmax()), known.shape))
    x, y = (peak_x if x < 0 else x), (peak_y if y < 0 else y)
    if x >= width or y >= height:
        raise InputError(f"psf: no pixel ({x}, {y}) in an image of {width} x {height} px")
    fits = min(x, y, width - 1 - x, height - 1 - y)
    half = min((size or LARGEST) // 2, fits)
    if 2 * half + 1 < SMALLEST:
        raise InputError(
            f"psf: the star at ({x}, {y}) stands at the edge of its image of {width} x {height} px; name another, or "
            "give an image that holds it whole"
        )
    square = plane[y - half : y + half + 1, x - half : x + half + 1].astype(np.float64)
    rim = np.concatenate([square[0], square[-1], square[1:-1, 0], square[1:-1, -1]])
    square = np.maximum(np.nan_to_num(square - np.nanmedian(rim)), 0)
    total = square.sum()
    if total <= 0:
        raise InputError(f"psf: there is no star at ({x}, {y}): nothing rises above the rim of the square around it")
    offsets = np.arange(-half, half + 1)
    off = [float((square.sum(axis=1 - axis) * offsets).sum() / total) for axis in (0, 1)]
    if max(map(abs, off)) > 0.02:
        square = np.maximum(shift(square, [-each for each in off], order=3, mode="constant"), 0)
    return square / square.sum()
