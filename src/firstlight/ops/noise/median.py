"""Median smoothing."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.neighbours import box_median
from firstlight.model.image import Image
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stack.combine import median_factors
from firstlight.units import Px


class Median(Params):
    distance: Annotated[Px, Field(ge=1, le=7)] = 1
    """The box reaches this far from its centre: 1 is 3 x 3."""


@operation("nr:median", reach=Reach.WINDOW)
def median(image: Image, p: Median) -> Image:
    """Replace each pixel by the median of the good pixels in a box about it: specks go, edges stay.

    Stars of a FWHM below the box lose their peaks. Pixels without a number take no part and keep what they hold. Flags:
    kept. Variance: that of the median of as many Gaussian values with the mean variance of the box; neighbours are
    correlated afterwards. Plate and unit: kept.

    >>> speck = np.ones((5, 5)); speck[2, 2] = 99
    >>> float(median(Image(speck), Median()).data.max())
    1.0
    """
    data = image.data.copy()
    variance = None if image.variance is None else image.variance.copy()
    side = 2 * p.distance + 1
    factors = (median_factors(side * side).astype(np.float64) ** 2 / np.maximum(np.arange(side * side + 1), 1)).astype(
        np.float32
    )
    no_variance = np.zeros((1, 1), np.float32)
    for channel, good in enumerate(image.good):
        given = no_variance if variance is None else np.ascontiguousarray(image.variance[channel])
        box_median(
            np.ascontiguousarray(image.data[channel]), good, given, variance is not None, p.distance, factors,
            data[channel], no_variance if variance is None else variance[channel],
        )  # fmt: skip
    return image.replace(data=data, variance=variance)
