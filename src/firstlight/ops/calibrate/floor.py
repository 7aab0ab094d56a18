"""The darkest sky of each channel."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate.gradient import survey_gradient, without_gradient
from firstlight.ops.calibrate.uniform import Iterations, LevelMode, Uniform, level_model
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.survey import Survey
from firstlight.units import Adu, Unit


class Floor(Params):
    presmooth: Annotated[float, Field(ge=0, le=100), Unit("px")] = 2.0
    """Sigma of the Gaussian that comes first, so that noise does not decide."""
    iterations: Iterations = 8
    """How often the mean of what lies below the mean is taken."""
    offset: Adu = -1.0
    """Added to the level before it is subtracted: below 0, the darkest sky stays that much above 0."""
    mode: LevelMode = "subtract"
    """``subtract`` the level, or give the level itself: ``model``."""


def _survey(like: Image, height: int, p: Floor) -> Survey:
    model = level_model(Uniform(iterations=p.iterations, offset=p.offset), p.presmooth)
    return survey_gradient("abr:floor", like, height, model, p.mode, keep_level=False)


@operation("abr:floor", reach=Reach.FRAME, demands=State.LINEAR, version=2, survey=_survey)
def remove_floor(image: Image, p: Floor, mask: Image | None = None) -> Image:
    """Subtract the darkest level of each smoothed channel, less a little: the sky comes to lie just above 0.

    As `abr:uniform`, on a channel smoothed first. Nothing is clipped.
    Pixels under ``mask`` (above 0: objects) take no part. A mosaic has a level for each colour.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the level is taken as
    exact); dropped for ``mode=model``.

    References
    ----------
    The numbers are those of the floor of cvastrophoto.

    Raises
    ------
    InputError
        A mask of another size.

    >>> round(float(remove_floor(Image([[50.0] * 8] * 8), Floor()).data.max()), 3)
    1.0
    """

    return without_gradient("abr:floor", _survey(image, image.shape[1], p), image, mask)
