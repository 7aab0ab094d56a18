"""Noise reduction by total variation."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.smoothing import ascend_rows, divergence_rows
from firstlight.model.image import Image
from firstlight.ops.noise.cleaned import cleaned
from firstlight.ops.noise.strength import NoiseSource
from firstlight.ops.parts import each_part, row_parts
from firstlight.ops.registry import Reach, operation
from firstlight.units import Sigma

STEP = 0.25
"""Of the dual ascent; more does not converge in two dimensions."""
SEEN_EVERY = 10
"""Steps between looks at whether it still moves."""


class TotalVariation(NoiseSource):
    weight: Annotated[Sigma, Field(gt=0, le=50)] = 1.0
    """Weight of the total variation against the data: steps lower than about twice this go. In units of the noise of
    each pixel, so that bright parts are smoothed as their own noise asks."""
    steps: Annotated[int, Field(ge=1, le=5000)] = 200
    """At most so many."""
    eps: Annotated[float, Field(gt=0, le=0.1)] = 5e-4
    """It ends when the picture moves by less than this share of the noise in a step."""


@operation("nr:tv", reach=Reach.FRAME)
def reduce_total_variation(image: Image, p: TotalVariation) -> Image:
    """Take noise off as the picture of least total variation: flat where nothing is, edges where there are some.

    Rudin, Osher & Fatemi 1992, by the dual algorithm of Chambolle 2004. Faint smooth gradients become steps (use
    ``nr:starlet`` for nebulae); point sources lose a little of their light to their rims.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    where noise was taken off errors are no longer random.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.

    >>> noisy = np.random.default_rng(1).normal(100, 5, (64, 64)); noisy[:, 32:] += 50
    >>> clean = reduce_total_variation(Image(noisy), TotalVariation()).data[0]
    >>> bool(clean[:, :28].std() < 2), bool(clean[:, 36:].mean() - clean[:, :28].mean() > 45)
    (True, True)
    """

    def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None) -> np.ndarray:
        return least_variation(plane, sigma, p.weight, p.steps, p.eps)

    return cleaned(image, p, clean, "nr:tv")


def least_variation(plane: np.ndarray, sigma: np.ndarray, weight: float, steps: int, eps: float) -> np.ndarray:
    """The plane of least total variation, whose weight at a pixel is ``weight`` times its noise."""
    px, py = np.zeros_like(plane), np.zeros_like(plane)
    picture, parts = plane.copy(), row_parts(plane.shape)
    level = float(np.median(sigma))
    strength, step = np.float32(weight), np.float32(STEP)
    for turn in range(steps):
        each_part(lambda rows: ascend_rows(picture, sigma, strength, step, *rows, px, py), parts)
        look = turn % SEEN_EVERY == SEEN_EVERY - 1
        before = picture.copy() if look else picture
        each_part(lambda rows: divergence_rows(plane, px, py, *rows, picture), parts)
        if look and np.sqrt(np.mean((picture - before) ** 2, dtype=np.float64)) < eps * level:
            break
    return picture
