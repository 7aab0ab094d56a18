"""Hot and cold pixels that a frame itself shows."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.surroundings import separable_median
from firstlight.model.flags import Flag
from firstlight.model.image import Image, State
from firstlight.ops.calibrate.planes import filled
from firstlight.ops.calibrate.repair import Repair, repair
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Sigma

LONELY = 0.35
"""A hot pixel's brightest neighbour, of any colour, has less than this share of its light: that of a star has more."""


class Cosmetic(Params):
    hot: Annotated[Sigma, Field(ge=0, le=1000)] = 6.0
    """Pixels this far above their like around them are hot; 0: none is."""
    cold: Annotated[Sigma, Field(ge=0, le=1000)] = 6.0
    """Pixels this far below are cold; 0: none is."""


@operation("cal:cosmetic", reach=Reach.FRAME, demands=State.LINEAR)
def cosmetic(image: Image, p: Cosmetic) -> Image:
    """Find hot and cold pixels without a dark, and mend them.

    A pixel is compared with the median of those of its colour around it, in units of the noise of the frame; a hot one
    must stand alone: where a neighbour, of any colour, shares its light it may be a star. Two hot pixels side by side
    are therefore left; so are two cold ones.

    Flags: HOT and COLD, and INTERPOLATED where they are mended. All other bad pixels are mended too, and counted in the
    header: see `cal:repair`. Variance: of mended pixels the scatter of their neighbours. Plate and unit: kept.

    >>> sky = np.random.default_rng(1).normal(100, 2, (40, 40)); sky[9, 9] = 300; sky[20, 30] = 20
    >>> found = cosmetic(Image(sky), Cosmetic())
    >>> [Flag(int(f)).name for f in (found.flags[0, 9, 9], found.flags[0, 20, 30])]
    ['HOT|INTERPOLATED', 'COLD|INTERPOLATED']
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    step = 2 if image.meta.cfa else 1
    flags = image.flags.copy()
    ring = np.ones((2 * step + 1, 2 * step + 1), bool)
    ring[step, step] = False
    good = image.good
    for channel, plane in enumerate(image.data):
        data = filled(plane, good[channel])
        if min(data.shape) < 2 * step + 1:
            continue
        around = np.empty_like(data)
        separable_median(data, step, around)
        excess = data - around
        sigma = 1.4826 * float(np.median(np.abs(excess[good[channel]]))) if good[channel].any() else 0.0
        if sigma == 0:
            continue
        # Brighter light is noisier; its noise grows no faster than by the root.
        level = float(np.median(data[good[channel]]))
        noise = sigma * np.sqrt(np.maximum(around / level, 1)) if level > 0 else sigma
        alone = maximum_filter(excess, footprint=ring, mode="nearest") < np.maximum(LONELY * excess, 3 * noise)
        if p.hot:
            flags[channel][good[channel] & (excess > p.hot * noise) & alone] |= np.uint16(Flag.HOT)
        if p.cold:
            lonely = minimum_filter(excess, footprint=ring, mode="nearest") > np.minimum(LONELY * excess, -3 * noise)
            flags[channel][good[channel] & (excess < -p.cold * noise) & lonely] |= np.uint16(Flag.COLD)
    return repair(image.replace(flags=flags), Repair())
