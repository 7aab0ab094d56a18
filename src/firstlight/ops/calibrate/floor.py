"""The darkest sky of each channel."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate.gradient import Surface, without_gradient
from firstlight.ops.calibrate.uniform import Iterations, LevelMode, level_surface
from firstlight.ops.registry import Params, Reach, operation
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


@operation("abr:floor", reach=Reach.FRAME, demands=State.LINEAR)
def remove_floor(image: Image, p: Floor, mask: Image | None = None) -> Image:
    """Subtract the darkest level of each smoothed channel, less a little: the sky comes to lie just above 0.

    As `abr:uniform`, on a channel smoothed first (at half its size where the smoothing allows). Nothing is clipped.
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

    >>> float(remove_floor(Image(np.full((8, 8), 50.0)), Floor()).data.max())
    1.0
    """

    def model(plane: np.ndarray, good: np.ndarray, px: int) -> Surface:
        smooth, seen = _smooth(plane, good, p.presmooth / px)
        found = level_surface(smooth, seen, p.iterations, p.offset)
        return Surface(found.nodes, plane.shape)

    return without_gradient("abr:floor", image, model, p.mode, mask, keep_level=False)


def _smooth(plane: np.ndarray, good: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian mean of good pixels, and where it holds at least half of its weight."""
    from scipy.ndimage import gaussian_filter

    if sigma < 0.1:
        return plane, good
    weight = good.astype(np.float32)
    values = np.where(good, plane, 0).astype(np.float32)
    if sigma >= 2 and min(plane.shape) >= 4:
        # Pairs of pixels are averaged first: a quarter of the work, and their box counts 1/4 of a variance.
        height, width = (length // 2 * 2 for length in plane.shape)
        values, weight = (
            0.25 * sum(a[j:height:2, i:width:2] for j in (0, 1) for i in (0, 1)) for a in (values, weight)
        )
        sigma = (sigma**2 - 0.25) ** 0.5 / 2
    total = gaussian_filter(weight, sigma)
    mean = gaussian_filter(values, sigma) / np.maximum(total, 1e-3)
    seen = total > 0.5
    return mean, seen if seen.any() else total >= total.max()
