"""Dark current and how it grows with temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DarkLevel:
    """Darks of one exposure at one temperature."""

    exposure: float
    """s."""
    level: float
    """Typical pixel above the bias, adu."""
    error: float


@dataclass(frozen=True)
class DarkRate:
    """Dark current at one temperature."""

    temperature: float | None
    """Degrees C."""
    rate: float
    """e-/s of a typical pixel."""
    error: float
    exposures: tuple[float, ...]
    levels: tuple[float, ...]
    """adu above the bias, of each exposure."""


def typical_level(values: np.ndarray) -> tuple[float, float]:
    """Mean of the pixels within 3 sigma of the median, and its error: hot pixels have no part in it.

    >>> level, error = typical_level(np.r_[np.random.default_rng(1).normal(4, 1, 10_000), 500.0])
    >>> round(level, 1), round(error, 2)
    (4.0, 0.01)
    """
    values = np.asarray(values, np.float64).ravel()
    values = values[np.isfinite(values)]
    for _ in range(5):
        centre = float(np.median(values))
        sigma = max(1.4826 * float(np.median(np.abs(values - centre))), 1e-3)
        kept = values[np.abs(values - centre) <= 3 * sigma]
        if len(kept) == len(values):
            break
        values = kept
    return float(values.mean()), float(values.std() / math.sqrt(max(len(values), 1)))


def dark_rate(levels: Sequence[DarkLevel], gain: float, temperature: float | None) -> DarkRate | None:
    """Slope of the level with the exposure, e-/s; None where no exposure is above 0.

    With three or more exposures the line need not pass through zero: a bias that drifts has no part in the slope.
    """
    levels = sorted((level for level in levels if level.exposure > 0), key=lambda level: level.exposure)
    if not levels:
        return None
    t = np.array([level.exposure for level in levels])
    y = np.array([level.level for level in levels])
    # Errors of single levels are tiny; what moves them is the drift of the bias, alike for all.
    sigma = np.hypot([level.error for level in levels], 0.1)
    free = len(np.unique(t)) >= 3
    design = np.stack([t, np.ones_like(t)] if free else [t], axis=1) / sigma[:, None]
    solution, *_ = np.linalg.lstsq(design, y / sigma, rcond=None)
    freedom = len(t) - design.shape[1]
    chi2 = float(np.sum((design @ solution - y / sigma) ** 2)) / freedom if freedom > 0 else 1.0
    error = math.sqrt(float(np.linalg.pinv(design.T @ design)[0, 0]) * max(chi2, 1.0))
    return DarkRate(temperature, float(solution[0]) * gain, error * gain, tuple(t.tolist()), tuple(y.tolist()))


def doubling_temperature(rates: Sequence[tuple[float, float, float]]) -> tuple[float, float] | None:
    """Degrees C that double the dark current, and the error, from (temperature, rate, error of the rate).

    None with fewer than two temperatures, or where the dark current does not grow by more than 3 errors.

    >>> degrees, error = doubling_temperature([(-10, 1.0, 0.01), (-4, 2.0, 0.02), (2, 4.0, 0.04)])
    >>> round(degrees, 3)
    6.0
    """
    known = [(t, r, e) for t, r, e in rates if r > 0 and math.isfinite(r)]
    if len({t for t, _, _ in known}) < 2:
        return None
    t, r, e = (np.array(column, float) for column in zip(*known))
    sigma = np.maximum(e / r, 1e-4)
    centre = float(np.average(t, weights=sigma**-2))
    design = np.stack([t - centre, np.ones_like(t)], axis=1) / sigma[:, None]
    solution, *_ = np.linalg.lstsq(design, np.log(r) / sigma, rcond=None)
    freedom = len(t) - 2
    chi2 = float(np.sum((design @ solution - np.log(r) / sigma) ** 2)) / freedom if freedom else 1.0
    error = math.sqrt(float(np.linalg.pinv(design.T @ design)[0, 0]) * max(chi2, 1.0))
    slope = float(solution[0])
    if slope < 3 * error:
        return None
    return math.log(2) / slope, math.log(2) / slope**2 * error
