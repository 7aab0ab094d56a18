"""Level and contrast made equal everywhere."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.contrast.luminance import Contrast, on_luminance
from firstlight.ops.registry import Reach, operation
from firstlight.units import SubPx


class LocalNormal(Contrast):
    scale: Annotated[SubPx, Field(ge=2, le=2000)] = 64.0
    """Sigma of the Gaussian that says what surroundings are."""
    limit: Annotated[float, Field(ge=1, le=20)] = 3.0
    """Contrast is raised by no more than this where the surroundings are flat."""
    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the change that is applied."""


@operation("contrast:localnormalize", reach=Reach.FRAME, demands=State.STRETCHED)
def normalise_locally(image: Image, p: LocalNormal) -> Image:
    """Local normalisation: surroundings everywhere are given the same mean and the same scatter.

    y = median + (x - local mean) sigma / local sigma. For faint arcs and dust before a bright or uneven background.

    Colours are kept (`on_luminance`). Pixels without a number keep what they hold and take no part. Flags, plate and
    unit: kept. Variance: dropped, for what a pixel becomes hangs on what lies around it.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:96, :96]
    >>> uneven = Image(0.2 + 0.005 * x + 0.02 * np.sin(y / 2.0), state=State.STRETCHED)
    >>> even = normalise_locally(uneven, LocalNormal(scale=8, strength=1)).data[0]
    >>> bool(abs(even[:, :48].mean() - even[:, 48:].mean()) < 0.02)
    True
    """

    def change(plane: np.ndarray) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        middle = gaussian_filter(plane, p.scale, mode="mirror")
        away = plane - middle
        spread = np.sqrt(np.maximum(gaussian_filter(away * away, p.scale, mode="mirror"), 0))
        usual = np.float32(np.median(spread))
        if usual == 0:
            return plane
        gain = np.minimum(usual / np.maximum(spread, np.float32(1e-9)), np.float32(p.limit))
        return np.float32(np.median(plane)) + away * gain

    return on_luminance("contrast:localnormalize", image, change, p.strength)
