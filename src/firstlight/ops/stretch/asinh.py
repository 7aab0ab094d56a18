"""Inverse hyperbolic sine stretch that keeps colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import ContractError
from firstlight.kernels.colours import boost_colours, boost_noise, dim_colours
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.parts import across, each_row_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import joined_flags, white_level
from firstlight.ops.stretch.table import Table, tabulated
from firstlight.units import Unit

WEIGHTS = {"equal": (1 / 3, 1 / 3, 1 / 3), "human": (0.2126, 0.7152, 0.0722)}
"""Shares of red, green and blue in the luminance; ``human`` is that of ITU-R BT.709."""
SMALL = 1e-12
FURTHEST = 2.0**20
"""Luminance, in units of white, above which the boost stays what it is there."""


class Asinh(Params):
    beta: Annotated[float, Field(gt=0, le=1e6)] = 100.0
    """Strength: faint light is brightened up to beta / asinh(beta) times."""
    black: Annotated[float, Field(ge=-1, lt=1), Unit("of white")] = 0.0
    """This level becomes 0."""
    luminance: Literal["human", "equal"] = "human"
    """Weights of the colours in the luminance that decides how much a pixel is brightened."""
    inverse: bool = False
    """Undo it: from the stretched picture back to linear values (what was clipped stays clipped)."""


@operation("stretch:asinh", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
def asinh(image: Image, p: Asinh) -> Image:
    """Brighten faint light by an asinh curve of the luminance; the ratio of the colours in a pixel stays.

    y = x asinh(beta L) / (L asinh(beta)) with x the channel and L the luminance, both above black as fractions of what
    lies between black and white (the saturation level, or the largest value where no saturation is known). Results
    outside 0 to 1 are clipped, which is where saturated colours may turn.

    Flags: OR-ed over the channels, which share their luminance. Plate: kept. Variance: first order, from all channels;
    0 where clipped; dropped by the inverse. Unit: normalised.

    References
    ----------
    Lupton et al. 2004, PASP 116, 133.

    >>> y = asinh(Image([[0.0, 1.0, 100.0]]), Asinh(beta=100)).data.ravel()
    >>> [round(float(v), 3) for v in y]
    [0.0, 0.166, 1.0]
    """
    weights = _weights(image.shape[0], p)
    x, data = across(image.data), np.empty(image.shape, np.float32)
    factor = np.float32(1 / white_level(image))
    if p.inverse:
        table = _table(_inverse_boost, p.beta, 1.0)
        black, white = np.float32(p.black), np.float32(1)

        def undo(first: int, last: int) -> None:
            dim_colours(x, first, last, factor, black, white, weights, table.high, *table.grid, across(data))

        each_row_part(image.shape, undo)
        variance = None
    else:
        table = _table(_boost, p.beta, FURTHEST)
        levels = factor, np.float32(p.black), np.float32(1 / (1 - p.black)), weights
        norm = np.float32(p.beta), np.float32(1 / np.arcsinh(p.beta))
        variance = None if image.variance is None else np.empty(image.shape, np.float32)
        given = None if image.variance is None else across(image.variance)

        def brighten(first: int, last: int) -> None:
            boost_colours(x, first, last, *levels, table.high, *table.grid, across(data))
            if given is not None and variance is not None:
                boost_noise(x, given, first, last, *levels, *norm, table.high, *table.grid, across(variance))

        each_row_part(image.shape, brighten)
    return image.replace(
        data=data, variance=variance, unit=PixelUnit.NORMALISED, flags=joined_flags(image), checked=True
    )


def _weights(channels: int, p: Asinh) -> np.ndarray:
    return np.array(WEIGHTS[p.luminance] if channels == 3 else [1 / channels] * channels, np.float32)


@lru_cache(maxsize=8)
def _table(factor: Callable[[np.ndarray, float], np.ndarray], beta: float, high: float) -> Table:
    found = tabulated(lambda light: factor(light, beta), 0.0, high, 0.0, relative=True)
    if found is None:
        raise ContractError(f"stretch:asinh: no table for beta={beta!r}")
    return found


def _boost(luminance: np.ndarray, beta: float) -> np.ndarray:
    """asinh(beta L) / (L asinh(beta))."""
    return asinh_over(luminance, beta) / np.arcsinh(beta)


def asinh_over(light: np.ndarray, beta: float) -> np.ndarray:
    """asinh(beta x) / x of what is not below 0; its limit at 0."""
    small = light < SMALL
    safe = np.where(small, 1.0, light)
    return np.where(small, beta, np.arcsinh(beta * safe) / safe)


def _inverse_boost(shown: np.ndarray, beta: float) -> np.ndarray:
    """Luminance over that of the stretched picture; its limit at 0."""
    small = shown < SMALL
    safe = np.where(small, 1.0, shown)
    return np.where(small, np.arcsinh(beta), np.sinh(safe * np.arcsinh(beta)) / safe) / beta


def curve(x: np.ndarray, p: Asinh) -> np.ndarray:
    """The stretch of normalised values of a grey pixel."""
    x = (x - p.black) / (1 - p.black)
    return np.clip(np.arcsinh(p.beta * x) / np.arcsinh(p.beta), 0.0, 1.0)


def inverse(y: np.ndarray, p: Asinh) -> np.ndarray:
    """Undo `curve` for values between black and white."""
    return p.black + (1 - p.black) * np.sinh(y * np.arcsinh(p.beta)) / p.beta
