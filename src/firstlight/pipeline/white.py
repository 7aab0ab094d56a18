"""The full scale that frames themselves show, where it lies below what their headers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firstlight.library.raw import adu_rows
from firstlight.pipeline.hotpixels import spread_over
from firstlight.pipeline.measure import Light

LOOKED_AT = 5
"""Frames."""
FEWEST = 8
"""Pixels that stand at the highest number of a frame: of stars, one does."""


def with_measured_white(lights: Sequence[Light], notes: list[str]) -> list[Light]:
    """The lights with their true full scale: a camera of 12 bits whose files say 16 saturates at 4095.

    The highest number of each of five frames is the same, and many pixels of each have it.
    """
    tops, counts = [], []
    for light in spread_over(list(lights), LOOKED_AT):
        data = adu_rows(light.frame, 0, light.frame.shape[1])
        top = np.nanmax(data)
        tops.append(float(top))
        counts.append(int(np.count_nonzero(data == top)))
    known = min((light.frame.meta.saturation or np.inf) for light in lights)
    if len(tops) < 3 or len(set(tops)) > 1 or min(counts) < FEWEST or tops[0] >= known:
        return list(lights)
    header = f"; the headers let expect {known:g}" if np.isfinite(known) else ""
    notes.append(f"pixels saturate at {tops[0]:g} adu, as the frames show{header}")
    return [
        replace(light, frame=light.frame.replace(meta=light.frame.meta.replace(saturation=tops[0]))) for light in lights
    ]
