"""Colour composite of Lupton et al."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import ContractError, SpecError
from firstlight.kernels.colours import lupton_colours
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.parts import across, each_row_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.asinh import FURTHEST, asinh_over
from firstlight.ops.stretch.levels import joined_flags, white_level
from firstlight.ops.stretch.sample import percentiles
from firstlight.ops.stretch.table import Table, tabulated
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
        pairs = percentiles(image, p.low, p.high) / white_level(image)
        black, white = pairs[:, 0], max(float(np.max(pairs[:, 1] - pairs[:, 0])), 1e-9)
    return partial(_composite, black=black, white=white, p=p)


@operation("stretch:lupton", version=2, reach=Reach.FRAME, gives=State.STRETCHED, settle=settled)
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
    factor = np.float32(1 / white_level(image))
    data = lupton(image.data, p.q, p.stretch, factor, black, white)
    return image.replace(data=data, variance=None, unit=PixelUnit.NORMALISED, flags=joined_flags(image), checked=True)


def lupton(
    colours: np.ndarray, q: float, stretch: float, factor: float = 1.0, black: np.ndarray | float = 0.0,
    white: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Colours (channel, y, x) stretched to 0..1; ``black`` (one or each) and ``white`` are levels of colours times
    ``factor``."""
    table, x, out = _table(q, stretch), across(colours), np.empty(colours.shape, np.float32)
    levels = np.float32(factor), np.full(len(colours), black, np.float32), np.float32(1 / white)
    each_row_part(
        colours.shape,
        lambda first, last: lupton_colours(x, first, last, *levels, table.high, *table.grid, across(out)),
    )
    return out


@lru_cache(maxsize=8)
def _table(q: float, stretch: float) -> Table:
    """f(I) / I."""
    beta, slope = q / stretch, LINEAR_PART / np.arcsinh(LINEAR_PART * q)
    found = tabulated(lambda light: slope * asinh_over(light, beta), 0.0, FURTHEST, 0.0, relative=True)
    if found is None:
        raise ContractError(f"stretch:lupton: no table for Q={q!r}, stretch={stretch!r}")
    return found
