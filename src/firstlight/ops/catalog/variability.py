"""Stars that vary, by their scatter against stars of their brightness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.ops.catalog.ensemble import robust_sigma

NEIGHBOURS = 25
"""Stars of like brightness that say what is usual."""
FEWEST = 6
LONE = 5.0
"""Sigma of a point that neither of its neighbours shares: no star does that."""
SURE = 4.0
"""Standard errors above the usual scatter from which a star is called variable."""
MUCH = 1.5
"""Times the usual scatter that it must show besides."""


@dataclass(frozen=True, eq=False)
class Variability:
    """Scatter of stars, and what is usual for their brightness; arrays (stars,)."""

    magnitude: np.ndarray
    """Median."""
    scatter: np.ndarray
    """Standard deviation without lone outliers, mag."""
    usual: np.ndarray
    """Of stars as bright."""
    significance: np.ndarray
    """Standard errors of the scatter above the usual one."""
    is_variable: np.ndarray


def find_variables(magnitudes: np.ndarray, errors: np.ndarray | None = None) -> Variability:
    """Compare each star's scatter with that of the 25 stars next to it in brightness.

    Single points that neither neighbour shares (hits of cosmic rays, passing hot pixels) do not count: an eclipse lasts
    longer than one frame. What is usual is measured, so that flat fields, clouds and crowding are in it: the median, or
    (with ``errors``) the median ratio to what a star's errors let expect.

    Parameters
    ----------
    magnitudes : (frames, stars) against the ensemble, in order of time; NaN where not measured.
    errors : likewise.

    >>> rng = np.random.default_rng(4)
    >>> m = rng.normal(0, 0.01, (80, 30)) + np.linspace(10, 12, 30)
    >>> m[20:40, 7] += 0.05
    >>> np.flatnonzero(find_variables(m).is_variable).tolist()
    [7]
    """
    magnitudes = np.array(magnitudes, np.float64)
    count = np.isfinite(magnitudes).sum(axis=0)
    enough = count >= FEWEST
    middle = np.full(magnitudes.shape[1], np.nan)
    scatter, usual, significance = middle.copy(), middle.copy(), middle.copy()
    middle[enough] = np.nanmedian(magnitudes[:, enough], axis=0)
    rest = magnitudes - middle
    rest[_lone(rest)] = np.nan
    stars = np.flatnonzero(enough)
    scatter[stars] = [np.std(column[np.isfinite(column)], ddof=1) for column in rest[:, stars].T]
    expected = np.ones(len(middle))
    if errors is not None:
        known = np.where(np.isfinite(magnitudes), errors, np.nan)[:, stars]
        expected[stars] = np.sqrt(np.nanmedian(known**2, axis=0))
    stars = stars[np.argsort(middle[stars], kind="stable")]
    for place, star in enumerate(stars):
        first = min(max(place - NEIGHBOURS // 2, 0), max(len(stars) - NEIGHBOURS, 0))
        others = np.delete(stars[first : first + NEIGHBOURS], place - first)
        if len(others):
            usual[star] = expected[star] * np.median(scatter[others] / expected[others])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = scatter / usual
        significance = np.log(ratio) * np.sqrt(2.0 * np.maximum(count - 1, 1))
        variable = (significance > SURE) & (ratio > MUCH)
    return Variability(middle, scatter, usual, significance, variable & enough)


def _lone(rest: np.ndarray) -> np.ndarray:
    """Points far off that neither the point before nor the one after follows by half."""
    sigma = robust_sigma(rest)
    with np.errstate(invalid="ignore"):
        far = np.abs(rest) > LONE * sigma
    padded = np.pad(rest, ((1, 1), (0, 0)), constant_values=0.0)
    padded = np.where(np.isfinite(padded), padded, 0.0)
    follow = np.maximum(padded[:-2] * np.sign(rest), padded[2:] * np.sign(rest))
    return far & (follow < 0.5 * np.abs(rest))
