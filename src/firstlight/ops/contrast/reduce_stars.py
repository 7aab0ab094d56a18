"""Smaller stars."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.contrast.grey_morphology import extreme
from firstlight.ops.contrast.starless import StarSplit, split_stars
from firstlight.ops.registry import Reach, operation
from firstlight.units import Px


class ReduceStars(StarSplit):
    size: Annotated[Px, Field(ge=0, le=31)] = 3
    """Width of the element that eats at the stars' rims; 0 or 1: they are only dimmed."""
    amount: Annotated[float, Field(gt=0, le=1)] = 0.6
    """How far stars go towards what is left of them."""
    brightness: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Brightness of the stars afterwards."""


@operation("extract:reducestars", version=2, reach=Reach.FRAME)
def reduce_stars(image: Image, p: ReduceStars) -> Image:
    """Make stars smaller and, if wanted, fainter; what lies between them stays.

    The stars alone (``extract:stars``) are eroded, mixed with themselves and put back on the starless picture: no dark
    rings, for behind them the sky was drawn in. Best on stretched pictures.

    Pixels without a number keep what they hold. Flags, plate and unit: kept. Variance: dropped, for where stars were
    there is none.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:64, :64]
    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64))
    >>> star = 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 8)
    >>> small = reduce_stars(Image(sky + star), ReduceStars())
    >>> bool(0.2 < (small.data - 100).sum() / star.sum() < 0.8)
    True
    """
    parts = split_stars(image, p, "extract:reducestars")
    data = np.empty_like(image.data)
    for channel, stars in enumerate(parts.stars.data):
        eaten = extreme(stars, p.size, low=True) if p.size > 1 else stars
        small = np.float32(p.brightness) * (stars + np.float32(p.amount) * (np.minimum(eaten, stars) - stars))
        behind = parts.starless.data[channel]
        data[channel] = np.where(has(image.flags[channel], EXCLUDED), behind, behind + small)
    return parts.starless.replace(data=data)
