"""What lies behind everything small: the background of a scale."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

DESPECKLE = 3
"""Side of the median that takes single pixels out first, so that none of them rules the minimum around it."""


class Background(Params):
    size: Annotated[Px, Field(ge=4, le=1024)] = 32
    """What is narrower than this goes."""


@operation("extract:background", reach=Reach.FRAME)
def extract_background(image: Image, p: Background) -> Image:
    """The light that is wider than a scale: stars and small structure gone, the noise with them.

    The opening by which cvastrophoto finds what lies behind stars. Pixels without a number are given what lies around
    them. Flags, plate and unit: kept. Variance: dropped, for that of a minimum hangs on what lies around it.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> sky = np.full((64, 64), 10.0); sky[20:24, 20:24] = 99
    >>> round(float(extract_background(Image(sky), Background(size=16)).data.max()), 3)
    10.0
    """
    refuse_mosaic("extract:background", image)
    data = np.empty_like(image.data)
    for channel, plane in enumerate(image.data):
        filled, _ = whole_plane(plane, image.flags[channel])
        data[channel] = background_of(filled, p.size)
    return image.replace(data=data, variance=None)


def background_of(plane: np.ndarray, size: int) -> np.ndarray:
    """The light that is wider than ``size`` px, float32: an opening of the smoothed plane.

    Median 3 x 3, Gaussian of size / 8, minimum over size, Gaussian of size / 4, maximum over 0.8 size: the opening by
    which cvastrophoto takes stars off, with its minimum raised by what the smoothed noise lowers it by.

    >>> sky = np.full((48, 48), 10.0, np.float32); sky[20:24, 20:24] = 99
    >>> bool(np.ptp(background_of(sky, 16)) < 1e-3)
    True
    """
    from scipy.ndimage import gaussian_filter, maximum_filter, median_filter, minimum_filter

    plane = median_filter(np.asarray(plane, np.float32), DESPECKLE, mode="mirror")
    plane = gaussian_filter(plane, size / 8, mode="mirror")
    low = minimum_filter(plane, size, mode="mirror")
    low = gaussian_filter(low, size / 4, mode="mirror")
    smooth = maximum_filter(low, max(int(0.8 * size), 1), mode="mirror")
    smooth = gaussian_filter(smooth, size / 8, mode="mirror")
    away = plane - smooth
    return smooth + np.float32(np.median(away))
