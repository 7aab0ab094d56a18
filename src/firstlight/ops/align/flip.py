"""Mirrored and turned pictures."""

from __future__ import annotations

from typing import Literal

from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import taken
from firstlight.ops.registry import Params, Reach, operation


class Flip(Params):
    direction: Literal["both", "horizontal", "vertical"] = "both"
    """``both`` turns by 180 degrees, as after a meridian flip; ``horizontal`` changes left and right, ``vertical`` top
    and bottom."""


@operation("tx:flip", reach=Reach.FRAME)
def flip(image: Image, p: Flip) -> Image:
    """Mirror the image, or turn it by 180 degrees.

    Flags and variance: move with their pixels. Plate: moves too (one with distortion tables is dropped). Unit: kept. A
    CFA pattern is turned with the mosaic.

    >>> flip(Image([[1.0, 2.0], [3.0, 4.0]]), Flip()).data[0].tolist()
    [[4.0, 3.0], [2.0, 1.0]]
    """
    height, width = image.shape[1:]
    left_right, top_bottom = p.direction != "vertical", p.direction != "horizontal"
    view = (slice(None), slice(None, None, -1 if top_bottom else 1), slice(None, None, -1 if left_right else 1))
    move = PixelMap(
        xx=-1 if left_right else 1,
        yy=-1 if top_bottom else 1,
        x0=width - 1 if left_right else 0,
        y0=height - 1 if top_bottom else 0,
    )
    return taken(image, lambda planes: planes[view], move)
