"""Unsharp mask."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.noise.gaussian import Gaussian, gaussian
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import SubPx


class Unsharp(Params):
    sigma: Annotated[SubPx, Field(gt=0, le=100)] = 2.0
    """Of the Gaussian that is taken away: structure of about this size gains contrast."""
    amount: Annotated[float, Field(gt=0, le=10)] = 0.7
    """How many times what the Gaussian takes away is added."""


@operation("contrast:unsharp", reach=Reach.WINDOW)
def unsharp_mask(image: Image, p: Unsharp) -> Image:
    """Add what a Gaussian takes away: edges gain contrast, noise too, and bright stars get dark rims.

    x + amount (x - G x). Pixels without a number take no part and keep what they hold. Flags, plate and unit: kept.
    Variance: that of the weights, squared; neighbours are correlated afterwards.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> edge = np.tile(np.where(np.arange(40) < 20, 1.0, 2.0), (30, 1))
    >>> sharp = unsharp_mask(Image(edge), Unsharp()).data[0, 15]
    >>> round(float(sharp[20]), 1), round(float(sharp[0]), 3)
    (2.3, 1.0)
    """
    soft = gaussian(image, Gaussian(sigma=p.sigma))
    amount = np.float32(p.amount)
    data = image.data + amount * (image.data - soft.data)
    variance = None
    if image.variance is not None:
        # (1 + a) d - a g: the pixel itself has both, the middle weight of the Gaussian being that of the blurred spike.
        spike = np.zeros((33, 33), np.float32)
        spike[16, 16] = 1
        middle = float(gaussian(Image(spike), Gaussian(sigma=p.sigma)).data[0, 16, 16])
        own = (1 + p.amount) ** 2 - 2 * (1 + p.amount) * p.amount * middle
        variance = np.float32(own) * image.variance + amount**2 * soft.variance
    return image.replace(data=data, variance=variance)
