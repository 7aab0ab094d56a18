"""Histogram of tiles, limited."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.contrast.luminance import Contrast, on_luminance
from firstlight.ops.registry import Reach, operation
from firstlight.units import Px


class Clahe(Contrast):
    tile: Annotated[Px, Field(ge=8, le=4096)] = 128
    """Side of the tiles whose histograms are flattened."""
    clip: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Limit of the contrast: share of a tile's pixels that one level may hold. Larger is stronger, and noisier."""
    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the change that is applied."""


@operation("contrast:clahe", reach=Reach.FRAME, demands=State.STRETCHED)
def equalise_tiles(image: Image, p: Clahe) -> Image:
    """Flatten the histogram of each tile, its contrast limited (CLAHE): faint structure everywhere shows.

    Zuiderveld 1994, by scikit-image; tiles are joined bilinearly.

    Colours are kept (`on_luminance`). Pixels without a number keep what they hold and take no part. Flags, plate and
    unit: kept. Variance: dropped, for what a pixel becomes hangs on what lies around it.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:96, :96]
    >>> slope = Image(0.1 + 0.005 * x + 0.01 * np.sin(y / 3.0), state=State.STRETCHED)
    >>> strong = equalise_tiles(slope, Clahe(tile=32))
    >>> bool(strong.data[0, 20:76, 48].std() > 1.3 * slope.data[0, 20:76, 48].std())
    True
    """

    def change(plane: np.ndarray) -> np.ndarray:
        from skimage.exposure import equalize_adapthist

        x = np.clip(plane, 0, 1)
        low, high = float(x.min()), float(x.max())
        if high <= low or min(x.shape) < 2:
            return x
        # The library spreads its input over 0..1 before, and its output after.
        flat = equalize_adapthist(x, kernel_size=[min(p.tile, n) for n in x.shape], clip_limit=p.clip)
        return (low + (high - low) * flat).astype(np.float32)

    return on_luminance("contrast:clahe", image, change, p.strength)
