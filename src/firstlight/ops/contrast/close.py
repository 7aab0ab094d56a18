"""Closing."""

from __future__ import annotations

import numpy as np  # noqa: F401 - for the example

from firstlight.model.image import Image
from firstlight.ops.contrast.grey_morphology import Shape, morphed
from firstlight.ops.registry import Reach, operation


class Close(Shape):
    """The element."""


@operation("morphology:close", reach=Reach.FRAME)
def close(image: Image, p: Close) -> Image:
    """Dilate, then erode: dark things that the element does not fit into go, the rest stays.

    Pixels without a number take no part and keep what they hold. Flags, plate and
    unit: kept. Variance: dropped, for an extreme of noisy pixels has none that is simple.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> hole = np.full((9, 9), 5.0); hole[4, 4] = 0
    >>> float(close(Image(hole), Close(size=3)).data.min())
    5.0
    """
    return morphed("morphology:close", image, p, "close")
