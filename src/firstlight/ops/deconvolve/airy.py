"""Deconvolution by a diffraction pattern."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.deconvolve.restore import deconvolved, learn_deconvolution, reach_of
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.shapes import airy_kernel
from firstlight.ops.deconvolve.tiles import Spread
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, Source
from firstlight.units import SubPx


class AiryPsf(Deconvolve):
    radius: Annotated[SubPx, Field(ge=0.5, le=20)] = 2.0
    """Of the first dark ring of the unobstructed aperture: 1.22 wavelength / diameter, on the sensor."""
    obstruction: Annotated[float, Field(ge=0, lt=0.95)] = 0.0
    """Diameter of the secondary mirror over that of the aperture."""
    seeing: Annotated[SubPx, Field(ge=0, le=10)] = 0.5
    """Sigma of a Gaussian that blurs the pattern."""


def _kernel(p: AiryPsf) -> np.ndarray:
    return airy_kernel(p.radius, p.obstruction, p.seeing)


def _learn(source: Source, p: AiryPsf) -> BandWork:
    return learn_deconvolution(source, p, lambda channel: Spread.same(_kernel(p)), "sharp:airy")


@operation(
    "sharp:airy", version=2, reach=Reach.FRAME, demands=State.LINEAR, learn=_learn,
    margin=lambda p: reach_of(p, _kernel(p)),
)  # fmt: skip
def deconvolve_airy(image: Image, p: AiryPsf) -> Image:
    """Undo the diffraction of a telescope's aperture.

    For planets, the Moon and space: where the atmosphere blurs little.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    deconvolved pixels share their noise with all around them.

    Raises
    ------
    InputError
        On a CFA mosaic; an image smaller than the point spread function.

    >>> y, x = np.mgrid[:40, :40]
    >>> star = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 8.0)
    >>> bool(deconvolve_airy(Image(star), AiryPsf()).data.max() > 100)
    True
    """
    return deconvolved(image, p, lambda channel: Spread.same(_kernel(p)), "sharp:airy")
