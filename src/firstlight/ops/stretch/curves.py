"""Curves through points."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import field_validator

from firstlight.errors import InputError
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import Straight, bend_of
from firstlight.ops.stretch.levels import stretched
from firstlight.ops.stretch.numbers import parse_numbers

NODES = 4096
"""Of the table that the inverse begins from."""


class Curves(Params):
    points: str = "0/0/0.25/0.18/0.75/0.84/1/1"
    """Points of the curve: x/y/x/y/... with x and y from 0 to 1; both must rise."""
    channel: Literal["all", "red", "green", "blue"] = "all"
    """The channel that is bent."""
    inverse: bool = False
    """Undo it: from the bent picture back."""

    @field_validator("points")
    @classmethod
    def _rise(cls, text: str) -> str:
        _points(text)
        return text


def _points(text: str) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.array(parse_numbers(text))
    if len(numbers) % 2 or len(numbers) < 4:
        raise ValueError(f"{len(numbers)} numbers are no points; write x/y/x/y with two points at least")
    x, y = numbers[::2], numbers[1::2]
    if numbers.min() < 0 or numbers.max() > 1 or (np.diff(x) <= 0).any() or (np.diff(y) <= 0).any():
        raise ValueError("points must lie between 0 and 1, and each beyond the one before it in x and in y")
    return x, y


@operation("stretch:curves", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
def curves(image: Image, p: Curves) -> Image:
    """Bend brightness by a smooth curve through points; between them it rises without swinging over.

    Levels are fractions of white: the saturation level, or the largest value where no saturation is known. Beyond the
    first and the last point the curve stays level. Flags and plate: kept. Variance: carried through the curve. Unit:
    normalised.

    References
    ----------
    Fritsch & Butland 1984, SIAM J. Sci. Stat. Comput. 5, 300 (monotone piecewise cubics).

    Raises
    ------
    InputError
        A colour is named and the image has none.

    >>> curves(Image([[0.0, 0.5, 1.0]]), Curves(points="0/0/0.5/0.25/1/1")).data.ravel().tolist()
    [0.0, 0.25, 1.0]
    """
    x, y = _points(p.points)
    low, high = (y[0], y[-1]) if p.inverse else (x[0], x[-1])
    bend = bend_of(inverse if p.inverse else curve, p, float(low), float(high), float(low))
    if p.channel == "all":
        return stretched(image, bend)
    if image.shape[0] != 3:
        raise InputError(
            f"stretch:curves: channel={p.channel}, and the image has {image.shape[0]} channel(s); red, green and blue "
            "are needed; use channel=all"
        )
    bent = ("red", "green", "blue").index(p.channel)
    return stretched(image, [bend if c == bent else Straight(0.0, 1.0) for c in range(3)])


def curve(x: np.ndarray, p: Curves) -> np.ndarray:
    """The curve of values 0..1."""
    from scipy.interpolate import PchipInterpolator

    at, values = _points(p.points)
    return PchipInterpolator(at, values)(np.clip(x, at[0], at[-1])).astype(x.dtype)


def inverse(y: np.ndarray, p: Curves) -> np.ndarray:
    """Undo `curve` between the first and the last point."""
    from scipy.interpolate import PchipInterpolator

    at, values = _points(p.points)
    spline = PchipInterpolator(at, values)
    slope = spline.derivative()
    nodes = np.unique(np.concatenate([np.linspace(at[0], at[-1], NODES), at]))
    heights = spline(nodes)
    y = np.clip(np.asarray(y, np.float64), values[0], values[-1])
    index = np.clip(np.searchsorted(heights, y, side="right") - 1, 0, len(nodes) - 2)
    low, high = nodes[index], nodes[index + 1]
    x = np.interp(y, heights, nodes)
    for _ in range(6):
        # Newton's steps, kept between the nodes: at points of no slope they would leave.
        rise = slope(x)
        step = np.divide(spline(x) - y, rise, out=np.zeros_like(x), where=rise > 1e-12)
        x = np.clip(x - step, low, high)
    return x
