"""Brightest of the surroundings."""

from __future__ import annotations

import numpy as np  # noqa: F401 - for the example

from firstlight.model.image import Image
from firstlight.ops.contrast.grey_morphology import Shape, morphed
from firstlight.ops.registry import Reach, operation


class Dilate(Shape):
    """The element."""


@operation("morphology:dilate", reach=Reach.FRAME)
def dilate(image: Image, p: Dilate) -> Image:
    """Give each pixel the highest value under an element: bright things grow, dark ones shrink.

    Pixels without a number take no part and keep what they hold. Flags, plate and
    unit: kept. Variance: dropped, for an extreme of noisy pixels has none that is simple.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> spot = np.zeros((9, 9)); spot[4, 4] = 5
    >>> int((dilate(Image(spot), Dilate(size=3, shape="square")).data == 5).sum())
    9
    """
    return morphed("morphology:dilate", image, p, "dilate")
