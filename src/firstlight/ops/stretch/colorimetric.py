"""Brighter, with the hue of what becomes too bright kept."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import joined_flags, normalised
from firstlight.ops.stretch.srgb import curve as srgb


class Colorimetric(Params):
    bright: Annotated[float, Field(gt=0, le=1e6)] = 4.0
    """Light is multiplied by this."""
    clipexp: Annotated[float, Field(ge=0, le=4)] = 0.25
    """How soon colours beyond white fade: 0 keeps them full, 1 fades them within a stop or two."""
    coding: Literal["srgb", "linear"] = "srgb"
    """Coded for screens, or left as linear light (for a curve to come)."""


@operation("stretch:colorimetric", reach=Reach.PIXEL, gives=State.STRETCHED)
def colorimetric(image: Image, p: Colorimetric) -> Image:
    """Multiply light, and bring colours that exceed white back to it along their hue, the paler the brighter they are.

    Where m, the largest channel, is above 1: colour c / m, moved towards white until 1 / (log2(m) + 1)^clipexp of its
    saturation is left. Levels are fractions of white: the saturation level, or the largest value where no saturation is
    known. Below 0 is clipped.

    Flags: OR-ed over the channels, which share the largest. Plate: kept. Variance: dropped, for it depends on which
    channel is the largest. Unit: normalised.

    >>> image = Image(np.array([2.0, 1.0, 0.0])[:, None, None], meta=Image([[0]]).meta.replace(saturation=4.0))
    >>> colorimetric(image, Colorimetric(bright=4, clipexp=1, coding="linear")).data.ravel().tolist()
    [1.0, 0.75, 0.5]
    """
    image = normalised(image)
    data = faded(np.maximum(image.data * np.float32(p.bright), 0), p.clipexp)
    if p.coding == "srgb":
        data = srgb(data)
    return image.replace(data=data, variance=None, flags=joined_flags(image))


def faded(light: np.ndarray, clipexp: float) -> np.ndarray:
    """Colours (channel, y, x), none negative, brought to 1 at most, their hue kept."""
    largest = light.max(axis=0)
    over = largest > 1
    if not over.any():
        return light
    safe = np.where(over, largest, np.float32(1))
    saturation = (np.log2(safe) + 1) ** np.float32(-clipexp)
    return np.where(over, 1 - (1 - light / safe) * saturation, light).astype(np.float32)
