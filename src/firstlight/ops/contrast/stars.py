"""The stars alone."""

from __future__ import annotations

import numpy as np  # noqa: F401 - for the example

from firstlight.model.image import Image
from firstlight.ops.contrast.starless import StarSplit, split_stars
from firstlight.ops.registry import Reach, operation


class Stars(StarSplit):
    """As for the starless picture, of which this is the other half."""


@operation("extract:stars", version=2, reach=Reach.FRAME)
def extract_stars(image: Image, p: Stars) -> Image:
    """The stars alone, on 0: what ``extract:starless`` without grain takes out. The two add up to the picture.

    Flags, plate and unit: kept. Variance: dropped, for the sky drawn in behind a star has none.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:64, :64]
    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64))
    >>> stars = extract_stars(Image(sky + 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 4)), Stars())
    >>> bool(stars.data.max() > 400), float(np.median(stars.data))
    (True, 0.0)
    """
    return split_stars(image, p, "extract:stars").stars
