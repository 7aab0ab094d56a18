"""Opening."""

from __future__ import annotations

import numpy as np  # noqa: F401 - for the example

from firstlight.model.image import Image
from firstlight.ops.contrast.grey_morphology import Shape, morphed
from firstlight.ops.registry import Reach, operation


class Open(Shape):
    """The element."""


@operation("morphology:open", reach=Reach.FRAME)
def open_(image: Image, p: Open) -> Image:
    """Erode, then dilate: bright things that the element does not fit into go, the rest stays.

    Pixels without a number take no part and keep what they hold. Flags, plate and
    unit: kept. Variance: dropped, for an extreme of noisy pixels has none that is simple.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> spot = np.zeros((9, 9)); spot[4, 4] = 5
    >>> float(open_(Image(spot), Open(size=3)).data.max())
    0.0
    """
    return morphed("morphology:open", image, p, "open")
