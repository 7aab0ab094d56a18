"""Pixels that jump between levels from frame to frame (random telegraph noise)."""

from __future__ import annotations

import numpy as np

FEWEST = 12
"""Frames needed: in fewer, a jump is not told from noise."""
NOISY = 2.0
"""A pixel whose scatter is this many times that of its like is looked at."""
TWO_LEVELS = 0.16
"""It jumps where two levels leave less than this share of its variance; of a normal law they leave 0.36."""
CHANCE = 1e-5
"""Share of quiet pixels that noise alone may make look noisy."""


def find_telegraph(cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks (y, x) of noisy pixels and, among them, of those that jump between two levels.

    Parameters
    ----------
    cube : float array (frames, y, x)
        Bias frames or darks of one exposure, at least 12.

    Notes
    -----
    The drift of the whole frame is taken off. A pixel is noisy where its standard deviation over the frames is 2 times
    the typical one, and more than chance makes it; it jumps where the best split into two groups, each of at least two
    frames, explains 84 % of its variance.
    """
    n = len(cube)
    values = cube - np.median(cube, axis=(1, 2), keepdims=True)
    values = values - values.mean(axis=0)
    variance = np.einsum("nyx,nyx->yx", values, values) / (n - 1)
    typical = float(np.median(variance))
    limit = max(NOISY**2, _chance_limit(n)) * typical
    noisy = variance > limit
    jumping = np.zeros_like(noisy)
    ys, xs = np.nonzero(noisy)
    if len(ys):
        sorted_values = np.sort(values[:, ys, xs], axis=0)
        total = np.sum(sorted_values**2, axis=0)
        lower = np.cumsum(sorted_values, axis=0)
        k = np.arange(1, n)[:, None]
        # Values sum to nought: the two groups' means are lower / k and -lower / (n - k).
        explained = lower[:-1] ** 2 * (1 / k + 1 / (n - k))
        left = 1 - explained[1:-1].max(axis=0) / total
        jumping[ys, xs] = left < TWO_LEVELS
    return noisy, jumping


def _chance_limit(n: int) -> float:
    """Variance over the typical that noise alone exceeds in so few pixels."""
    from scipy.stats import chi2

    return float(chi2.isf(CHANCE, n - 1) / chi2.median(n - 1))
