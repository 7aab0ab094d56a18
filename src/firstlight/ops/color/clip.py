"""Values beyond black and white brought back."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import SpecError
from firstlight.model.image import Image
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.asinh import WEIGHTS
from firstlight.ops.stretch.levels import joined_flags, normalised
from firstlight.units import Unit

Fraction = Annotated[float, Field(ge=-10, le=10), Unit("of white")]


class Clip(Params):
    mode: Literal["clip", "rescale", "rgbblend", "globalrescale"] = "clip"
    """What becomes of a pixel that is brighter than white: ``clip``: each channel is cut by itself, its hue changes.
    ``rescale``: all its channels are divided by the largest: the hue stays, it gets darker. ``rgbblend``: it moves
    towards grey until it fits: hue and luminance stay. ``globalrescale``: the whole image is divided by its largest
    value."""
    low: Fraction = 0.0
    """What is below becomes this; -10: nothing is cut."""
    high: Fraction = 1.0
    """White: what is above is brought down to it."""


@operation("color:clip", reach=Reach.FRAME)
def clip(image: Image, p: Clip) -> Image:
    """Bring values beyond black and white back into the range, with or without a change of hue.

    White is 1 of a stretched image; of a linear one the saturation level, or the largest value where none is known.
    Flags: OR-ed over the channels where they act on each other; else kept. Variance: dropped, for a value cut off has
    none. Plate: kept. Unit: normalised.

    Raises
    ------
    SpecError
        If low is not below high.

    >>> from firstlight.model.image import PixelUnit
    >>> bright = Image(np.array([2.0, 0.5, 0.0])[:, None, None], unit=PixelUnit.NORMALISED)
    >>> clip(bright, Clip(mode="rescale")).data.ravel().tolist()
    [1.0, 0.25, 0.0]
    """
    if not p.low < p.high:
        raise SpecError(f"color:clip: low={p.low:g}, high={p.high:g}; low must be below high")
    scaled = normalised(image)
    low, high = np.float32(p.low), np.float32(p.high)
    data = np.maximum(scaled.data, low)
    flags = image.flags
    if p.mode == "globalrescale":
        top = float(np.max(data, where=image.good, initial=0.0))
        if top > high:
            data = data * (high / np.float32(top))
    elif image.shape[0] > 1 and p.mode != "clip":
        flags = joined_flags(image)
        top = data.max(axis=0)
        over = top > high
        safe = np.where(over, top, high)
        if p.mode == "rescale":
            data = np.where(over, data * (high / safe), data)
        else:
            weights = np.array(WEIGHTS["human"] if image.shape[0] == 3 else [1 / image.shape[0]] * image.shape[0])
            grey = np.minimum(np.tensordot(weights.astype(np.float32), data, axes=1), high)
            share = np.where(over, (high - grey) / np.maximum(safe - grey, 1e-12), 1)
            data = np.where(over, grey + share * (data - grey), data)
    return scaled.replace(data=np.clip(data, low, high), flags=flags, variance=None)
