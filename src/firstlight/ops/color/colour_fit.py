"""Factors for the channels from stars whose colours are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError

CLIP = 3.0
FEWEST = 5
FEWEST_SCALE = 3
"""Stars that settle a scale, where spectra say what to expect; a colour index needs a slope as well."""
ENOUGH_FOR_BEND = 20
WIDE = 0.8
"""Range of a colour index, magnitudes, from which a parabola is told from a line."""


@dataclass(frozen=True, eq=False)
class ColourFit:
    """How the ratio of a channel to green hangs on what was expected of the stars."""

    factor: float
    """The channel is multiplied by this; white is white then."""
    coefficients: tuple[float, ...]
    """Of the curve, lowest power first: measured ratio (or magnitude) against expected ratio (or colour index)."""
    scatter: float
    """Standard deviation of the stars used about the curve, as a share of the ratio."""
    used: np.ndarray
    """Boolean, one a star."""


def fit_ratios(measured: np.ndarray, error: np.ndarray, expected: np.ndarray, white: float) -> ColourFit:
    """A robust line of measured against expected ratios of two channels; the factor makes ``white`` 1.

    Where the stars are few, or their colours alike, the line goes through the origin: one scale. Stars off by more than
    3 sigma are left out, repeatedly.

    >>> x = np.linspace(0.5, 1.5, 30)
    >>> round(fit_ratios(0.8 * x + 0.02, 0.01 * x, x, 1.0).factor, 6)
    1.219512

    Raises
    ------
    InputError
        Fewer than three stars.
    """
    _enough(measured, FEWEST_SCALE)
    level = np.median(measured / expected)
    relative = np.hypot(error / measured, 0.005)
    spread = np.ptp(np.quantile(expected, [0.1, 0.9])) / np.median(expected)
    powers = (0, 1) if len(measured) >= 2 * FEWEST and spread > 0.15 else (1,)
    start = [0.0, level] if len(powers) == 2 else [level]
    unit = level * expected
    coefficients, used, scatter = _robust(expected, measured, relative * unit, powers, start, unit)
    full = np.zeros(2)
    full[list(powers)] = coefficients
    at_white = full[0] + full[1] * white
    return ColourFit(float(1 / at_white), tuple(map(float, full)), scatter, used)


def fit_index(measured: np.ndarray, error: np.ndarray, index: np.ndarray, white: float) -> ColourFit:
    """A robust curve of the measured ratio, in magnitudes, against a colour index; the factor makes ``white`` 1.

    A parabola where there are 20 stars over 0.8 mag or more, a line where there are fewer, a constant where their
    colours are alike.

    Raises
    ------
    InputError
        Fewer than five stars.
    """
    _enough(measured, FEWEST)
    magnitude = -2.5 * np.log10(measured)
    sigma = np.hypot(1.0857 * error / measured, 0.005)
    spread = np.ptp(np.quantile(index, [0.1, 0.9]))
    order = 2 if len(index) >= ENOUGH_FOR_BEND and spread > WIDE else 1 if spread > 0.15 else 0
    if len(index) < 2 * FEWEST:
        order = min(order, 1)
    powers = tuple(range(order + 1))
    start = [float(np.median(magnitude)), *[0.0] * order]
    if order:
        slope = _theil_sen(index, magnitude)
        start[:2] = [float(np.median(magnitude - slope * index)), slope]
    coefficients, used, scatter = _robust(index, magnitude, sigma, powers, start, np.full(len(index), 1.0857))
    at_white = sum(c * white**k for k, c in zip(powers, coefficients))
    return ColourFit(float(10 ** (0.4 * at_white)), tuple(map(float, coefficients)), scatter, used)


def _enough(measured: np.ndarray, fewest: int) -> None:
    if len(measured) < fewest:
        raise InputError(
            f"colour calibration: {len(measured)} stars with known colours were measured; {fewest} are needed; give a "
            "deeper catalogue (--catalog FILE with BP and RP), or use color:whitebalance:source=stars"
        )


def _theil_sen(x: np.ndarray, y: np.ndarray) -> float:
    """Median of the slopes of all pairs (Theil 1950, Sen 1968)."""
    dx, dy = (np.subtract.outer(a, a)[np.triu_indices(len(a), 1)] for a in (x, y))
    apart = np.abs(dx) > 1e-9
    return float(np.median(dy[apart] / dx[apart])) if apart.any() else 0.0


def _robust(
    x: np.ndarray, y: np.ndarray, sigma: np.ndarray, powers: tuple[int, ...], start: list[float], unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weighted least squares; stars beyond 3 sigma (their own, and the scatter of all) are left out, repeatedly."""
    basis = np.stack([x**k for k in powers], axis=1)
    coefficients = np.array(start)
    used = np.zeros(len(x), bool)
    scatter = 0.0
    for _ in range(20):
        away = (y - basis @ coefficients) / unit
        scatter = 1.4826 * float(np.median(np.abs(away[used] if used.any() else away)))
        keep = np.abs(away) <= CLIP * np.hypot(sigma / unit, max(scatter, 1e-9))
        if np.count_nonzero(keep) < max(len(powers), FEWEST_SCALE):
            keep = np.ones(len(x), bool)
        weight = 1 / np.hypot(sigma, scatter * unit)[keep]
        coefficients = np.linalg.lstsq(basis[keep] * weight[:, None], y[keep] * weight, rcond=None)[0]
        if np.array_equal(keep, used):
            break
        used = keep
    away = ((y - basis @ coefficients) / unit)[used]
    return coefficients, used, float(np.sqrt(np.mean(away**2)))
