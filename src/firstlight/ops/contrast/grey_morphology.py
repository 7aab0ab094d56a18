"""Morphology of grey pictures: the lowest and highest values under an element."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.contrast.inpaint import inpainted
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params
from firstlight.units import Px


class Shape(Params):
    """The element that is moved over the picture."""

    size: Annotated[Px, Field(ge=2, le=1024)] = 64
    """Width of the element."""
    shape: Literal["disc", "square"] = "disc"
    """``disc``: an octagon as near to a disc as makes no difference. ``square``: faster."""
    amount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the result that is mixed into the picture."""


def morphed(step: str, image: Image, p: Shape, what: str) -> Image:
    """``erode``, ``dilate``, ``open``, ``close`` or ``tophat`` of every channel.

    Raises
    ------
    InputError
        On a CFA mosaic.
    """
    refuse_mosaic(step, image)
    data = np.empty_like(image.data)
    for channel, plane in enumerate(image.data):
        unknown = has(image.flags[channel], EXCLUDED)
        filled = inpainted(plane, unknown) if unknown.any() else plane
        if what in ("open", "tophat"):
            found = extreme(extreme(filled, p.size, p.shape, low=True), p.size, p.shape, low=False)
            found = filled - found if what == "tophat" else found
        elif what == "close":
            found = extreme(extreme(filled, p.size, p.shape, low=False), p.size, p.shape, low=True)
        else:
            found = extreme(filled, p.size, p.shape, low=what == "erode")
        if p.amount < 1:
            found = filled + np.float32(p.amount) * (found - filled)
        data[channel] = np.where(unknown, plane, found)
    return image.replace(data=data, variance=None)


def extreme(plane: np.ndarray, size: int, shape: str = "disc", *, low: bool) -> np.ndarray:
    """Lowest or highest value under an element of this width about each pixel; beyond the edge there is nothing.

    A disc is the square and the diamond, one after the other, that make a regular octagon: each is done line by line,
    so that the time does not grow with the size.

    >>> spot = np.zeros((9, 9), np.float32); spot[4, 4] = 1
    >>> int(extreme(spot, 5, low=False).sum())
    21
    """
    from scipy.ndimage import grey_dilation, grey_erosion, maximum_filter, minimum_filter

    size += 1 - size % 2
    square = minimum_filter if low else maximum_filter
    if shape == "square":
        return square(plane, size, mode="nearest")
    half = size // 2
    # Half widths of the square and of the diamond whose sum is the octagon nearest to the disc.
    diamond = round(half * (1 - 1 / (1 + np.sqrt(2))))
    plane = square(plane, 2 * (half - diamond) + 1, mode="nearest") if half > diamond else plane
    line = grey_erosion if low else grey_dilation
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    if diamond <= SHORT:
        for _ in range(diamond):
            plane = line(plane, footprint=cross, mode="nearest")
        return plane
    return _diamond(plane, diamond, low)


SHORT = 4
"""px: a diamond of this half width is done by as many crosses."""


def _diamond(plane: np.ndarray, half: int, low: bool) -> np.ndarray:
    """Extreme under a diamond: under two diagonal lines, one after the other, which reach every other pixel, and a
    cross (of an even diamond two) for the others."""
    from firstlight.kernels.diagonal import diagonal_extreme

    sign = np.float32(1 if low else -1)
    # Ways around a corner lead over pixels beyond the edge.
    work = np.pad(sign * plane, half, constant_values=np.float32(np.inf))
    crosses = 2 - half % 2
    for _ in range(crosses):
        work = _cross(work)
    for slope in (1, -1):
        out = np.empty_like(work)
        diagonal_extreme(work, slope, (half - crosses) // 2, out)
        work = out
    return np.ascontiguousarray(sign * work[half:-half, half:-half])


def _cross(plane: np.ndarray) -> np.ndarray:
    from scipy.ndimage import grey_erosion

    return grey_erosion(plane, footprint=np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool), mode="nearest")
