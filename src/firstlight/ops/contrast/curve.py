"""Contrast of the whole picture."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.contrast.luminance import Contrast, on_luminance
from firstlight.ops.registry import Reach, operation


class GlobalContrast(Contrast):
    contrast: Annotated[float, Field(ge=-1, le=5)] = 0.5
    """Steepness of the curve at its pivot, beyond 1; below 0 the picture becomes flatter."""
    pivot: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Brightness that stays; 0: the median of the picture."""


@operation("contrast:global", reach=Reach.FRAME, demands=State.STRETCHED)
def adjust_contrast(image: Image, p: GlobalContrast) -> Image:
    """More or less contrast by one S-shaped curve: what is brighter than the pivot brightens, what is darker darkens.

    Two arcs of y = x^g, mirrored at the pivot; black, pivot and white stay. The inverse of contrast c is that of
    1 / (1 + c) - 1.

    Colours are kept (`on_luminance`). Pixels without a number keep what they hold and take no part. Flags, plate and
    unit: kept. Variance: dropped, for what a pixel becomes hangs on what lies around it.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> ramp = np.linspace(0, 1, 101)[None]
    >>> steep = adjust_contrast(Image(ramp, state=State.STRETCHED), GlobalContrast(pivot=0.5)).data[0, 0]
    >>> [round(float(steep[k]), 2) for k in (0, 25, 50, 75, 100)]
    [0.0, 0.18, 0.5, 0.82, 1.0]
    """
    power = np.float32(1 + p.contrast) if p.contrast > -1 else np.float32(1e-3)

    def change(plane: np.ndarray) -> np.ndarray:
        pivot = np.float32(p.pivot or min(max(float(np.median(plane)), 0.01), 0.99))
        x = np.clip(plane, 0, 1)
        low = pivot * (np.minimum(x, pivot) / pivot) ** power
        high = 1 - (1 - pivot) * ((1 - np.maximum(x, pivot)) / max(1 - pivot, np.float32(1e-6))) ** power
        return np.where(x < pivot, low, high)

    return on_luminance("contrast:global", image, change, p.strength)
