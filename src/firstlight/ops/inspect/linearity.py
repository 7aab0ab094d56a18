"""How straight a detector answers: signal against exposure, and the polynomial that puts it right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST_FOR_LINE = 3
FEWEST_FOR_BEND = 5
"""Exposures that a correction with one coefficient needs; with two, two more."""


@dataclass(frozen=True)
class Level:
    """Flats of one exposure, of one colour."""

    exposure: float
    """s."""
    signal: float
    """Mean above the bias, adu."""
    saturated: bool = False
    """Some of its pixels are full: it takes no part in the fit."""


@dataclass(frozen=True)
class Linearity:
    """A straight line through the levels of one colour, and how far they are off it."""

    rate: float
    """adu/s."""
    intercept: float
    """adu at exposure 0."""
    r2: float
    deviations: tuple[float, ...]
    """Per cent of the line, in the order of the levels; NaN for saturated ones."""
    worst: float
    """Per cent: the largest of them, saturated ones apart."""


@dataclass(frozen=True)
class Correction:
    """true = m + second m^2 + third m^3, with m the signal above the bias: what `cal:linearity` does."""

    second: float
    """1/adu."""
    third: float
    """1/adu^2."""
    before: float
    """Per cent: largest deviation from proportionality to the exposure, as measured."""
    after: float
    """The same once corrected."""
    highest: float
    """adu: the brightest level; nothing is known beyond."""


def fit_line(levels: Sequence[Level]) -> Linearity | None:
    """A line with relative weights (EMVA 1288: every level counts by its per cent); None with fewer than 3 levels.

    >>> fit_line([Level(1.0, 110.0), Level(2.0, 210.0), Level(4.0, 410.0)]).rate.__round__(6)
    100.0
    """
    use = np.array([not level.saturated and level.signal > 0 for level in levels], bool)
    exposure = np.array([level.exposure for level in levels])
    signal = np.array([level.signal for level in levels])
    if len(np.unique(exposure[use])) < FEWEST_FOR_LINE:
        return None
    x, y = exposure[use], signal[use]
    design = np.stack([x, np.ones_like(x)], axis=1) / y[:, None]
    (rate, intercept), *_ = np.linalg.lstsq(design, np.ones_like(y), rcond=None)
    line = rate * exposure + intercept
    residual = y - line[use]
    r2 = 1.0 - float(np.sum(residual**2) / np.sum((y - y.mean()) ** 2))
    off = np.where(use, 100 * (signal - line) / line, np.nan)
    return Linearity(float(rate), float(intercept), r2, tuple(off.tolist()), float(np.nanmax(np.abs(off))))


def fit_correction(colours: Sequence[Sequence[Level]]) -> Correction | None:
    """The polynomial that makes the levels of all colours proportional to their exposures.

    Its first coefficient is 1: faint signals stay as they are. The colours share the electronics and so the polynomial;
    each has a rate of its own, and with at least 7 exposures a dead time of the shutter too. None with fewer than 5
    exposures.
    """
    rows = [
        (number, level.exposure, level.signal)
        for number, levels in enumerate(colours)
        for level in levels
        if not level.saturated and level.signal > 0 and level.exposure > 0
    ]
    if not rows:
        return None
    colour, exposure, signal = (np.array(column, float) for column in zip(*rows))
    different = len(np.unique(exposure))
    if different < FEWEST_FOR_BEND:
        return None
    cubic = different >= FEWEST_FOR_BEND + 2
    scale = float(signal.max())
    own = [(colour == number).astype(float) for number in np.unique(colour)]
    m = signal / scale
    columns = [each * exposure for each in own] + ([*own] if cubic else [])
    bends = [-(m**2)] + ([-(m**3)] if cubic else [])
    design = np.stack([*columns, *bends], axis=1) / m[:, None]
    solution, *_ = np.linalg.lstsq(design, np.ones_like(m), rcond=None)
    second = float(solution[len(columns)]) / scale
    third = float(solution[len(columns) + 1]) / scale**2 if cubic else 0.0
    corrected = signal + second * signal**2 + third * signal**3

    def worst(values: np.ndarray) -> float:
        off = 0.0
        for each in own:
            mine = each > 0
            rate = np.median(values[mine] / exposure[mine])
            off = max(off, float(np.max(np.abs(values[mine] / exposure[mine] / rate - 1))))
        return 100 * off

    slope = 1 + 2 * second * scale + 3 * third * scale**2
    if not (math.isfinite(slope) and slope > 0.2):
        return None
    return Correction(second, third, worst(signal), worst(corrected), scale)
