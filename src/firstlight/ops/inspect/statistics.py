"""The usual numbers of a plane, for people and tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERCENTILES = (1.0, 5.0, 25.0, 75.0, 95.0, 99.0)
LEVELS = 1024
"""Steps of the histogram behind the entropy."""


@dataclass(frozen=True)
class Statistics:
    """Of the pixels that hold numbers; levels in the unit of the plane."""

    n: int
    mean: float
    median: float
    std: float
    mad: float
    """Median absolute deviation times 1.4826: the standard deviation, were it Gaussian."""
    minimum: float
    maximum: float
    percentiles: tuple[float, ...]
    """At `PERCENTILES`."""
    entropy: float
    """bits: of the histogram between the percentiles 0.1 and 99.9 in 1024 steps."""
    focus: float
    """Sharpness of edges, 1/px: the root mean square slope (Sobel) over the standard deviation, both less the noise."""


def statistics_of(plane: np.ndarray, excluded: np.ndarray | None = None) -> Statistics:
    """Statistics of a plane (y, x); NaN where no pixel holds a number.

    >>> s = statistics_of(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    >>> s.n, s.mean, s.median, s.minimum, s.maximum
    (12, 5.5, 5.5, 0.0, 11.0)
    """
    usable = np.isfinite(plane)
    if excluded is not None:
        usable &= ~excluded
    values = plane[usable].astype(np.float64)
    if len(values) == 0:
        nothing = float("nan")
        none = (nothing,) * len(PERCENTILES)
        return Statistics(0, nothing, nothing, nothing, nothing, nothing, nothing, none, nothing, nothing)
    low, *percentiles, high = np.percentile(values, (0.1, *PERCENTILES, 99.9))
    median = float(np.median(values))
    return Statistics(
        n=len(values),
        mean=float(values.mean()),
        median=median,
        std=float(values.std()),
        mad=float(1.4826 * np.median(np.abs(values - median))),
        minimum=float(values.min()),
        maximum=float(values.max()),
        percentiles=tuple(map(float, percentiles)),
        entropy=_entropy(values, low, high),
        focus=_focus(plane, usable, high),
    )


def _entropy(values: np.ndarray, low: float, high: float) -> float:
    if not high > low:
        return 0.0
    counts, _ = np.histogram(values, LEVELS, (low, high))
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def _focus(plane: np.ndarray, usable: np.ndarray, high: float) -> float:
    """White noise of variance v has a Sobel slope of variance v * 12 / 64 along each axis."""
    if min(plane.shape) < 3:
        return float("nan")
    filled = np.where(usable, np.minimum(plane, high), np.median(plane[usable])).astype(np.float32)
    across = filled[:, 2:] - filled[:, :-2]
    down = filled[2:] - filled[:-2]
    gx = (across[:-2] + 2 * across[1:-1] + across[2:]) / 8
    gy = (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 8
    differences = np.abs(filled[:, 1:] - filled[:, :-1])
    noise = (1.4826 * float(np.median(differences))) ** 2 / 2
    slope = float(np.mean(gx**2, dtype=np.float64) + np.mean(gy**2, dtype=np.float64)) - 2 * noise * 12 / 64
    signal = float(np.var(filled, dtype=np.float64)) - noise
    return float(np.sqrt(max(slope, 0.0) / signal)) if signal > 0 else 0.0
