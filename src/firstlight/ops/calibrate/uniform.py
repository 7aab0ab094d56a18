"""One level of sky for each channel."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate.gradient import Surface, without_gradient
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.words import spelled
from firstlight.units import Adu

ENOUGH = 1_000_000
"""Pixels that settle a level."""

LevelMode = Annotated[Literal["subtract", "model"], spelled({"sub": "subtract", "set": "model"})]
Iterations = Annotated[int, Field(ge=1, le=50)]


class Uniform(Params):
    iterations: Iterations = 8
    """How often the mean of what lies below the mean is taken: 1 is about the sky, 8 its darkest pixels."""
    offset: Adu = 0.0
    """Added to the level before it is subtracted: below 0, the darkest sky stays that much above 0."""
    mode: LevelMode = "subtract"
    """``subtract`` the level, or give the level itself: ``model``."""


@operation("abr:uniform", reach=Reach.FRAME, demands=State.LINEAR)
def remove_uniform(image: Image, p: Uniform, mask: Image | None = None) -> Image:
    """Subtract one level from each channel: the mean of what lies below the mean, eight times over.

    The sky goes down to about 0 and its noise stays above it. Nothing is clipped. Pixels under ``mask`` (above 0:
    objects) take no part. A mosaic has a level for each colour.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the level is taken as
    exact); dropped for ``mode=model``.

    References
    ----------
    The iteration is that of the uniform background of cvastrophoto.

    Raises
    ------
    InputError
        A mask of another size.

    >>> remove_uniform(Image([[1.0, 2.0, 3.0, 10.0]]), Uniform(iterations=2)).data.ravel().tolist()
    [-1.0, 0.0, 1.0, 8.0]
    """

    def model(plane: np.ndarray, good: np.ndarray, px: int) -> Surface:
        return level_surface(plane, good, p.iterations, p.offset)

    return without_gradient("abr:uniform", image, model, p.mode, mask, keep_level=False)


def level_surface(plane: np.ndarray, good: np.ndarray, iterations: int, offset: float) -> Surface:
    """The mean of what lies below the mean, so many times, everywhere."""
    values = plane[good]
    values = np.sort(values[:: max(values.size // ENOUGH, 1)]).astype(np.float64)
    level = float(values.mean())
    for _ in range(iterations - 1):
        values = values[: max(np.searchsorted(values, level, side="right"), 1)]
        level = float(values.mean())
    return Surface(np.full((1, 1), level + offset), plane.shape)
