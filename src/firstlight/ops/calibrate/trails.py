"""Trails of satellites and aeroplanes on a single frame."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.kernels.calibrate import smooth_mosaic
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, State
from firstlight.ops.calibrate.counts import with_cards
from firstlight.ops.calibrate.masters import WORTHLESS
from firstlight.ops.calibrate.planes import filled
from firstlight.ops.inspect.streaks import find_streaks
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Sigma, SubPx


class Trails(Params):
    limit: Annotated[Sigma, Field(ge=4, le=100)] = 8.0
    """A line must hold this many sigma more lit pixels than chance gives it."""
    margin: Annotated[SubPx, Field(ge=0, le=50)] = 1.0
    """Flagged beyond the width at which its light falls into the noise."""
    most: Annotated[int, Field(ge=1, le=50)] = 8
    """Lines looked for."""


@operation("cal:trails", reach=Reach.FRAME, demands=State.LINEAR)
def flag_trails(image: Image, p: Trails) -> Image:
    """Flag straight trails across the frame; pixels are not changed.

    For frames that are measured singly; a stack rejects trails by itself. All channels together are searched, a CFA
    mosaic on its luminance.

    Flags: pixels of a trail gain TRAIL, in all channels. Data, variance, plate and unit: kept. The header counts the
    trails (NTRAILS).

    >>> sky = np.random.default_rng(1).normal(100, 5, (200, 300))
    >>> for x in range(300): sky[60 + x // 3, x] += 40
    >>> found = flag_trails(Image(sky), Trails())
    >>> bool(found.flags[0, 110, 150] & Flag.TRAIL), bool(found.flags[0, 20, 150] & Flag.TRAIL)
    (True, False)
    """
    good = ~has(image.flags, WORTHLESS)
    planes = np.stack([filled(plane, ok) for plane, ok in zip(image.data, good)])
    if image.meta.cfa and min(image.shape[1:]) >= 2:
        plane = np.empty(image.shape[1:], np.float32)
        smooth_mosaic(planes[0], plane)
    else:
        plane = planes.mean(axis=0)
    try:
        streaks = find_streaks(plane, ~good.all(axis=0), p.limit, p.most)
    except FrameError:
        streaks = []
    trail = np.zeros(image.shape[1:], bool)
    for streak in streaks:
        trail |= streak.mask(trail.shape, p.margin)
    meta = with_cards(image.meta, ("NTRAILS", len(streaks), "trails found"))
    return image.replace(flags=image.flags | np.where(trail, np.uint16(Flag.TRAIL), np.uint16(0)), meta=meta)
