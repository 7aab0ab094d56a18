"""Power-law stretch."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import bend_of
from firstlight.ops.stretch.levels import stretched


class Gamma(Params):
    gamma: Annotated[float, Field(ge=0.05, le=20)] = 2.2
    """Values are raised to 1 / gamma: above 1 brightens, below 1 darkens."""
    inverse: bool = False
    """Undo it: from the stretched picture back to linear values (what was clipped stays clipped)."""


@operation("stretch:gamma", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
def gamma(image: Image, p: Gamma) -> Image:
    """Raise values, as fractions of white, to the power 1 / gamma; what lies outside 0 to 1 is clipped.

    White is the saturation level, or the largest value where no saturation is known.
    Flags and plate: kept. Variance: carried through the curve, 0 where clipped. Unit: normalised.

    >>> gamma(Image([[0.0, 2.5, 10.0]]), Gamma(gamma=2)).data.ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    # A power above 1 bends most at white.
    centre = 1.0 if p.inverse == (p.gamma > 1) else 0.0
    return stretched(image, bend_of(inverse if p.inverse else curve, p, centre=centre))


def curve(x: np.ndarray, p: Gamma) -> np.ndarray:
    """The stretch of normalised values."""
    return np.clip(x, 0.0, 1.0) ** (1.0 / p.gamma)


def inverse(y: np.ndarray, p: Gamma) -> np.ndarray:
    """Undo `curve` for values between 0 and 1."""
    return np.clip(y, 0.0, 1.0) ** p.gamma
