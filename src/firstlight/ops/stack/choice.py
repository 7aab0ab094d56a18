"""Which frames of a group are good enough: the best share of them, and those for which a formula is true."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from firstlight.errors import SpecError
from firstlight.ops.stack.formula import evaluate_formula

BestBy = Literal["score", "fwhm", "hfr", "eccentricity", "stars", "snr", "noise", "background"]

SELECT_BY: dict[str, str] = {
    "stars": "number of stars",
    "fwhm": "px",
    "hfr": "half-flux radius, px",
    "eccentricity": "of the stars, 0 is round",
    "snr": "median of the stars",
    "background": "adu",
    "gradient": "range of the background, adu",
    "noise": "of a background pixel, adu",
    "exposure": "s",
    "airmass": "of the target",
    "temperature": "of the sensor, degrees C",
}
"""Numbers of a frame that formulas may name, and their units."""
MOST_IS_BEST = ("score", "stars", "snr")


def check_percent(value: float) -> float:
    """Refuse a share between 0 and 1, which is meant as a fraction.

    Raises
    ------
    SpecError

    >>> check_percent(70.0)
    70.0
    """
    if 0 < value <= 1:
        raise SpecError(
            f"best {value:g}: would keep {value:g} % of the frames; {value * 100:g} keeps {value * 100:g} %"
        )
    return value


def not_chosen_by(text: str, metrics: Mapping[str, np.ndarray]) -> list[str]:
    """For each frame, why a formula sets it aside; empty where the formula is true.

    A frame without one of the numbers that the formula names is set aside too, and told so.

    Raises
    ------
    SpecError
        It cannot be worked out.
    """
    kept = evaluate_formula(text, metrics)
    named = [name for name in metrics if name in text]
    reasons = []
    for i, value in enumerate(kept):
        if value == 1.0 or (np.isfinite(value) and value != 0.0):
            reasons.append("")
            continue
        numbers = ", ".join(
            f"{name} {metrics[name][i]:.4g}" if np.isfinite(metrics[name][i]) else f"no {name}" for name in named
        )
        reasons.append(f"not {text}" + (f" ({numbers})" if numbers else ""))
    return reasons


def score_of(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    """Many stars, sharp and round; 0 without a width."""
    with np.errstate(invalid="ignore", divide="ignore"):
        score = metrics["stars"] / (metrics["fwhm"] ** 2 * (1.0 + np.nan_to_num(metrics["eccentricity"])))
    return np.where(np.isfinite(score), score, 0.0)


def not_among_best(metrics: Mapping[str, np.ndarray], percent: float, by: BestBy, candidates: np.ndarray) -> list[str]:
    """For each frame, why it is not among the best ``percent`` of the group; empty where it is.

    Frames that are no ``candidates`` (bool) count in the share, and are set aside already.

    >>> metrics = {"fwhm": np.array([3.0, 2.0, 4.0, 5.0])}
    >>> not_among_best(metrics, 50, "fwhm", np.ones(4, bool))
    ['', '', 'rank 3 of 4 by fwhm; the best 50 % (2) are kept', 'rank 4 of 4 by fwhm; the best 50 % (2) are kept']
    """
    n = len(candidates)
    if percent >= 100 or n == 0:
        return [""] * n
    values = score_of(metrics) if by == "score" else np.asarray(metrics[by], float)
    worth = np.where(np.isfinite(values), values if by in MOST_IS_BEST else -values, -np.inf)
    order = np.lexsort((np.arange(n), -worth, ~candidates))
    kept = max(1, math.floor(percent / 100 * n + 0.5))
    reasons = [""] * n
    for rank, i in enumerate(order):
        if rank >= kept and candidates[i]:
            reasons[i] = f"rank {rank + 1} of {n} by {by}; the best {percent:g} % ({kept}) are kept"
    return reasons
