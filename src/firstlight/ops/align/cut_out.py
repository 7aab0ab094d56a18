"""A part of an image, its pixels untouched."""

from __future__ import annotations

from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import taken


def cut_out(image: Image, box: tuple[int, int, int, int]) -> Image:
    """A part of an image, its pixels untouched: (left, top, right, bottom), 0-based, right and bottom not included.

    Plate, CFA pattern and sub-frame move along; what lies outside the image is left off.
    """
    left, top, right, bottom = box
    height, width = image.shape[1:]
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    return taken(image, lambda planes: planes[:, top:bottom, left:right], PixelMap(x0=-left, y0=-top))
