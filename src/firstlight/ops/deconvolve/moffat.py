"""Deconvolution by a Moffat profile."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.deconvolve.restore import deconvolved, learn_deconvolution, reach_of
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.shapes import moffat_kernel
from firstlight.ops.deconvolve.tiles import Spread
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, Source
from firstlight.units import Degrees, SubPx


class MoffatPsf(Deconvolve):
    fwhm: Annotated[SubPx, Field(ge=0.5, le=30)] = 3.0
    """Full width at half maximum, geometric mean of both axes."""
    beta: Annotated[float, Field(gt=1, le=20)] = 3.0
    """Exponent: the smaller, the wider the wings; 2.5 to 5 for seeing."""
    eccentricity: Annotated[float, Field(ge=0, le=0.99)] = 0.0
    """sqrt(1 - b^2 / a^2) of trailed or tilted stars; 0: round."""
    angle: Annotated[Degrees, Field(ge=-180, le=180)] = 0.0
    """Of the long axis, from x towards y."""


def _kernel(p: MoffatPsf) -> np.ndarray:
    return moffat_kernel(p.fwhm, p.beta, p.eccentricity, p.angle)


def _learn(source: Source, p: MoffatPsf) -> BandWork:
    return learn_deconvolution(source, p, lambda channel: Spread.same(_kernel(p)), "sharp:moffat")


@operation(
    "sharp:moffat", version=2, reach=Reach.FRAME, demands=State.LINEAR, learn=_learn,
    margin=lambda p: reach_of(p, _kernel(p)),
)  # fmt: skip
def deconvolve_moffat(image: Image, p: MoffatPsf) -> Image:
    """Undo a blur of the shape that seeing has: a Moffat profile.

    Moffat 1969, A&A 3, 455.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    deconvolved pixels share their noise with all around them.

    Raises
    ------
    InputError
        On a CFA mosaic; an image smaller than the point spread function.

    >>> y, x = np.mgrid[:40, :40]
    >>> star = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 8.0)
    >>> bool(deconvolve_moffat(Image(star), MoffatPsf()).data.max() > 100)
    True
    """
    return deconvolved(image, p, lambda channel: Spread.same(_kernel(p)), "sharp:moffat")
