"""Automatic stretch by the midtones transfer function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.inspect.median import median
from firstlight.ops.parts import each_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import Transfer
from firstlight.ops.stretch.levels import stretched, white_level
from firstlight.ops.stretch.sample import trusted
from firstlight.units import Sigma, Unit

MAD = 1.4826
"""Median absolute deviation to standard deviation, for Gaussian noise."""


class Midtones(Params):
    shadows: Annotated[Sigma, Field(ge=-10, le=0)] = -2.8
    """Black lies this far from the median of the sky."""
    target: Annotated[float, Field(gt=0, lt=1), Unit("of white")] = 0.25
    """Brightness the sky is given."""
    linked: bool = True
    """One curve for all channels (colours keep their balance); otherwise one for each (casts vanish)."""


@dataclass(frozen=True)
class Levels:
    """One curve: shadows and highlights are clipped, ``midtone`` becomes 1/2."""

    shadows: float
    midtone: float
    highlights: float


def settled(image: Image, p: Midtones) -> Callable[[Image], Image]:
    """The stretch with its levels measured."""
    bends = [Transfer(q.shadows, q.highlights, q.midtone) for q in levels(image, p)]
    return lambda part: stretched(part, bends)


@operation("stretch:midtones", version=3, reach=Reach.FRAME, gives=State.STRETCHED, settle=settled)
def midtones(image: Image, p: Midtones) -> Image:
    """Stretch so that the sky gets a given brightness and faint light shows: the usual automatic stretch.

    c0 = median - 2.8 MAD (normalised, of good unsaturated pixels; 0 at the least, or the lowest value where there are
    negative ones), m = MTF(median - c0; 0.25), y = MTF((x - c0) / (1 - c0); m). Linked: c0 and median are means over
    the channels. Images whose median is above 1/2 are treated as negatives. Levels are fractions of white: the
    saturation level, or the largest value where no saturation is known. Of more than two million pixels in a channel
    an evenly spread part is measured. `stretch:mtf` takes the levels as numbers, and undoes it.

    Flags and plate: kept. Variance: carried through the curve, 0 where clipped. Unit: normalised.

    >>> sky = 100 + np.arange(64.0).reshape(8, 8) / 64; sky[0, 0] = 60000
    >>> round(float(np.median(midtones(Image(sky), Midtones()).data)), 2)
    0.25
    """
    return settled(image, p)(image)


def mtf(x: np.ndarray, m: float) -> np.ndarray:
    """Midtones transfer function: 0, m, 1 become 0, 1/2, 1.

    >>> mtf(np.array([0.0, 0.25, 1.0]), 0.25).tolist()
    [0.0, 0.5, 1.0]
    """
    return ((m - 1) * x) / ((2 * m - 1) * x - m)


def levels(image: Image, p: Midtones) -> list[Levels]:
    """The curve of each channel, for its values as fractions of white."""
    white = white_level(image)
    facts = np.array(each_part(lambda c: _sky(trusted(image, c)), range(image.shape[0]))) / white
    if np.count_nonzero(facts[:, 0] > 0.5) * 2 > len(facts):
        mirrored = [(1 - middle, mad, 1 - highest, 1 - lowest) for middle, mad, lowest, highest in facts]
        return [Levels(1 - q.highlights, 1 - q.midtone, 1 - q.shadows) for q in _levels(np.array(mirrored), p)]
    return _levels(facts, p)


def _sky(values: np.ndarray) -> tuple[float, float, float, float]:
    """Median, scaled MAD, lowest and highest value."""
    middle = median(values)
    away = np.abs(values - np.float32(middle))
    return middle, MAD * median(away), float(values.min()), float(values.max())


def _levels(facts: np.ndarray, p: Midtones) -> list[Levels]:
    if p.linked:
        facts = np.broadcast_to([*facts[:, :2].mean(axis=0), facts[:, 2].min(), facts[:, 3].max()], facts.shape)
    found = []
    for middle, mad, lowest, _ in facts:
        black = max(middle + p.shadows * mad, min(lowest, 0.0))
        # The sky of a noiseless image lies on black itself: any curve that is not a step will do.
        midtone = float(mtf(np.float64(max(middle - black, 1e-6)), p.target))
        found.append(Levels(float(black), midtone, 1.0))
    return found


def curve(x: np.ndarray, q: Levels) -> np.ndarray:
    """The stretch of normalised values of one channel."""
    return mtf(np.clip((x - q.shadows) / (q.highlights - q.shadows), 0.0, 1.0), q.midtone)


def inverse(y: np.ndarray, q: Levels) -> np.ndarray:
    """Undo `curve` for values between shadows and highlights."""
    return q.shadows + (q.highlights - q.shadows) * mtf(y, 1 - q.midtone)
