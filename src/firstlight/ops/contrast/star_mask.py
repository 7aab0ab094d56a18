"""Which pixels the stars cover."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.contrast.star_light import take_off_stars
from firstlight.ops.contrast.star_search import StarSearch
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Reach, operation
from firstlight.units import Px, SubPx


class StarMask(StarSearch):
    grow: Annotated[Px, Field(ge=0, le=64)] = 0
    """The stars are made so much wider."""
    soft: Annotated[SubPx, Field(ge=0, le=64)] = 0.0
    """Sigma of a Gaussian that makes the rims soft; 0: the mask holds 0 and 1 alone."""


@operation("extract:starmask", version=2, reach=Reach.FRAME)
def mark_stars(image: Image, p: StarMask) -> Image:
    """Mask of the stars: 1 where one is, 0 elsewhere; one channel.

    Stars are found on the mean of the channels, once more behind those; each is marked as far as rings around it fall.
    Bright spots that no profile fits (bled or burst cores) and saturated pixels with a rim are marked too.

    Flags: those of all channels together. Variance: dropped, for a mask has none. Plate: kept. Unit: normalised.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:64, :64]
    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64))
    >>> mask = mark_stars(Image(sky + 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 4)), StarMask())
    >>> mask.data[0, 20, 30].item(), mask.data[0, 50, 50].item()
    (1.0, 0.0)
    """
    refuse_mosaic("extract:starmask", image)
    mask = star_mask(image, p, p.grow).astype(np.float32)
    if p.soft > 0:
        from scipy.ndimage import gaussian_filter

        mask = gaussian_filter(mask, p.soft, mode="nearest")
    flags = np.bitwise_or.reduce(image.flags, axis=0)[None]
    return image.replace(data=mask[None], flags=flags, variance=None, unit=PixelUnit.NORMALISED)


def star_mask(image: Image, p: StarSearch = StarSearch(), grow: int = 0) -> np.ndarray:
    """Boolean (y, x): the stars as far as they reach, ``grow`` px further, of all channels together."""
    mask = take_off_stars(image, p).mask
    if grow:
        from scipy.ndimage import binary_dilation

        mask = binary_dilation(mask, iterations=grow) & image.good.any(axis=0)
    return mask
