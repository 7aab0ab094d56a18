"""Turns by right angles."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import taken
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Unit


class Rotate(Params):
    angle: Annotated[int, Field(ge=-270, le=270, multiple_of=90), Unit("deg")] = 90
    """Counter-clockwise as the picture is shown; a multiple of 90."""


@operation("tx:rotate", reach=Reach.FRAME)
def rotate(image: Image, p: Rotate) -> Image:
    """Turn the image by a multiple of 90 degrees, exactly.

    Flags and variance: move with their pixels. Plate: moves too (one with distortion tables is dropped). Unit: kept. A
    CFA pattern is turned with the mosaic.

    >>> rotate(Image([[1.0, 2.0], [3.0, 4.0]]), Rotate(angle=90)).data[0].tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """
    height, width = image.shape[1:]
    # Pictures whose first row is the bottom turn the other way round in the array.
    quarters = (-p.angle if image.meta.bottom_up else p.angle) // 90 % 4
    move = (
        PixelMap(),
        PixelMap(xx=0, xy=1, yx=-1, yy=0, y0=width - 1),
        PixelMap(xx=-1, yy=-1, x0=width - 1, y0=height - 1),
        PixelMap(xx=0, xy=-1, yx=1, yy=0, x0=height - 1),
    )[quarters]
    return taken(image, lambda planes: np.rot90(planes, quarters, axes=(1, 2)), move)
