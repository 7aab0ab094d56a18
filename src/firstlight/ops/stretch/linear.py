"""Straight stretch between two levels."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import SpecError
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import Straight
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


@operation("stretch:linear", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
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
    return stretched(image, straight(p))


def straight(p: Linear) -> Straight:
    """The stretch of each pixel."""
    slope = p.bright / (p.white - p.black)
    return Straight(-p.black * slope, 1 / slope, -np.inf, np.inf) if p.inverse else Straight(p.black, slope)


def curve(x: np.ndarray, p: Linear) -> np.ndarray:
    """The stretch of normalised values."""
    return np.clip((x - p.black) * (p.bright / (p.white - p.black)), 0.0, 1.0)


def inverse(y: np.ndarray, p: Linear) -> np.ndarray:
    """Undo `curve` for values between black and white."""
    return p.black + y * ((p.white - p.black) / p.bright)
