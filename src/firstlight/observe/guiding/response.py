"""From measured places and the pulses between them to the speed, the play and the drift of one axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.observe.guiding.gear import Gear

ROUNDS = 12
TUNING = 2.0
"""Residuals beyond so many times their spread count less and less (Huber)."""
FINEST = 0.05
"""s; step of the search for the play."""


@dataclass(frozen=True)
class Response:
    """What one axis does."""

    velocity: tuple[float, float]
    """px/s of pulse to the positive side, (x, y)."""
    drift: tuple[float, float]
    """px/s without a pulse."""
    backlash: float
    """s of pulse."""
    scatter: float
    """px; typical distance of a place from what is fitted."""
    error: float
    """px/s; standard error of the velocity."""


def fit_response(times: np.ndarray, pulses: np.ndarray, places: np.ndarray, most: float) -> Response:
    """Fit the motion of a star while an axis is moved to and fro.

    For each play of the gear that is tried (0 to ``most`` s) the seconds that move the axis follow from the pulses; the
    places are then linear in these and in time. Outliers count less (Huber's weights). The play with the least
    residuals wins.

    Parameters
    ----------
    times : s, of each place.
    pulses : s of pulse given between the place before and this one (the first is 0), signed.
    places : (n, 2), px.
    most : largest play that is tried, s.

    >>> pulses = np.array([0, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1.0])
    >>> gear, axis, places = Gear(0.5), 0.0, []
    >>> for pulse in pulses:
    ...     axis += gear.turn(pulse)
    ...     places.append((3.0 * axis, 0.0))
    >>> found = fit_response(np.arange(11.0), pulses, np.array(places), 2.0)
    >>> round(found.velocity[0], 1), round(found.backlash, 2)
    (3.0, 0.5)
    """
    times = np.asarray(times, float) - times[0]
    step = max(FINEST, most / 40.0)
    best = min((_fit(times, pulses, places, play) for play in np.arange(0.0, most + step / 2, step)), key=_badness)
    around = np.linspace(max(0.0, best[0] - step), min(most, best[0] + step), 21)
    best = min((_fit(times, pulses, places, play) for play in around), key=_badness)
    play, _, solution, scatter, error = best
    velocity, drift = (tuple(map(float, row)) for row in solution[1:])
    return Response(velocity, drift, float(play), scatter, error)


def _badness(tried: tuple) -> float:
    return tried[1]


def _fit(times: np.ndarray, pulses: np.ndarray, places: np.ndarray, play: float) -> tuple:
    gear = Gear(play)
    # Where in the play the gear is at first nobody knows: the pulses before the first place have pushed it to the side
    # that the axis is then moved to.
    first = pulses[np.flatnonzero(pulses)[0]] if np.any(pulses) else 1.0
    gear.engage(first)
    axis = np.cumsum([gear.turn(pulse) for pulse in pulses])
    design = np.column_stack([np.ones_like(times), axis, times])
    weights = np.ones(len(times))
    for _ in range(ROUNDS):
        root = np.sqrt(weights)[:, None]
        solution = np.linalg.lstsq(design * root, places * root, rcond=None)[0]
        away = np.hypot(*(places - design @ solution).T)
        spread = max(1.48 * float(np.median(away)), 1e-6)
        weights = np.minimum(1.0, TUNING * spread / np.maximum(away, 1e-12))
    loss = float(np.sum(np.where(away < TUNING * spread, away**2, 2 * TUNING * spread * away - (TUNING * spread) ** 2)))
    scatter = float(np.sqrt(np.average(away**2, weights=weights) / 2.0))
    covariance = np.linalg.pinv((design * weights[:, None]).T @ design)
    return play, loss, solution, scatter, scatter * float(np.sqrt(max(covariance[1, 1], 0.0)))
