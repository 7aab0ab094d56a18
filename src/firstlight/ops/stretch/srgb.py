"""The coding of screens."""

from __future__ import annotations

import numpy as np

from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import bend_of
from firstlight.ops.stretch.levels import stretched


class Srgb(Params):
    inverse: bool = False
    """Undo it: from values coded for a screen to linear light."""


@operation("stretch:srgb", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
def srgb(image: Image, p: Srgb) -> Image:
    """Code linear light for screens by the sRGB transfer function: what a camera or screen does, and no more.

    Levels are fractions of white: the saturation level, or the largest value where no saturation is known. Values
    outside 0 to 1 are clipped. Flags and plate: kept. Variance: carried through the curve, 0 where clipped. Unit:
    normalised.

    References
    ----------
    IEC 61966-2-1:1999.

    >>> srgb(Image([[0.0, 0.2140411, 1.0]]), Srgb()).data.ravel().round(4).tolist()
    [0.0, 0.5, 1.0]
    """
    return stretched(image, bend_of(bent, p))


def bent(x: np.ndarray, p: Srgb) -> np.ndarray:
    """`curve` or `inverse`, as the parameters say."""
    return inverse(x) if p.inverse else curve(x)


def curve(x: np.ndarray) -> np.ndarray:
    """Linear light 0..1 to coded values."""
    x = np.clip(x, 0.0, 1.0)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * np.maximum(x, 0.0031308) ** (1 / 2.4) - 0.055).astype(x.dtype)


def inverse(y: np.ndarray) -> np.ndarray:
    """Coded values to linear light."""
    y = np.clip(y, 0.0, 1.0)
    return np.where(y <= 0.04045, y / 12.92, ((y + 0.055) / 1.055) ** 2.4).astype(y.dtype)
