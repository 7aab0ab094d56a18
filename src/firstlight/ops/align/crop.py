"""A part of the picture."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import taken
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

Length = Annotated[Px, Field(ge=0)]


class Region(Params):
    x: Length = 0
    """First column kept, 0-based."""
    y: Length = 0
    """First row kept, 0-based."""
    width: Length = 0
    """Columns kept; 0: all to the right edge."""
    height: Length = 0
    """Rows kept; 0: all to the last row."""


@operation("crop:region", reach=Reach.FRAME)
def crop(image: Image, p: Region) -> Image:
    """Keep a rectangle of the image.

    Flags and variance: cut alike. Plate: moved. Unit: kept. The sub-frame in the header, and the CFA pattern of a
    mosaic, follow the first pixel.

    Raises
    ------
    InputError
        If the rectangle is not inside the image.

    >>> crop(Image([[1.0, 2.0, 3.0]]), Region(x=1, width=1)).data.ravel().tolist()
    [2.0]
    """
    _, rows, columns = image.shape
    right, bottom = p.x + (p.width or columns - p.x), p.y + (p.height or rows - p.y)
    if p.x >= columns or p.y >= rows or right > columns or bottom > rows:
        raise InputError(
            f"crop:region: columns {p.x} to {right - 1}, rows {p.y} to {bottom - 1} were asked for; "
            f"the image has columns 0 to {columns - 1}, rows 0 to {rows - 1}"
        )
    return taken(image, lambda planes: planes[:, p.y : bottom, p.x : right], PixelMap(x0=-p.x, y0=-p.y))
