"""Colour composite of Lupton et al."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import SpecError
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import joined_flags, normalised, trusted, white_level
from firstlight.units import Percent

LINEAR_PART = 0.1
"""The curve is held to the straight one at this brightness, whatever Q."""


class Lupton(Params):
    q: Annotated[float, Field(gt=0, le=1000)] = 8.0
    """How soon the curve leaves the straight line (Q): small is nearly linear, large nearly logarithmic."""
    stretch: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """Brightness, from 0 (low) to 1 (high), at which straight would be white; smaller is brighter."""
    low: Annotated[Percent, Field(ge=0, le=100)] = 25.0
    """This percentile of each channel becomes 0; 0 with high=100: levels are as they are, fractions of white."""
    high: Annotated[Percent, Field(ge=0, le=100)] = 99.9
    """This percentile of all channels counts as 1."""


def settled(image: Image, p: Lupton) -> Callable[[Image], Image]:
    """The stretch with its levels measured."""
    if not p.low < p.high:
        raise SpecError(f"stretch:lupton: low={p.low:g}, high={p.high:g}; low must be below high")
    black, white = np.zeros(image.shape[0]), 1.0
    if (p.low, p.high) != (0, 100):
        samples = [trusted(image, c) / white_level(image) for c in range(image.shape[0])]
        black = np.array([np.percentile(s, p.low) for s in samples])
        white = max(max(np.percentile(s, p.high) - b for s, b in zip(samples, black)), 1e-9)
    return partial(_composite, black=black, white=white, p=p)


@operation("stretch:lupton", reach=Reach.FRAME, gives=State.STRETCHED, settle=settled)
def lupton_stretch(image: Image, p: Lupton) -> Image:
    """Brighten by an asinh curve of the mean of the colours, their ratios kept even where one of them is full.

    f(I) = asinh(Q I / stretch) 0.1 / asinh(0.1 Q) with I the mean of the channels; colours are multiplied by f(I) / I,
    and those of a pixel in which one exceeds 1 divided by it.

    Flags: OR-ed over the channels, which share their mean. Plate: kept. Variance: dropped, for pixels at white have
    none that a colour of its own could tell. Unit: normalised.

    References
    ----------
    Lupton et al. 2004, PASP 116, 133.

    Raises
    ------
    SpecError
        If low is not below high.

    >>> grey = Image(np.full((3, 1, 2), [[[0.0, 0.5]]]), unit="normalised")
    >>> round(float(lupton_stretch(grey, Lupton(low=0, high=100)).data[0, 0, 1]), 3)
    0.379
    """
    return settled(image, p)(image)


def _composite(image: Image, black: np.ndarray, white: float, p: Lupton) -> Image:
    image = normalised(image)
    data = (image.data - black.astype(np.float32)[:, None, None]) / np.float32(white)
    return image.replace(data=lupton(data, p.q, p.stretch), variance=None, flags=joined_flags(image))


def lupton(colours: np.ndarray, q: float, stretch: float) -> np.ndarray:
    """Colours (channel, y, x) from 0 for black, stretched to 0..1."""
    mean = colours.mean(axis=0, dtype=np.float32)
    bright = mean > 0
    safe = np.where(bright, mean, np.float32(1))
    slope = np.float32(LINEAR_PART / np.arcsinh(LINEAR_PART * q))
    boost = np.where(bright, np.arcsinh(safe * np.float32(q / stretch)) * slope / safe, np.float32(0))
    out = np.maximum(colours * boost, np.float32(0))
    return out / np.maximum(out.max(axis=0), 1)
