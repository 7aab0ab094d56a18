"""White balance of camera pictures."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError, SpecError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

Factor = Annotated[float, Field(gt=0, le=100)]
Edge = Annotated[Px, Field(ge=0)]

CARDS = {"camera": "WBCAM", "daylight": "WBDAY"}
LINEAR_UP_TO = 0.95
"""Of the saturation: above it sensors bend, and colours shift."""


class WhiteBalance(Params):
    source: Literal["daylight", "camera", "auto", "none"] = "daylight"
    """``daylight``, ``camera``: multipliers for daylight, or those the camera chose, from the header of camera raw.
    ``auto``: the mean of the picture, or of a region of it, becomes grey. ``none``: only the factors below."""
    red: Factor = 1.0
    """Red is multiplied by this as well."""
    green: Factor = 1.0
    """Green is multiplied by this as well."""
    blue: Factor = 1.0
    """Blue is multiplied by this as well."""
    top: Edge = 0
    """First row of the region that ``auto`` makes grey."""
    bottom: Edge = 0
    """Row after its last; 0: to the last row of the image."""
    left: Edge = 0
    """First column of the region."""
    right: Edge = 0
    """Column after its last; 0: to the last column of the image."""


@operation("color:whitebalance", reach=Reach.FRAME, demands=State.LINEAR)
def white_balance(image: Image, p: WhiteBalance) -> Image:
    """Multiply the colours of a mosaic or of a colour image so that white (daylight, or the picture's mean) is grey.

    Multipliers of a source leave green as it is. ``auto`` takes the means of pixels (in a mosaic: of whole cells) that
    are good and below 95 % of saturation in all colours. Apply it after black level, bias and dark: the colours must
    start at zero.

    Flags, plate and unit: kept. Variance: multiplied by the squares; the factors are taken as exact. The saturation in
    the header becomes the lowest level at which a colour is full, so that `stretch:linear` shows full pixels as white;
    the gain (e-/adu) becomes that of green.

    Raises
    ------
    InputError
        If the image is neither a mosaic nor of three channels, the header has no multipliers, or a region is outside of
        the image, or holds no light.
    SpecError
        If a region is given for a source that looks at none.

    >>> pixel = Image(np.array([2.0, 4.0, 8.0])[:, None, None])
    >>> white_balance(pixel, WhiteBalance(source="auto")).data.ravel().tolist()
    [4.0, 4.0, 4.0]
    """
    meta = image.meta
    if p.source != "auto" and (p.top or p.bottom or p.left or p.right):
        raise SpecError(f"color:whitebalance: a region, and source={p.source}; only source=auto looks at a region")
    if meta.cfa is None or image.shape[0] != 1:
        need_three("color:whitebalance", image)
    factors = np.array([p.red, p.green, p.blue])
    if p.source in CARDS:
        factors *= _of_header(image, p.source)
    elif p.source == "auto":
        factors *= _grey_world(image, p)
    data = image.data.copy()
    variance = None if image.variance is None else image.variance.copy()
    for array, power in ((data, 1), (variance, 2)):
        if array is not None:
            for colour, plane in _planes(array, meta.cfa):
                plane *= np.float32(factors[colour] ** power)
    return image.replace(
        data=data,
        variance=variance,
        meta=meta.replace(
            saturation=meta.saturation and meta.saturation * float(factors.min()),
            gain=meta.gain and meta.gain / float(factors[1]),
        ),
    )


def _planes(array: np.ndarray, cfa: str | None) -> list[tuple[int, np.ndarray]]:
    """Colour (0 red, 1 green, 2 blue) and view of each channel, or of each of the four samples of a mosaic's cells."""
    if array.shape[0] == 3:
        return list(enumerate(array))
    return [(int(colour), array[0, j::2, i::2]) for (j, i), colour in np.ndenumerate(pattern_of(cfa))]


def _of_header(image: Image, source: str) -> np.ndarray:
    cards = {keyword: value for keyword, value, _ in image.meta.cards}
    keywords = [f"{CARDS[source]}_{letter}" for letter in "RGB"]
    if any(keyword not in cards for keyword in keywords):
        raise InputError(
            f"color:whitebalance: the header has no {', '.join(keywords)}, which camera raw files bring along; "
            "use source=auto, or source=none with red=... and blue=..."
        )
    return np.array([float(cards[keyword]) for keyword in keywords])


def _grey_world(image: Image, p: WhiteBalance) -> np.ndarray:
    """Multipliers that make the mean of the region grey; 1 for green."""
    rows, columns = _region(image, p)
    cfa = image.meta.cfa
    if image.shape[0] == 1:
        # Whole cells: those that the region touches and the image holds.
        height, width = (length // 2 for length in image.shape[1:])
        rows, columns = (
            slice(edge.start // 2, min(-(-edge.stop // 2), length))
            for edge, length in ((rows, height), (columns, width))
        )
    planes = [(colour, plane[rows, columns]) for colour, plane in _planes(image.data, cfa)]
    usable = np.ones(planes[0][1].shape, bool)
    limit = _linear_limit(image)
    for (_, values), (_, flags) in zip(planes, _planes(image.flags, cfa)):
        usable &= ~has(flags[rows, columns], EXCLUDED | Flag.SATURATED)
        if limit is not None:
            usable &= values < limit
    if not usable.any():
        raise InputError("color:whitebalance: no pixel is good and unsaturated in all colours; choose another region")
    levels = [
        np.mean([np.mean(values, where=usable, dtype=np.float64) for c, values in planes if c == colour])
        for colour in range(3)
    ]
    for name, level in zip(NAMES, levels):
        if not level > 0:
            raise InputError(
                f"color:whitebalance: the mean of {name} is {level:.4g}; it must be above 0; choose a region with light"
            )
    return levels[1] / np.array(levels)


def _region(image: Image, p: WhiteBalance) -> tuple[slice, slice]:
    _, height, width = image.shape
    bottom, right = p.bottom or height, p.right or width
    if not (p.top < bottom <= height and p.left < right <= width):
        raise InputError(
            f"color:whitebalance: rows {p.top} to {bottom}, columns {p.left} to {right} were asked for; the image has "
            f"{height} rows and {width} columns; top must be above bottom, left before right"
        )
    return slice(p.top, bottom), slice(p.left, right)


def _linear_limit(image: Image) -> float | None:
    """Level in the image's unit above which a pixel is not trusted, where it is known."""
    full = image.meta.saturation
    if image.unit == PixelUnit.NORMALISED:
        full = 1.0
    elif full and image.unit == PixelUnit.ELECTRON:
        full = full * image.meta.gain if image.meta.gain else None
    return LINEAR_UP_TO * full if full and full > 0 else None
