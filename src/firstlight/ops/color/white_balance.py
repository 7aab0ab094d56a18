"""White balance of camera pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError, SpecError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.color.background import backgrounds
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.color.star_colours import of_stars
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.words import spelled
from firstlight.units import Px

Factor = Annotated[float, Field(gt=0, le=100)]
Edge = Annotated[Px, Field(ge=0)]

CARDS = {"camera": "WBCAM", "daylight": "WBDAY"}
SETS: dict[str, tuple[float, float, float]] = {
    "cls": (1.0, 0.8, 1.1),
    "cls-drizzle-photometric": (0.941, 1.0, 0.678),
    "cls-drizzle-perceptive": (1.8, 0.6, 0.67),
    "mn34230-rgb": (4.738, 1.482, 1.0),
    "mn34230-orion5561": (1.381, 1.0, 1.170),
}
"""Factors of red, green and blue for filters and sensors, as cvastrophoto has them; `firstlight wb list` shows them."""
_SENSORS = ("qhy163m", "zwoasi1600")
SET_NAMES = {
    **{f"{sensor}-rgb": "mn34230-rgb" for sensor in _SENSORS},
    **{f"{s}-{f}": "mn34230-orion5561" for s in _SENSORS for f in ("orion5561", "lpro", "idas-lps")},
    **{f"mn34230-{f}": "mn34230-orion5561" for f in ("lpro", "idas-lps")},
    "osc-orion5561": "mn34230-orion5561",
}
"""Cameras and filters that share a set."""
LINEAR_UP_TO = 0.95
"""Of the saturation: above it sensors bend, and colours shift."""


class WhiteBalance(Params):
    source: Annotated[
        Literal["daylight", "camera", "auto", "stars", "background", "reference", "set", "none"],
        spelled({"autobg": "background"}),
    ] = "daylight"
    """``daylight``, ``camera``: multipliers for daylight, or those the camera chose, from the header of camera raw.
    ``auto``: the mean of the picture, or of a region of it, becomes grey. ``stars``: their mean colour (in the median)
    becomes white. ``background``: the sky becomes grey. ``reference``: a further image shows white. ``set``: a named
    set. ``none``: only the factors below."""
    set: Annotated[
        Literal["cls", "cls-drizzle-photometric", "cls-drizzle-perceptive", "mn34230-rgb", "mn34230-orion5561"],
        spelled(SET_NAMES),
    ] = "cls"
    """Named factors for filters and sensors, for ``source=set``; `firstlight wb list` shows them."""
    part: Literal["all", "stars", "background"] = "all"
    """What is multiplied: everything, only what is narrower than ``star_size``, or only what is wider."""
    star_size: Annotated[Px, Field(ge=4, le=1024)] = 32
    """Stars are narrower than this."""
    protect_white: bool = False
    """Pixels near saturation stay white instead of taking on the colour of the factors."""
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


@operation("color:whitebalance", reach=Reach.FRAME, demands=State.LINEAR, version=3)
def white_balance(image: Image, p: WhiteBalance, reference: Image | None = None) -> Image:
    """Multiply the colours of a mosaic or of a colour image so that white (daylight, or the picture's mean) is grey.

    Multipliers of a source leave green as it is. ``auto`` takes the means of pixels (in a mosaic: of whole cells) that
    are good and below 95 % of saturation in all colours. Apply it after black level, bias and dark: the colours must
    start at zero. ``stars`` measures up to 300 stars in all colours. Stars and background can be balanced apart: what
    is wider than ``star_size`` is the background.

    Flags, plate and unit: kept. Variance: multiplied by the squares (of the factors of the stars, where stars and
    background are balanced apart); the factors are taken as exact; dropped where white is protected. The saturation in
    the header becomes the lowest level at which a colour is full, so that `stretch:linear` shows full pixels as white;
    the gain (e-/adu) becomes that of green.

    Raises
    ------
    InputError
        If the image is neither a mosaic nor of three channels, the header has no multipliers, a region is outside of
        the image or holds no light, there are too few stars, or a reference is missing.
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
    if p.part != "all" or p.protect_white or p.source in ("stars", "background"):
        need_three("color:whitebalance", image)
    factors = np.array([p.red, p.green, p.blue]) * _of_source(image, p, reference)
    if p.part != "all" or p.protect_white:
        return _balanced(image, factors, p)
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


def _of_source(image: Image, p: WhiteBalance, reference: Image | None) -> np.ndarray:
    if p.source in CARDS:
        return _of_header(image, p.source)
    if p.source == "auto":
        return _grey_world(image, p)
    if p.source == "set":
        return np.array(SETS[p.set])
    if p.source == "stars":
        return of_stars(image)
    if p.source == "background":
        return _to_green([level for level, _ in backgrounds(image)], "the background")
    if p.source == "reference":
        if reference is None:
            raise InputError("color:whitebalance: source=reference, and no reference is given; give a picture of white")
        if reference.meta.cfa is None or reference.shape[0] != 1:
            need_three("color:whitebalance: reference", reference)
        return _grey_world(reference, WhiteBalance(source="auto"))
    return np.ones(3)


def _to_green(levels: Sequence[float], what: str) -> np.ndarray:
    for name, level in zip(NAMES, levels):
        if not level > 0:
            raise InputError(f"color:whitebalance: {what} of {name} is {level:.4g}; it must be above 0; look at light")
    return levels[1] / np.array(levels)


def _balanced(image: Image, factors: np.ndarray, p: WhiteBalance) -> Image:
    """Stars or background alone multiplied, or white protected."""
    from firstlight.ops.contrast.background import background_of
    from firstlight.ops.contrast.inpaint import whole_plane

    data = image.data * factors.astype(np.float32)[:, None, None]
    variance = None if image.variance is None else image.variance * np.float32(factors[:, None, None] ** 2)
    if p.part != "all":
        variance = image.variance if p.part == "background" else variance
        for channel, factor in enumerate(factors):
            wide = background_of(whole_plane(image.data[channel], image.flags[channel])[0], p.star_size)
            narrow = image.data[channel] - wide
            f = np.float32(factor)
            data[channel] = wide + f * narrow if p.part == "stars" else f * wide + narrow
    limit = _linear_limit(image)
    if p.protect_white and limit is not None:
        white = limit / LINEAR_UP_TO
        share = np.clip((image.data.max(axis=0) - 0.9 * white) / np.float32(0.1 * white), 0, 1)
        share = np.where(np.isfinite(share), share, 0)
        data = np.where(share > 0, (1 - share) * data + share * data.max(axis=0), data).astype(np.float32)
    return image.replace(data=data, variance=None if p.protect_white else variance)


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
    return _to_green(levels, "the mean")


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
