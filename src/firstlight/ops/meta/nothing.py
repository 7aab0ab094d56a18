"""A step that does nothing."""

from __future__ import annotations

from firstlight.model.image import Image
from firstlight.ops.registry import Params, Reach, operation


class Nothing(Params):
    pass


@operation("meta:nothing", reach=Reach.PIXEL)
def nothing(image: Image, p: Nothing) -> Image:
    """Do nothing: a place in a chain for a step to come, or for one of an earlier program that is not needed here.

    Flags, variance and unit: kept. Plate: kept.

    >>> nothing(Image([[1.0]]), Nothing()).data.tolist()
    [[[1.0]]]
    """
    return image
