"""Brighter, with the hue of what becomes too bright kept."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import ContractError
from firstlight.kernels.colours import fade_colours
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.parts import across, each_plane_part, each_row_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.asinh import FURTHEST
from firstlight.ops.stretch.bends import bend_of
from firstlight.ops.stretch.levels import joined_flags, white_level
from firstlight.ops.stretch.srgb import Srgb, bent
from firstlight.ops.stretch.table import Table, tabulated


class Colorimetric(Params):
    bright: Annotated[float, Field(gt=0, le=1e6)] = 4.0
    """Light is multiplied by this."""
    clipexp: Annotated[float, Field(ge=0, le=4)] = 0.25
    """How soon colours beyond white fade: 0 keeps them full, 1 fades them within a stop or two."""
    coding: Literal["srgb", "linear"] = "srgb"
    """Coded for screens, or left as linear light (for a curve to come)."""


@operation("stretch:colorimetric", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
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
    light = faded(image.data, p.clipexp, p.bright / white_level(image))
    if p.coding == "srgb":
        code(light)
    return image.replace(data=light, variance=None, unit=PixelUnit.NORMALISED, flags=joined_flags(image), checked=True)


def faded(light: np.ndarray, clipexp: float, factor: float = 1.0) -> np.ndarray:
    """Colours (channel, y, x) times a factor, 0 at least and brought to 1 at most, their hue kept."""
    out = np.empty(light.shape, np.float32)
    x = across(light)
    each_row_part(light.shape, lambda first, last: _fade(x, first, last, factor, clipexp, across(out)))
    return out


def _fade(x: np.ndarray, first: int, last: int, factor: float, clipexp: float, out: np.ndarray) -> None:
    table = fading(clipexp)
    fade_colours(x, first, last, np.float32(factor), table.high, *table.grid, out)


def code(light: np.ndarray) -> None:
    """Code linear light (channel, y, x) for screens, in place."""
    bend = bend_of(bent, Srgb())
    nothing = np.empty(0, np.float32)

    def work(c: int, rows: slice) -> None:
        plane = light[c, rows].reshape(-1)
        bend.on(plane, np.float32(1), nothing, plane, nothing)

    each_plane_part(light.shape, work)


@lru_cache(maxsize=8)
def fading(clipexp: float) -> Table:
    """The saturation that is left of a colour so much above white."""
    found = tabulated(lambda above: (np.log2(above + 1) + 1) ** -clipexp, 0.0, FURTHEST, 0.0)
    if found is None:
        raise ContractError(f"stretch:colorimetric: no table for clipexp={clipexp!r}")
    return found
