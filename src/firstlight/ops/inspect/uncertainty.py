"""The noise that an image carries beside its pixels, as an image."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.words import spelled


class Uncertainty(Params):
    show: Annotated[Literal["noise", "weight"], spelled({"weights": "weight"})] = "noise"
    """``noise``: the standard deviation of each pixel. ``weight``: what it counts in a mean, one over the variance."""


@operation("inspect:uncertainty", reach=Reach.PIXEL, gives=State.LINEAR)
def uncertainty(image: Image, p: Uncertainty) -> Image:
    """The variance plane as an image: the noise of each pixel, or its weight.

    `inspect:noise` measures the noise in the pixels themselves.

    Flags and plate: kept. Variance: dropped, noise has none. Unit: that of the image for noise; normalised for weights,
    which are 0 where a pixel has no variance.

    Raises
    ------
    InputError
        If the image has no variance.

    >>> uncertainty(Image([[5.0, 6.0]], variance=[[4.0, 9.0]]), Uncertainty()).data.ravel().tolist()
    [2.0, 3.0]
    """
    if image.variance is None:
        raise InputError(
            "inspect:uncertainty: the image has no variance; stacks of firstlight have one; inspect:noise measures"
        )
    data = np.sqrt(np.maximum(image.variance, 0)) if p.show == "noise" else _weights(image.variance)
    unit = image.unit if p.show == "noise" else PixelUnit.NORMALISED
    return image.replace(data=data.astype(np.float32), variance=None, unit=unit, state=State.LINEAR)


def _weights(variance: np.ndarray) -> np.ndarray:
    known = np.isfinite(variance) & (variance > 0)
    return np.divide(np.float32(1), variance, out=np.zeros_like(variance), where=known)
