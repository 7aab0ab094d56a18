"""Contrast of structure, large brightness compressed."""

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

FLOOR = 1e-3
"""Brightness below which there is no contrast to keep."""


class HdrContrast(Contrast):
    scales: Annotated[int, Field(ge=3, le=10)] = 6
    """Structure of up to 2^scales px keeps its contrast; what is larger is flattened."""
    compress: Annotated[float, Field(gt=0, le=1)] = 0.6
    """How far the large brightness goes towards its own median."""
    protect_stars: bool = True
    """Stars are taken out before the large brightness is measured: no dark discs around them."""
    shadows: bool = False
    """Dark surroundings are lifted too; otherwise only bright ones are lowered."""


@operation("contrast:hdr", version=2, reach=Reach.FRAME, demands=State.STRETCHED)
def compress_range(image: Image, p: HdrContrast) -> Image:
    """High dynamic range: bright cores of galaxies and nebulae show their structure, which keeps its contrast.

    In the spirit of PixInsight's HDRMultiscaleTransform: the starlet layers beyond a scale are compressed, finer ones
    stay. It works on logarithms, so that contrasts are ratios, of the luminance without stars.

    Colours are kept (`on_luminance`). Pixels without a number keep what they hold and take no part. Flags, plate and
    unit: kept. Variance: dropped, for what a pixel becomes hangs on what lies around it.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:128, :128]
    >>> core = 0.1 + 0.8 * np.exp(-((x - 64) ** 2 + (y - 64) ** 2) / 900.0) * (1 + 0.1 * np.sin(x))
    >>> flat = compress_range(Image(core, state=State.STRETCHED), HdrContrast(scales=4)).data[0]
    >>> bool(flat.max() < 0.75), bool(flat[64, 60:68].std() / flat[64, 60:68].mean() > 0.05)
    (True, True)
    """
    behind = None
    if p.protect_stars and not image.meta.cfa:
        # The parts hold the same pixels without a number as the picture; they are filled as there.
        parts = split_stars(image, StarSplit(), "contrast:hdr")
        behind = luminance(without_holes(parts.starless).data)

    def change(plane: np.ndarray) -> np.ndarray:
        base = np.maximum(plane if behind is None else behind, np.float32(FLOOR))
        base = np.log(base)
        for scale in range(min(p.scales, largest_scale(base.shape))):
            base = smoothed(base, scale)
        away = base - np.float32(np.median(base))
        if not p.shadows:
            away = np.maximum(away, 0)
        return plane * np.exp(np.float32(-p.compress) * away)

    return on_luminance("contrast:hdr", image, change, p.strength)
