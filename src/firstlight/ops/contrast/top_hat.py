"""Bright things smaller than an element."""

from __future__ import annotations

import numpy as np  # noqa: F401 - for the example

from firstlight.model.image import Image
from firstlight.ops.contrast.grey_morphology import Shape, morphed
from firstlight.ops.registry import Reach, operation


class TopHat(Shape):
    """The element."""


@operation("extract:wtophat", reach=Reach.FRAME)
def white_top_hat(image: Image, p: TopHat) -> Image:
    """The picture less its opening (white top hat): bright things that the element does not fit into, on 0.

    Pixels without a number take no part and keep what they hold. Flags, plate and
    unit: kept. Variance: dropped, for an extreme of noisy pixels has none that is simple.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> spot = np.full((9, 9), 10.0); spot[4, 4] = 15
    >>> float(white_top_hat(Image(spot), TopHat(size=3)).data.max())
    5.0
    """
    return morphed("extract:wtophat", image, p, "tophat")
