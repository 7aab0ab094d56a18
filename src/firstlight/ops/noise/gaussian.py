"""Gaussian smoothing."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import SubPx

CUT = 4.0
"""Weights end this many sigma from the centre."""


class Gaussian(Params):
    sigma: Annotated[SubPx, Field(gt=0, le=100)] = 1.0
    """Standard deviation of the weights."""


@operation("nr:gaussian", reach=Reach.WINDOW, margin=lambda p: max(int(CUT * p.sigma + 0.5), 1))
def gaussian(image: Image, p: Gaussian) -> Image:
    """Smooth by a Gaussian of good pixels; pixels without a number take no part and keep what they hold.

    Flags: kept. Variance: squared weights; neighbours are correlated afterwards, so that single pixels scatter less
    than means of them suggest. At the edges the picture is mirrored. Plate and unit: kept.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> spike = np.zeros((19, 19)); spike[9, 9] = 1
    >>> float(gaussian(Image(spike), Gaussian()).data.sum().round(3))
    1.0
    """
    refuse_mosaic("nr:gaussian", image)
    weights = _weights(p.sigma)
    data = np.empty_like(image.data)
    variance = None if image.variance is None else np.empty_like(image.data)
    for channel, good in enumerate(image.good):
        whole = bool(good.all())
        plane = image.data[channel] if whole else np.where(good, image.data[channel], np.float32(0))
        smooth = _convolved(plane, weights)
        share = np.float32(1) if whole else np.maximum(_convolved(good.astype(np.float32), weights), np.float32(1e-12))
        data[channel] = np.where(good, smooth / share, image.data[channel])
        if variance is not None:
            given = np.where(good, image.variance[channel], np.float32(0))
            propagated = _convolved(given, weights, squared=True) / share**2
            variance[channel] = np.where(good, propagated, image.variance[channel])
    return image.replace(data=data, variance=variance)


def _weights(sigma: float) -> np.ndarray:
    half = max(int(CUT * sigma + 0.5), 1)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    return weights / weights.sum()


def _convolved(plane: np.ndarray, weights: np.ndarray, squared: bool = False) -> np.ndarray:
    from scipy.ndimage import correlate1d

    weights = weights**2 if squared else weights
    for axis in (0, 1):
        plane = correlate1d(plane, weights, axis=axis, output=np.float32, mode="mirror")
    return plane
