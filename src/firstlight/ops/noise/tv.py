"""Noise reduction by total variation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.smoothing import ascend_rows, settle_rows
from firstlight.model.image import Image
from firstlight.ops.noise.cleaned import Clean, Sample, learn_cleaning
from firstlight.ops.noise.strength import SOFTENED, NoiseSource
from firstlight.ops.parts import each_part, row_parts
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, ImageSource, Source
from firstlight.units import Sigma

STEP = 0.25
"""Of the dual ascent; more does not converge in two dimensions."""
SEEN_EVERY = 10
"""Steps between looks at whether it still moves."""
MARGIN = 64
"""px: what lies further away changes nothing that could be seen against the noise."""


class TotalVariation(NoiseSource):
    weight: Annotated[Sigma, Field(gt=0, le=50)] = 1.0
    """Weight of the total variation against the data: steps lower than about twice this go. In units of the noise of
    each pixel, so that bright parts are smoothed as their own noise asks."""
    steps: Annotated[int, Field(ge=1, le=5000)] = 200
    """At most so many."""
    eps: Annotated[float, Field(gt=0, le=0.1)] = 5e-4
    """It ends when the picture moves by less than this share of the noise in a step."""


def _learn(source: Source, p: TotalVariation) -> BandWork:
    def learn(samples: Callable[[int], list[Sample]]) -> Clean:
        steps = enough_steps(samples(MARGIN), p.weight, p.steps, p.eps)

        def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None, out: np.ndarray) -> None:
            least_variation(plane, sigma, p.weight, steps, out)

        return clean

    return learn_cleaning(source, p, learn, "nr:tv")


@operation("nr:tv", version=2, reach=Reach.FRAME, margin=lambda p: MARGIN + SOFTENED, learn=_learn)
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

    return _learn(ImageSource(image), p)(image, 0)


def least_variation(plane: np.ndarray, sigma: np.ndarray, weight: float, steps: int, out: np.ndarray) -> None:
    """The plane of least total variation into ``out``; its weight at a pixel is ``weight`` times the noise there."""
    np.copyto(out, plane)
    ascent = _Ascent(plane, sigma, weight, out)
    for _ in range(steps):
        ascent.step()


def enough_steps(samples: Sequence[Sample], weight: float, most: int, eps: float) -> int:
    """Steps after which the pictures move by less than ``eps`` of the noise in one more."""
    pictures = [sample.plane.copy() for sample in samples]
    ascents = [_Ascent(s.plane, s.sigma, weight, picture) for s, picture in zip(samples, pictures)]
    level = float(np.median(np.concatenate([s.sigma.reshape(-1)[:: max(s.sigma.size // 4096, 1)] for s in samples])))
    for done in range(1, most + 1):
        look = done % SEEN_EVERY == 0
        before = [picture.copy() for picture in pictures] if look else []
        for ascent in ascents:
            ascent.step()
        if look:
            squares = [np.mean((a - b) ** 2, dtype=np.float64) for a, b in zip(pictures, before)]
            if np.sqrt(np.mean(squares)) < eps * level:
                return done
    return most


class _Ascent:
    """The dual field of a picture, on its way."""

    def __init__(self, plane: np.ndarray, sigma: np.ndarray, weight: float, picture: np.ndarray) -> None:
        self.plane, self.sigma, self.picture = plane, sigma, picture
        self.field = np.zeros_like(plane), np.zeros_like(plane)
        self.pace = np.float32(weight), np.float32(STEP)
        self.parts = row_parts(plane.shape)

    def step(self) -> None:
        # The last row of each part first, while the row below it is still as it was.
        each_part(
            lambda rows: ascend_rows(self.picture, self.sigma, *self.pace, rows[1] - 1, rows[1], *self.field),
            self.parts,
        )
        each_part(
            lambda rows: settle_rows(self.plane, self.sigma, *self.pace, *rows, *self.field, self.picture), self.parts
        )
