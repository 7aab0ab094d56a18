"""The light of a spectral line without that of the stars."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, State
from firstlight.ops.color.channels import sky_level
from firstlight.ops.color.together import block_means, fit_line, need_alike, need_mono
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.registry import Params, Reach, operation

FEWEST = 8
"""Stars that are asked for the factor."""
HALF = 6
"""px: half the side of the square in which the light of a star is summed."""


class Continuum(Params):
    factor: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """What the broadband image is multiplied with; 0: measured on the stars."""


@operation("color:continuum", reach=Reach.FRAME, demands=State.LINEAR)
def subtract_continuum(image: Image, p: Continuum, broadband: Image) -> Image:
    """Subtract the continuum from a narrowband image: line = narrowband - k (broadband - its background).

    k is the median ratio of the light of the stars in both images; with fewer than 8 stars, the slope of the line
    through all pixels. The background of the narrowband image stays.

    Flags: of both, OR-ed. Variance: of both, k taken as exact. Plate and unit: kept.

    Raises
    ------
    InputError
        An image has several channels, another size, unit or state.

    >>> star, line = np.zeros((24, 24)), np.zeros((24, 24)); star[12, 12], line[:8, :8] = 100, 5
    >>> out = subtract_continuum(Image(0.1 * star + line), Continuum(factor=0.1), Image(star))
    >>> bool(np.abs(out.data[0] - line).max() < 1e-5)
    True
    """
    need_mono("color:continuum", image=image, broadband=broadband)
    need_alike("color:continuum", image, broadband=broadband)
    k = np.float32(p.factor or continuum_factor(image, broadband))
    variance = None
    if image.variance is not None and broadband.variance is not None:
        variance = image.variance + k**2 * broadband.variance
    data = image.data - k * (broadband.data - np.float32(sky_level(broadband, 0)))
    return image.replace(data=data, variance=variance, flags=image.flags | broadband.flags)


def continuum_factor(narrow: Image, broad: Image) -> float:
    """Light of stars in the narrowband image over that in the broadband one."""
    gap = has(broad.flags[0], EXCLUDED) | has(narrow.flags[0], EXCLUDED)
    a, b = (np.where(gap, 0, i.data[0] - np.float32(sky_level(i, 0))) for i in (narrow, broad))
    white = broad.meta.saturation if broad.unit == "adu" else None
    try:
        stars, _ = find_stars(np.where(gap, np.float32(sky_level(broad, 0)), broad.data[0]), FindStars(max_stars=500),
                              excluded=gap, saturation=0.9 * white if white else np.inf)  # fmt: skip
    except FrameError:
        stars = None
    ratios = []
    height, width = gap.shape
    for x, y in () if stars is None else stars.take((stars.saturated == 0) & (stars.snr > 20)).positions:
        i, j = round(float(x)), round(float(y))
        if HALF <= i < width - HALF and HALF <= j < height - HALF:
            box = np.s_[j - HALF : j + HALF + 1, i - HALF : i + HALF + 1]
            if not gap[box].any():
                ratios.append(_above_rim(a[box]) / max(_above_rim(b[box]), 1e-30))
    if len(ratios) >= FEWEST:
        return max(float(np.median(ratios)), 0.0)
    return max(fit_line(block_means(broad), block_means(narrow))[0], 0.0)


def _above_rim(box: np.ndarray) -> float:
    """Light in a square above the median of its rim: of a star, without the nebula it stands in."""
    rim = np.concatenate([box[0], box[-1], box[1:-1, 0], box[1:-1, -1]])
    return float(box.sum(dtype=np.float64) - np.median(rim) * box.size)
