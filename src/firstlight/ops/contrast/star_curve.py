"""The curve of a stretched picture, told by its stars: in linear light bright and faint ones are equally wide."""

from __future__ import annotations

import numpy as np

from firstlight.errors import FrameError
from firstlight.ops.inspect.stars import FindStars, find_stars

MIDDLES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998)
"""Midtones balances that are tried; the first changes nothing."""
SNR = 20.0
ENOUGH = 15
"""Stars of such a signal to noise that tell a curve."""
SAMPLE = 1500
"""Side, px, of the middle part that is looked at."""


def curve_of(plane: np.ndarray, full: float) -> float:
    """Midtones balance that makes the stars of a stretched plane (values of 0..1) alike; 0.5 where nothing tells.

    Full stars (``full``) do not count. A stretch makes bright stars wider than faint ones: that balance is taken for
    which the width changes least with the peak.

    >>> from firstlight.simulate.scene import random_field, render_stars
    >>> rng = np.random.default_rng(1)
    >>> stars = render_stars((300, 300), *random_field(rng, 80, (300, 300), (2e-2, 2.0), 0.5), 3.0, beta=4.0)
    >>> linear = np.clip(0.005 + stars + rng.normal(0, 3e-4, (300, 300)), 0, 1).astype(np.float32)
    >>> curve_of(bent(linear, 0.02), 0.99) > 0.9
    True
    """
    height, width = plane.shape
    top, left = max((height - SAMPLE) // 2, 0), max((width - SAMPLE) // 2, 0)
    part = np.clip(plane[top : top + SAMPLE, left : left + SAMPLE], 0, 1)
    slopes = []
    for middle in MIDDLES:
        try:
            stars, _ = find_stars(
                bent(part, middle), FindStars(), saturation=float(bent(np.array([full], np.float32), middle)[0])
            )
        except FrameError:
            return MIDDLES[0]
        stars = stars.take((stars.snr > SNR) & (stars.saturated == 0) & (stars.eccentricity < 0.8))
        if len(stars) < ENOUGH:
            return MIDDLES[0]
        slopes.append(abs(_slope(np.log(stars.peak), np.log(stars.fwhm))))
    return MIDDLES[int(np.argmin(slopes))]


def bent(values: np.ndarray, middle: float) -> np.ndarray:
    """Values of 0..1 through the midtones transfer that brings ``middle`` to 0.5; undone by that of 1 - ``middle``.

    >>> round(float(bent(np.array([0.2]), 0.2)[0]), 6)
    0.5
    """
    m = np.float32(middle)
    return (m - 1) * values / ((2 * m - 1) * values - m)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Median slope of all pairs (Theil and Sen): a few blends do not turn it."""
    order = np.linspace(0, len(x) - 1, min(len(x), 300)).astype(int)
    x, y = x[order], y[order]
    one, other = np.triu_indices(len(x), 1)
    apart = np.abs(x[one] - x[other]) > 0.3
    if not apart.any():
        return 0.0
    return float(np.median((y[one] - y[other])[apart] / (x[one] - x[other])[apart]))
