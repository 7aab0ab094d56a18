"""Median smoothing."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.neighbours import box_median
from firstlight.model.image import Image
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px


class Median(Params):
    distance: Annotated[Px, Field(ge=1, le=7)] = 1
    """The box reaches this far from its centre: 1 is 3 x 3."""


@operation("nr:median", reach=Reach.WINDOW, margin=lambda p: p.distance)
def median(image: Image, p: Median) -> Image:
    """Replace each pixel by the median of the good pixels in a box about it: specks go, edges stay.

    Stars of a FWHM below the box lose their peaks. Pixels without a number take no part and keep what they hold. Flags:
    kept. Variance: dropped, for it hangs on the slope of the picture under the box (on a steep one three of nine pixels
    decide, on a level sky all). Plate and unit: kept.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> speck = np.ones((5, 5)); speck[2, 2] = 99
    >>> float(median(Image(speck), Median()).data.max())
    1.0
    """
    refuse_mosaic("nr:median", image)
    data = image.data.copy()
    for channel, good in enumerate(image.good):
        box_median(np.ascontiguousarray(image.data[channel]), good, p.distance, data[channel])
    return image.replace(data=data, variance=None)
