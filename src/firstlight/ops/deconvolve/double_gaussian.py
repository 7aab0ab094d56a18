"""Deconvolution by a core with a halo."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.deconvolve.restore import deconvolved, learn_deconvolution, reach_of
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.shapes import gaussian_kernel, sum_of
from firstlight.ops.deconvolve.tiles import Spread
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, Source
from firstlight.units import SubPx


class DoubleGaussianPsf(Deconvolve):
    sigma: Annotated[SubPx, Field(ge=0.2, le=15)] = 1.0
    """Standard deviation of the core."""
    halo_sigma: Annotated[SubPx, Field(ge=0.2, le=15)] = 3.0
    """Standard deviation of the halo."""
    halo_weight: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Share of the light in the halo."""


def _kernel(p: DoubleGaussianPsf) -> np.ndarray:
    return sum_of(gaussian_kernel(p.sigma), gaussian_kernel(p.halo_sigma), p.halo_weight)


def _learn(source: Source, p: DoubleGaussianPsf) -> BandWork:
    return learn_deconvolution(source, p, lambda channel: Spread.same(_kernel(p)), "sharp:doublegaussian")


@operation(
    "sharp:doublegaussian", version=2, reach=Reach.FRAME, demands=State.LINEAR, learn=_learn,
    margin=lambda p: reach_of(p, _kernel(p)),
)  # fmt: skip
def deconvolve_double_gaussian(image: Image, p: DoubleGaussianPsf) -> Image:
    """Undo a blur with a Gaussian core and a wider Gaussian halo.

    The halo is what seeing and dusty optics add.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    deconvolved pixels share their noise with all around them.

    Raises
    ------
    InputError
        On a CFA mosaic; an image smaller than the point spread function.

    >>> y, x = np.mgrid[:40, :40]
    >>> star = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 8.0)
    >>> bool(deconvolve_double_gaussian(Image(star), DoubleGaussianPsf()).data.max() > 100)
    True
    """
    return deconvolved(image, p, lambda channel: Spread.same(_kernel(p)), "sharp:doublegaussian")
