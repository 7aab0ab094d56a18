"""Straight stretch between two levels."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import SpecError
from firstlight.kernels.curves import bend_straight
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import stretched
from firstlight.units import Unit

Fraction = Annotated[float, Field(ge=-1, le=2), Unit("of white")]


class Linear(Params):
    black: Fraction = 0.0
    """This level becomes 0."""
    white: Fraction = 1.0
    """This level becomes 1."""
    bright: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """All is multiplied by this afterwards: 4 shows a quarter of the range."""
    inverse: bool = False
    """Undo it: from the stretched picture back to linear values (what was clipped stays clipped)."""


@operation("stretch:linear", reach=Reach.PIXEL, gives=State.STRETCHED)
def linear(image: Image, p: Linear) -> Image:
    """Scale so that ``black`` becomes 0 and ``white`` becomes 1; what lies beyond is clipped.

    y = bright (x - black) / (white - black). Levels are fractions of white: the saturation level, or the largest value
    where no saturation is known.
    Flags and plate: kept. Variance: scaled, 0 where clipped. Unit: normalised.

    Raises
    ------
    SpecError
        If black is not below white.

    >>> linear(Image([[0.0, 5.0, 10.0]]), Linear(white=0.5)).data.ravel().tolist()
    [0.0, 1.0, 1.0]
    """
    if not p.black < p.white:
        raise SpecError(f"stretch:linear: black={p.black:g}, white={p.white:g}; black must be below white")
    bend = inverse if p.inverse else curve
    return stretched(image, lambda x: bend(x, p))


def curve(x: np.ndarray, p: Linear) -> np.ndarray:
    """The stretch of normalised values."""
    slope = p.bright / (p.white - p.black)
    if x.dtype == np.float32 and x.flags.c_contiguous:
        out = np.empty_like(x)
        bend_straight(x.reshape(-1), np.float32(p.black), np.float32(slope), out.reshape(-1))
        return out
    return np.clip((x - p.black) * slope, 0.0, 1.0)


def inverse(y: np.ndarray, p: Linear) -> np.ndarray:
    """Undo `curve` for values between black and white."""
    return p.black + y * ((p.white - p.black) / p.bright)
