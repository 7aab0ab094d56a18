"""Deconvolution by a drizzled pixel."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.deconvolve.restore import deconvolved, learn_deconvolution, reach_of
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.shapes import box_kernel
from firstlight.ops.deconvolve.tiles import Spread
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, Source
from firstlight.units import SubPx


class DrizzlePsf(Deconvolve):
    scale: Annotated[SubPx, Field(gt=1, le=8)] = 2.0
    """Side of a drop on the finer grid: drizzle scale times pixfrac."""


def _kernel(p: DrizzlePsf) -> np.ndarray:
    return box_kernel(p.scale)


def _learn(source: Source, p: DrizzlePsf) -> BandWork:
    return learn_deconvolution(source, p, lambda channel: Spread.same(_kernel(p)), "sharp:drizzle")


@operation(
    "sharp:drizzle", version=2, reach=Reach.FRAME, demands=State.LINEAR, learn=_learn,
    margin=lambda p: reach_of(p, _kernel(p)),
)  # fmt: skip
def deconvolve_drizzle(image: Image, p: DrizzlePsf) -> Image:
    """Undo what drizzling or enlarging smeared: a square pixel on a finer grid.

    The box of an input pixel; its zeros in the frequency domain stay empty.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    deconvolved pixels share their noise with all around them.

    Raises
    ------
    InputError
        On a CFA mosaic; an image smaller than the point spread function.

    >>> y, x = np.mgrid[:40, :40]
    >>> star = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 8.0)
    >>> bool(deconvolve_drizzle(Image(star), DrizzlePsf()).data.max() > 100)
    True
    """
    return deconvolved(image, p, lambda channel: Spread.same(_kernel(p)), "sharp:drizzle")
