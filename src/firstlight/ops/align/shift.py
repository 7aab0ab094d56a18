"""A picture moved within its frame."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap, plate_after
from firstlight.model.registration import Transform
from firstlight.ops.align.onto import brought_onto
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import SubPx

Way = Annotated[SubPx, Field(ge=-100_000, le=100_000)]


class Shift(Params):
    x: Way = 0.0
    """To the right; parts of a pixel are interpolated (Lanczos-3)."""
    y: Way = 0.0
    """Towards later rows."""


@operation("tx:shift", reach=Reach.FRAME)
def shift(image: Image, p: Shift) -> Image:
    """Move the picture within its frame; what comes in from beyond is NO_DATA.

    Flags: move along, to each pixel that takes a fiftieth of a flagged one. Variance: moves along, times the mean of
    the squared weights (neighbours are correlated then). Plate: moves too (one with distortion tables is dropped).
    Unit: kept.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> shift(Image([[1.0, 2.0, 3.0]]), Shift(x=1)).data[0].tolist()
    [[0.0, 1.0, 2.0]]
    """
    refuse_mosaic("tx:shift", image)
    if p.x == 0 and p.y == 0:
        return image
    plate = None if image.plate is None else plate_after(image.plate, PixelMap(x0=p.x, y0=p.y))  # type: ignore[arg-type]
    return brought_onto(image, Transform.of_shift(p.x, p.y), image.shape[1:], plate=plate)
