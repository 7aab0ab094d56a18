"""Noise reduction by the bilateral filter."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.smoothing import bilateral_rows
from firstlight.model.image import Image
from firstlight.ops.noise.cleaned import learn_cleaning
from firstlight.ops.noise.strength import SOFTENED, NoiseSource
from firstlight.ops.parts import each_part, row_parts
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, ImageSource, Source
from firstlight.units import Sigma, SubPx

FINENESS = 200
"""Steps of the table of weights for one sigma of the noise."""
CUT = 2.5
"""Weights end at so many sigma, of the place and of the brightness."""


class Bilateral(NoiseSource):
    sigma: Annotated[SubPx, Field(ge=0.3, le=10)] = 2.0
    """Reach: standard deviation of the weights by distance."""
    range: Annotated[Sigma, Field(gt=0, le=50)] = 2.5
    """Standard deviation of the weights by difference in brightness, in units of the noise of each pixel."""


def _half(p: Bilateral) -> int:
    return max(int(np.ceil(CUT * p.sigma)), 1)


def _learn(source: Source, p: Bilateral) -> BandWork:
    half = _half(p)
    bell = np.exp(-0.5 * (np.arange(-half, half + 1) / p.sigma) ** 2)
    weights = np.outer(bell, bell).astype(np.float32)
    steps = np.arange(int(CUT * p.range * FINENESS) + 2)
    table = np.exp(-0.5 * ((steps + 0.5) / (FINENESS * p.range)) ** 2).astype(np.float32)
    table[-1] = 0
    table[0] = 1

    def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None, out: np.ndarray) -> None:
        each_part(
            lambda rows: bilateral_rows(plane, sigma, weights, table, np.float32(FINENESS), *rows, out),
            row_parts(plane.shape),
        )

    return learn_cleaning(source, p, lambda samples: clean, "nr:bilateral")


@operation("nr:bilateral", reach=Reach.FRAME, margin=lambda p: _half(p) + SOFTENED, learn=_learn)
def bilateral(image: Image, p: Bilateral) -> Image:
    """Smooth by those neighbours that are about as bright: noise goes, edges and stars stay.

    Tomasi & Manduchi 1998. Isolated peaks of the noise, that have no neighbours alike, stay: take them off before
    (``nr:median``) or use ``nr:starlet``.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    where noise was taken off errors are no longer random.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.

    >>> noisy = np.random.default_rng(1).normal(100, 5, (64, 64)); noisy[:, 32:] += 100
    >>> clean = bilateral(Image(noisy), Bilateral()).data[0]
    >>> bool(clean[:, :28].std() < 2), bool(clean[:, 36:].mean() - clean[:, :28].mean() > 95)
    (True, True)
    """
    return _learn(ImageSource(image), p)(image, 0)
