"""Generalised hyperbolic stretch."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import SpecError
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import bend_of
from firstlight.ops.stretch.levels import stretched
from firstlight.units import Unit

LAST = float(np.nextafter(1.0, 0.0))
Level = Annotated[float, Field(ge=0, le=1), Unit("of white")]


class Ghs(Params):
    stretch: Annotated[float, Field(ge=0, le=10)] = 3.0
    """Strength, ln(D + 1); 0 changes nothing."""
    focus: Annotated[float, Field(ge=-5, le=15)] = 0.0
    """How closely the contrast gathers about ``symmetry`` (b): -1 logarithmic, 0 exponential, 1 hyperbolic, more is
    tighter."""
    symmetry: Level = 0.0
    """Level about which the contrast is raised most (SP)."""
    protect_low: Level = 0.0
    """Below this level the curve is straight (LP); at most ``symmetry``."""
    protect_high: Level = 1.0
    """Above this level the curve is straight (HP); at least ``symmetry``."""
    inverse: bool = False
    """Undo it: from the stretched picture back to linear values (what was clipped stays clipped)."""


@operation("stretch:ghs", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
def ghs(image: Image, p: Ghs) -> Image:
    """Raise the contrast about a chosen level by the generalised hyperbolic family, straight beyond two others.

    Levels are fractions of white: the saturation level, or the largest value where no saturation is known. Values
    outside 0 to 1 are clipped. Flags and plate: kept. Variance: carried through the curve, 0 where clipped. Unit:
    normalised.

    References
    ----------
    Payne & Cranfield 2021, the generalised hyperbolic stretch equations (ghsastro.co.uk).

    Raises
    ------
    SpecError
        If protect_low is above symmetry or protect_high below it.

    >>> y = ghs(Image([[0.0, 1.0, 10.0]]), Ghs(stretch=2)).data.ravel()
    >>> [round(float(v), 2) for v in y]
    [0.0, 0.47, 1.0]
    """
    if not p.protect_low <= p.symmetry <= p.protect_high:
        raise SpecError(
            f"stretch:ghs: protect_low={p.protect_low:g}, symmetry={p.symmetry:g}, protect_high={p.protect_high:g}; "
            "they must not decrease in this order"
        )
    if p.inverse:
        return stretched(image, bend_of(inverse, p, centre=1.0))
    return stretched(image, bend_of(curve, p, centre=p.symmetry))


def curve(x: np.ndarray, p: Ghs) -> np.ndarray:
    """The stretch of normalised values."""
    x = np.clip(x, 0.0, 1.0)
    if p.stretch == 0:
        return x
    low, high = (float(_raw(np.float64(end), p)) for end in (0.0, 1.0))
    return np.clip((_raw(x, p) - low) / (high - low), 0.0, 1.0)


def inverse(y: np.ndarray, p: Ghs) -> np.ndarray:
    """Undo `curve` for values between 0 and 1."""
    y = np.clip(np.asarray(y, np.float64), 0.0, 1.0)
    if p.stretch == 0:
        return y
    low, high = (float(_raw(np.float64(end), p)) for end in (0.0, 1.0))
    return _raw_inverse(low + y * (high - low), p)


def _depth(p: Ghs) -> float:
    return math.expm1(p.stretch)


def _raw(x: np.ndarray, p: Ghs) -> np.ndarray:
    """The curve before it is brought to 0 .. 1: odd about ``symmetry``, tangents beyond the protected levels."""
    u = x - p.symmetry
    reach, slope = _sides(u, p)
    distance = np.abs(u)
    inside = np.minimum(distance, reach)
    return np.sign(u) * (_base(inside, p) + slope * (distance - inside))


def _raw_inverse(y: np.ndarray, p: Ghs) -> np.ndarray:
    reach, slope = _sides(y, p)
    distance = np.abs(y)
    inside = np.minimum(distance, _base(reach, p))
    # Steep curves are level at a protected end by rounding: nothing lies beyond it then.
    beyond = np.divide(distance - inside, slope, out=np.zeros_like(distance), where=slope > 0)
    return p.symmetry + np.sign(y) * (_base_inverse(inside, p) + beyond)


def _sides(u: np.ndarray, p: Ghs) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the protected level on the side of each value, and the slope there, in the type of ``u``."""
    reach = np.array([p.symmetry - p.protect_low, p.protect_high - p.symmetry])
    slope = _base_slope(reach, p)
    side = (u >= 0).astype(np.intp)
    return reach.astype(u.dtype)[side], slope.astype(u.dtype)[side]


def _base(u: np.ndarray, p: Ghs) -> np.ndarray:
    b, du = p.focus, _depth(p) * u
    if b == 0:
        return -np.expm1(-du)
    if b == -1:
        return np.log1p(du)
    if b > 0:
        return -np.expm1(-np.log1p(b * du) / b)
    b = -b
    return np.expm1(np.log1p(b * du) * (b - 1) / b) / (b - 1)


def _base_slope(u: np.ndarray, p: Ghs) -> np.ndarray:
    b, depth = p.focus, _depth(p)
    if b == 0:
        return depth * np.exp(-depth * u)
    if b == -1:
        return depth / (1 + depth * u)
    if b > 0:
        return depth * np.exp(-np.log1p(b * depth * u) * (1 + b) / b)
    return depth * np.exp(-np.log1p(-b * depth * u) / -b)


def _base_inverse(t: np.ndarray, p: Ghs) -> np.ndarray:
    b, depth = p.focus, _depth(p)
    if b >= 0:
        # Steep curves reach 1 by rounding alone.
        t = np.minimum(t, LAST)
    if b == 0:
        return -np.log1p(-t) / depth
    if b == -1:
        return np.expm1(t) / depth
    if b > 0:
        return np.expm1(-b * np.log1p(-t)) / (b * depth)
    b = -b
    return np.expm1(np.log1p((b - 1) * t) * b / (b - 1)) / (b * depth)
