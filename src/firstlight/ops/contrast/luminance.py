"""What a step makes of the brightness of a picture, its colours kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params

WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of red, green and blue in the luminance (ITU-R BT.709)."""


class Contrast(Params):
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the change that is applied."""


def luminance(planes: np.ndarray) -> np.ndarray:
    """Of planes (channel, y, x): that of BT.709 for three channels, else the mean; float32 (y, x)."""
    if len(planes) == 3:
        return np.tensordot(WEIGHTS, planes, 1)
    return planes.mean(axis=0, dtype=np.float32)


def on_luminance(
    step: str, image: Image, change: Callable[[np.ndarray], np.ndarray], strength: float = 1.0, *, clip: bool = True
) -> Image:
    """The image with its luminance (y, x) changed and its colours kept: every channel is scaled by the same.

    Where a colour would pass white it is drawn towards grey of the same luminance, as far as it must. ``clip`` keeps
    results within 0 and 1. Variance is None.

    Raises
    ------
    InputError
        On a CFA mosaic.
    """
    refuse_mosaic(step, image)
    whole = np.stack([whole_plane(*each)[0] for each in zip(image.data, image.flags)])
    before = luminance(whole)
    after = change(before)
    after = before + np.float32(strength) * (after - before)
    if clip:
        after = np.clip(after, 0, 1)
    if len(whole) == 1:
        data = after[None]
    else:
        tiny = np.float32(1e-6)
        data = whole * (after / np.maximum(before, tiny))
        data = np.where(before > tiny, data, after)
        if clip:
            highest = data.max(axis=0)
            over = highest > 1
            share = np.where(over, (1 - after) / np.maximum(highest - after, tiny), np.float32(1))
            data = after + share * (data - after)
    unknown = has(image.flags, EXCLUDED)
    data = np.where(unknown, image.data, data).astype(np.float32)
    return image.replace(data=np.ascontiguousarray(data), variance=None)
