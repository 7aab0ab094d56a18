"""Straight stretch between two percentiles of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import SpecError
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import stretched, white_level
from firstlight.ops.stretch.linear import Linear, straight
from firstlight.ops.stretch.sample import percentiles
from firstlight.units import Percent


class Percentile(Params):
    low: Annotated[Percent, Field(ge=0, le=100)] = 2.0
    """This percentile of the pixels becomes 0."""
    high: Annotated[Percent, Field(ge=0, le=100)] = 99.5
    """This percentile of the pixels becomes 1."""
    linked: bool = True
    """One pair of levels for all channels (colours keep their balance); otherwise one for each."""


def settled(image: Image, p: Percentile) -> Callable[[Image], Image]:
    """The stretch with its levels measured."""
    if not p.low < p.high:
        raise SpecError(f"stretch:percentile: low={p.low:g}, high={p.high:g}; low must be below high")
    bends = [straight(each) for each in levels(image, p)]
    return lambda part: stretched(part, bends)


@operation("stretch:percentile", version=3, reach=Reach.FRAME, gives=State.STRETCHED, settle=settled)
def percentile(image: Image, p: Percentile) -> Image:
    """Scale so that two percentiles of the good, unsaturated pixels become 0 and 1; what lies beyond is clipped.

    Of more than two million pixels in a channel an evenly spread part is looked at.

    Flags and plate: kept. Variance: scaled, 0 where clipped. Unit: normalised.

    Raises
    ------
    SpecError
        If low is not below high.

    >>> percentile(Image(np.arange(101.0)[None]), Percentile(low=0, high=50)).data[0, 0, :51:25].tolist()
    [0.0, 0.5, 1.0]
    """
    return settled(image, p)(image)


def levels(image: Image, p: Percentile) -> list[Linear]:
    """Black and white of each channel, fractions of the white level, as `stretch:linear` takes them."""
    pairs = percentiles(image, p.low, p.high) / white_level(image)
    if p.linked:
        pairs[:] = pairs[:, 0].min(), pairs[:, 1].max()
    # A flat image has no range; any will do, and the smallest keeps it dark.
    return [
        Linear.model_construct(
            bright=1.0, inverse=False, black=float(low), white=float(max(high, low + 1e-9 + 1e-6 * abs(low)))
        )
        for low, high in pairs
    ]


def inverse(y: np.ndarray, level: Linear) -> np.ndarray:
    """Undo the stretch of one channel for values between its percentiles."""
    return level.black + y * (level.white - level.black)
