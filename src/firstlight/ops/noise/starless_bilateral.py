"""Bilateral smoothing of what lies between the stars."""

from __future__ import annotations

import numpy as np  # noqa: F401 - for the example

from firstlight.model.image import Image
from firstlight.ops.contrast.starless import StarSplit, on_starless
from firstlight.ops.noise.bilateral import Bilateral, bilateral
from firstlight.ops.registry import Reach, operation


class StarlessBilateral(Bilateral, StarSplit):
    """As for the step itself, and what counts as a star."""


@operation("nr:starlessbilateral", version=2, reach=Reach.FRAME)
def starless_bilateral(image: Image, p: StarlessBilateral) -> Image:
    """Bilateral smoothing of what lies between the stars (``nr:bilateral``); the stars stay.

    What lies behind the stars (`split_stars`) goes through ``nr:bilateral``; the stars are put back as they were.
    Pixels without a number keep what they hold. Flags, plate and unit: kept. Variance: dropped, for where stars were
    put back there is none.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.

    >>> y, x = np.mgrid[:64, :64]
    >>> star = 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 4)
    >>> noisy = star + np.random.default_rng(1).normal(100, 5, (64, 64))
    >>> clean = starless_bilateral(Image(noisy), StarlessBilateral()).data[0]
    >>> bool(clean[40:, 40:].std() < 4.6), round(float(clean[20, 30] / noisy[20, 30]), 2)
    (True, 1.0)
    """
    return on_starless(image, lambda behind: bilateral(behind, p), p, step="nr:starlessbilateral")
