"""Bad pixels that the lights themselves show: what the darks did not put right, or all of them without darks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.register import Placed, largest_standstill

T = TypeVar("T")

PERSISTENT = 0.6
"""A pixel that stands out in more than this share of the frames, while the sky moved, is a bad pixel, not a star."""
STAR = 4.0
"""px: frames that lie closer than this show the same stars on the same pixels."""
MOSTLY_STILL = 0.8
"""Where the sky stood still in more than this share of the frames, stars and bad pixels cannot be told apart."""
SHARP = 2.5
"""FWHM (px of one colour) from which a lone spike is no star, whether the sky moved or not."""
FEWEST = 4
MOST = 12
"""Frames that are looked at: more say nothing new."""


def spread_over(items: Sequence[T], most: int = MOST) -> list[T]:
    """At most so many of the items, evenly spread.

    >>> spread_over(range(100), 4)
    [0, 33, 66, 99]
    """
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def with_defects_of_lights(placed: Sequence[Placed], notes: list[str]) -> dict[int, Calibration]:
    """Calibration of each light (by ``id``), with the bad pixels that the lights show.

    A pixel must stand out in more frames than ever show the same sky there, or it may be a star; where stars are wide,
    one that always stands out alone is none.
    """
    calibrations = {id(p.light): p.light.calibration for p in placed}
    seekers = [p for p in placed if p.light.spikes is not None]
    looked = [p.light for p in seekers]
    if len(looked) < FEWEST:
        return calibrations
    still = largest_standstill(seekers, STAR)
    shape = placed[0].light.frame.shape
    bad = np.zeros(shape[1] * shape[2], bool)

    def often(sets: Iterable[np.ndarray], share: float) -> np.ndarray:
        counts = np.zeros(bad.shape, np.uint8)
        for pixels in sets:
            counts[pixels] += 1
        return counts > share * len(looked)

    if still <= MOSTLY_STILL:
        for name in ("above", "below"):
            bad |= often((getattr(light.spikes, name) for light in looked), max(PERSISTENT, still))
    widths = [light.quality.fwhm for light in looked]
    if np.median(widths) >= SHARP * (2 if placed[0].light.frame.meta.cfa else 1):
        bad |= often((light.spikes.lone for light in looked), PERSISTENT)  # type: ignore[union-attr]
    if not bad.any():
        return calibrations
    planes = np.broadcast_to(bad.reshape(shape[1:]), shape)
    merged: dict[int, Calibration] = {}
    for each in placed:
        original = each.light.calibration
        if id(original) not in merged:
            merged[id(original)] = original.with_defects(planes)
        calibrations[id(each.light)] = merged[id(original)]
    moved = " while the sky moved" if still <= MOSTLY_STILL else ", sharper than any star"
    n = np.count_nonzero(bad)
    what = "1 pixel stands out" if n == 1 else f"{n} pixels stand out"
    notes.append(f"{what} in most lights{moved} (hot or dead): left out")
    return calibrations
