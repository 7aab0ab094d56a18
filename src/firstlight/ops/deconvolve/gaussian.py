"""Deconvolution by a Gaussian."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.deconvolve.restore import deconvolved, learn_deconvolution, reach_of
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.shapes import gaussian_kernel
from firstlight.ops.deconvolve.tiles import Spread
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, Source
from firstlight.units import SubPx


class GaussianPsf(Deconvolve):
    sigma: Annotated[SubPx, Field(ge=0.2, le=15)] = 1.0
    """Standard deviation of the blur; the FWHM over 2.355."""


def _kernel(p: GaussianPsf) -> np.ndarray:
    return gaussian_kernel(p.sigma)


def _learn(source: Source, p: GaussianPsf) -> BandWork:
    return learn_deconvolution(source, p, lambda channel: Spread.same(_kernel(p)), "sharp:gaussian")


@operation(
    "sharp:gaussian", version=2, reach=Reach.FRAME, demands=State.LINEAR, learn=_learn,
    margin=lambda p: reach_of(p, _kernel(p)),
)  # fmt: skip
def deconvolve_gaussian(image: Image, p: GaussianPsf) -> Image:
    """Undo a blur of Gaussian shape.

    For optics and seeing that are known as a width; stars tell more (``sharp:stars``).

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    deconvolved pixels share their noise with all around them.

    Raises
    ------
    InputError
        On a CFA mosaic; an image smaller than the point spread function.

    >>> y, x = np.mgrid[:40, :40]
    >>> star = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 8.0)
    >>> bool(deconvolve_gaussian(Image(star), GaussianPsf()).data.max() > 100)
    True
    """
    return deconvolved(image, p, lambda channel: Spread.same(_kernel(p)), "sharp:gaussian")
