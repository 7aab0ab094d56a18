"""Dark structure."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.contrast.inpaint import without_holes
from firstlight.ops.contrast.luminance import Contrast, luminance, on_luminance
from firstlight.ops.contrast.starless import StarSplit, split_stars
from firstlight.ops.inspect.starlet import largest_scale, smoothed
from firstlight.ops.registry import Reach, operation


class DarkStructure(Contrast):
    scales: Annotated[int, Field(ge=2, le=9)] = 6
    """Dark structure of up to 2^scales px is deepened."""
    amount: Annotated[float, Field(gt=0, le=2)] = 0.7
    """How much darker it becomes."""
    protect_stars: bool = True
    """Stars are taken out before: gaps between them are no dark structure."""


@operation("contrast:darkstructure", version=2, reach=Reach.FRAME, demands=State.STRETCHED)
def darken_structure(image: Image, p: DarkStructure) -> Image:
    """Deepen dark structure: dust lanes, globules, gaps between filaments; what is bright stays.

    What lies below its own smoothing (starlets beyond a scale) is lowered once more by a share of how far it does.

    Colours are kept (`on_luminance`). Pixels without a number keep what they hold and take no part. Flags, plate and
    unit: kept. Variance: dropped, for what a pixel becomes hangs on what lies around it.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> glow = np.full((96, 96), 0.5); glow[:, 44:52] = 0.4
    >>> lane = darken_structure(Image(glow, state=State.STRETCHED), DarkStructure(scales=5)).data[0]
    >>> bool(lane[48, 48] < 0.36), bool(abs(lane[48, 5] - 0.5) < 0.02)
    (True, True)
    """
    behind = None
    if p.protect_stars and not image.meta.cfa:
        parts = split_stars(image, StarSplit(), "contrast:darkstructure")
        behind = luminance(without_holes(parts.starless).data)

    def change(plane: np.ndarray) -> np.ndarray:
        # The finest layer is noise for the most part: it is not deepened.
        structure = smoothed(plane if behind is None else behind, 0)
        base = structure
        for scale in range(1, min(p.scales, largest_scale(plane.shape))):
            base = smoothed(base, scale)
        return plane - np.float32(p.amount) * np.maximum(base - structure, 0)

    return on_luminance("contrast:darkstructure", image, change, p.strength)
