"""One level of sky for each channel."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate.gradient import survey_gradient, without_gradient
from firstlight.ops.calibrate.nodes import Surface
from firstlight.ops.calibrate.sights import Model, Pixels, Sample, Sight
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.survey import Survey
from firstlight.ops.words import spelled
from firstlight.units import Adu

ENOUGH = 1_000_000
"""Pixels that settle a level."""
SMALLEST = 0.1
"""Sigma (px) below which a Gaussian changes nothing."""

LevelMode = Annotated[Literal["subtract", "model"], spelled({"sub": "subtract", "set": "model"})]
Iterations = Annotated[int, Field(ge=1, le=50)]


class Uniform(Params):
    iterations: Iterations = 8
    """How often the mean of what lies below the mean is taken: 1 is about the sky, 8 its darkest pixels."""
    offset: Adu = 0.0
    """Added to the level before it is subtracted: below 0, the darkest sky stays that much above 0."""
    mode: LevelMode = "subtract"
    """``subtract`` the level, or give the level itself: ``model``."""


def _survey(like: Image, height: int, p: Uniform) -> Survey:
    return survey_gradient("abr:uniform", like, height, level_model(p), p.mode, keep_level=False)


@operation("abr:uniform", reach=Reach.FRAME, demands=State.LINEAR, version=2, survey=_survey)
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

    return without_gradient("abr:uniform", _survey(image, image.shape[1], p), image, mask)


def level_model(p: Uniform, presmooth: float = 0.0) -> Model:
    """The mean of what lies below the mean, so many times, everywhere; of pixels smoothed (sigma, px) before."""

    def sight(shape: tuple[int, int], px: int) -> Sight:
        def fit(sample: Sample) -> Surface | None:
            values = np.sort(sample.values[sample.good]).astype(np.float64)
            if not values.size:
                return None
            level = float(values.mean())
            for _ in range(p.iterations - 1):
                values = values[: max(np.searchsorted(values, level, side="right"), 1)]
                level = float(values.mean())
            return Surface(np.full((1, 1), level + p.offset), shape)

        sigma = presmooth / px if presmooth / px >= SMALLEST else 0.0
        return Sight((Pixels(shape, sigma, most=ENOUGH),), fit)

    return sight
