"""Noise reduction by diffusion."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.smoothing import diffuse_rows
from firstlight.model.image import Image
from firstlight.ops.noise.cleaned import learn_cleaning
from firstlight.ops.noise.strength import SOFTENED, NoiseSource
from firstlight.ops.parts import each_part, row_parts
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, ImageSource, Source
from firstlight.units import Sigma

STEP = 1 / 7


class Diffusion(NoiseSource):
    limit: Annotated[Sigma, Field(gt=0, le=20)] = 1.0
    """Differences of neighbours below this times the noise flow away, larger ones stay. Of a scatter that counts stars
    as noise, as cvastrophoto's, 0.15 is about the same."""
    speck: Annotated[Sigma, Field(gt=0, le=50)] = 2.0
    """The same for pixels above or below all their neighbours."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 40
    """Steps of time 1 / 7: the light of a pixel can flow sqrt(steps) px or so."""


def _learn(source: Source, p: Diffusion) -> BandWork:
    def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None, out: np.ndarray) -> None:
        limit, speck, dt = np.float32(p.limit), np.float32(p.speck), np.float32(STEP)
        parts, other = row_parts(plane.shape), np.empty_like(plane)
        # The last step shall end in ``out``.
        now, after, following = plane, *((out, other) if p.steps % 2 else (other, out))
        for _ in range(p.steps):

            def flow(rows: tuple[int, int], now: np.ndarray = now, after: np.ndarray = after) -> None:
                diffuse_rows(now, sigma, limit, speck, dt, *rows, after)

            each_part(flow, parts)
            now, after, following = after, following, after

    return learn_cleaning(source, p, lambda samples: clean, "nr:diffusion")


@operation("nr:diffusion", reach=Reach.FRAME, margin=lambda p: p.steps + SOFTENED, learn=_learn)
def diffuse(image: Image, p: Diffusion) -> Image:
    """Take noise off by letting small differences between neighbours flow away; edges and stars hold.

    Perona & Malik 1990, with eight neighbours (diagonal ones count half) and a limit that follows the noise of each
    pixel. Stars' skirts bleed a little: ``nr:starlessdiffusion`` leaves stars out.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    where noise was taken off errors are no longer random.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.

    >>> noisy = np.random.default_rng(1).normal(100, 5, (64, 64)); noisy[:, 32:] += 100
    >>> clean = diffuse(Image(noisy), Diffusion()).data[0]
    >>> bool(clean[:, :28].std() < 2), bool(clean[:, 36:].mean() - clean[:, :28].mean() > 95)
    (True, True)
    """

    return _learn(ImageSource(image), p)(image, 0)
