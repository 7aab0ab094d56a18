"""Light of the same stars in two images: their ratio, its error, and how it differs from star to star."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError

FEWEST = 5
CLIP = 3.0
ROUNDS = 20


@dataclass(frozen=True, eq=False)
class StarRatio:
    """``first = ratio second`` for stars of a common colour."""

    ratio: float
    error: float
    """Standard error of the ratio, with the spread of the stars' colours."""
    spread: float
    """Standard deviation of single stars' ratios beyond their errors, as a share: their colours."""
    single: np.ndarray
    """(stars,): the ratio of each."""
    single_error: np.ndarray
    used: np.ndarray
    """bool (stars,)."""


def fit_star_ratio(
    first: np.ndarray, first_error: np.ndarray, second: np.ndarray, second_error: np.ndarray
) -> StarRatio:
    """Robust mean of the logarithms of the ratios, weighted by errors and an intrinsic spread, clipped at 3 sigma.

    Stars with light in the line (or without, such as hot stars with absorption) differ; the clipping takes those far
    off, the spread tells of the rest.

    Raises
    ------
    FrameError
        Fewer than 5 stars with light in both images.

    >>> rng = np.random.default_rng(2)
    >>> light = rng.uniform(1e3, 1e5, 40)
    >>> found = fit_star_ratio(0.2 * light, np.full(40, 1.0), light, np.full(40, 1.0))
    >>> round(found.ratio, 3), found.spread < 1e-3
    (0.2, True)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        single = first / second
        share = np.hypot(first_error / first, second_error / second)
        logs = np.log(np.where(single > 0, single, np.nan))
    known = np.isfinite(logs) & np.isfinite(share) & (share < 0.5) & (second > 0)
    if known.sum() < FEWEST:
        raise FrameError(
            f"ratio of stars: {int(known.sum())} stars have light in both images; {FEWEST} are needed; give the factor"
        )
    used, spread = known, 0.0
    middle = float(np.median(logs[known]))
    for _ in range(ROUNDS):
        rest = logs - middle
        sigma = 1.4826 * float(np.median(np.abs(rest[used] - np.median(rest[used]))))
        spread = float(np.sqrt(max(sigma**2 - np.median(share[used] ** 2), 0.0)))
        total = np.sqrt(share**2 + spread**2)
        now = known & (np.abs(rest) <= CLIP * np.maximum(total, 1e-6))
        if now.sum() < FEWEST:
            break
        weights = 1.0 / np.maximum(total[now] ** 2, 1e-12)
        fresh = float(np.average(logs[now], weights=weights))
        done = np.array_equal(now, used) and abs(fresh - middle) < 1e-9
        used, middle = now, fresh
        if done:
            break
    weights = 1.0 / np.maximum(share[used] ** 2 + spread**2, 1e-12)
    ratio = float(np.exp(middle))
    return StarRatio(ratio, ratio / float(np.sqrt(weights.sum())), spread, single, single * share, used)
