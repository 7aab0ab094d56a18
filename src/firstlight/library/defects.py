"""Pixels that are not like their neighbours: hot ones on darks, cold ones on flats."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.surroundings import separable_median
from firstlight.model.flags import Flag
from firstlight.ops.inspect.median import median

HOT_SIGMA = 8.0
"""A hot pixel is this far above its neighbours, in units of the robust spread of such differences."""
COLD_RATIO = 0.7
"""A cold pixel answers less than this fraction of its neighbours' light."""
MOST = 0.02
"""At most this fraction of a sensor is called hot: the worst of them."""


def flag_hot(dark: np.ndarray, cfa: str | None) -> np.ndarray:
    """Hot pixels of a master dark, flags uint16 of its shape.

    The dark is compared with the median of its surroundings of the same CFA colour, so that amplifier glow, which is
    smooth, is not taken for hot pixels. If more than 2 % stand out, the worst 2 % are flagged.
    """
    excess = _excess(dark, cfa)
    spread = 1.4826 * median(np.abs(excess)) or float(np.std(excess)) or 1.0
    limit = np.float32(HOT_SIGMA * spread)
    if np.count_nonzero(excess > limit) > MOST * excess.size:
        limit = np.quantile(excess, 1 - MOST)
    return np.where(excess > limit, np.uint16(Flag.HOT), np.uint16(0))


def stands_out(dark: np.ndarray, cfa: str | None, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that far above the median of their surroundings of the same colour (a mask), and by how much (adu)."""
    excess = _excess(dark, cfa)
    spread = 1.4826 * float(np.median(np.abs(excess))) or float(np.std(excess)) or 1.0
    return excess > sigma * spread, excess


def flag_cold(flat: np.ndarray, cfa: str | None) -> np.ndarray:
    """Cold and dead pixels of a master flat (mean 1), flags uint16 of its shape."""
    around = flat - _excess(flat, cfa)
    return np.where(flat < COLD_RATIO * around, np.uint16(Flag.COLD), np.uint16(0))


def _excess(planes: np.ndarray, cfa: str | None) -> np.ndarray:
    """Each pixel minus the median of the pixels of its colour around it."""
    around = np.empty_like(planes)
    for channel, plane in enumerate(planes):
        separable_median(plane, 2 if cfa else 1, around[channel])
    return np.subtract(planes, around, out=around)
