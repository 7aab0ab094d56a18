"""The structure behind the stars."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.contrast.inpaint import inpainted
from firstlight.ops.contrast.starless import StarSplit, split_stars
from firstlight.ops.registry import Reach, operation
from firstlight.units import Px


class Structure(StarSplit):
    scale: Annotated[Px, Field(ge=8, le=2048)] = 64
    """What is wider than this is no structure."""


@operation("extract:structure", version=2, reach=Reach.FRAME)
def extract_structure(image: Image, p: Structure) -> Image:
    """Structure up to a scale without the stars: filaments, dust lanes, galaxies' arms, on 0, bright or dark.

    The starless picture less its Gaussian smoothing of sigma scale / 2. Flags, plate and unit: kept; pixels without a
    number keep what they hold. Variance: dropped, for where stars were there is none.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64)); sky[:, 26:38] += 5
    >>> lane = extract_structure(Image(sky), Structure(scale=32)).data[0]
    >>> bool(lane[:, 30:34].mean() > 2.5), bool(lane[:, :16].mean() < 0)
    (True, True)
    """
    from scipy.ndimage import gaussian_filter

    behind = split_stars(image, p, "extract:structure").starless
    data = np.empty_like(image.data)
    for channel, plane in enumerate(behind.data):
        unknown = has(image.flags[channel], EXCLUDED)
        filled = inpainted(plane, unknown)
        data[channel] = np.where(unknown, plane, filled - gaussian_filter(filled, p.scale / 2, mode="mirror"))
    return behind.replace(data=data)
