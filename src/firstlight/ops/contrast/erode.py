"""Darkest of the surroundings."""

from __future__ import annotations

import numpy as np  # noqa: F401 - for the example

from firstlight.model.image import Image
from firstlight.ops.contrast.grey_morphology import Shape, morphed
from firstlight.ops.registry import Reach, operation


class Erode(Shape):
    """The element."""


@operation("morphology:erode", reach=Reach.FRAME)
def erode(image: Image, p: Erode) -> Image:
    """Give each pixel the lowest value under an element: bright things shrink, dark ones grow.

    Pixels without a number take no part and keep what they hold. Flags, plate and
    unit: kept. Variance: dropped, for an extreme of noisy pixels has none that is simple.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> spot = np.zeros((9, 9)); spot[4, 4] = 5
    >>> float(erode(Image(spot), Erode(size=3)).data.max())
    0.0
    """
    return morphed("morphology:erode", image, p, "erode")
