"""Which stars a light curve is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.ops.catalog.ensemble import Ensemble, solve_ensemble

SEEN = 0.9
"""Share of the frames in which a comparison star must have been measured."""
RESTLESS = 3.0
"""A star whose scatter is that many times what its likes show is none."""
ENOUGH = 4
FEWEST_FOR_PLANE = 12
GAIN_OF_PLANE = 0.97
"""A plane is taken where comparison stars scatter less than this share of what they do without."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Comparison stars by index, and what they say."""

    stars: np.ndarray
    check: int | None
    ensemble: Ensemble
    is_plane: bool
    dropped: np.ndarray
    """Stars that were taken at first and vary."""


def rank(
    flux: np.ndarray, positions: np.ndarray, target: int | None, allowed: np.ndarray, most: int, field: float
) -> np.ndarray:
    """Indices of the stars that suit best, best first: as bright as the target (brighter rather than fainter), near it.

    Parameters
    ----------
    flux : (stars,), typical.
    allowed : bool (stars,).
    field : px, the size of the field: a star that far off counts as one that is a magnitude away.
    """
    candidates = np.flatnonzero(allowed & np.isfinite(flux) & (flux > 0))
    if target is not None:
        candidates = candidates[candidates != target]
    if target is None or not flux[target] > 0:
        return candidates[np.argsort(-flux[candidates], kind="stable")][:most]
    apart = 2.5 * np.log10(flux[candidates] / flux[target])
    # Two magnitudes brighter are as good as equal: their noise no longer counts.
    cost = np.where(apart > 0, np.maximum(apart - 2.0, 0.0), -apart)
    away = np.hypot(*(positions[candidates] - positions[target]).T) / field
    return candidates[np.argsort(cost + away, kind="stable")][:most]


def choose(
    magnitudes: np.ndarray,
    errors: np.ndarray,
    positions: np.ndarray,
    candidates: np.ndarray,
    *,
    zero_point: str = "auto",
    given: bool = False,
    check: int | None = None,
    like: float | None = None,
    keep_check: bool = True,
) -> Choice:
    """Take the stable ones of the candidates (all of them if they were ``given``), and set one aside as the check star.

    Stars whose scatter against the others is far above that of their likes are dropped, the worst first, each time the
    ensemble is solved anew.

    Parameters
    ----------
    magnitudes, errors : (frames, stars).
    candidates : indices, best first.
    zero_point : ``auto``, ``constant`` or ``plane``.
    check : index of the check star; None: the one most like the target.
    like : magnitude of the target; the check star's is the nearest.

    Raises
    ------
    FrameError
        There is no comparison star.
    """
    seen = np.isfinite(magnitudes[:, candidates]).mean(axis=0) >= (0.0 if given else SEEN)
    chosen = candidates[seen]
    if check is not None:
        chosen = chosen[chosen != check]
    if len(chosen) == 0:
        raise FrameError(
            "comparison stars: no other star was measured in nine of ten frames; give some with --comparisons"
        )
    dropped: list[int] = []
    while not given and len(chosen) > ENOUGH:
        ensemble = solve_ensemble(magnitudes[:, chosen], errors[:, chosen])
        excess = ensemble.scatter / ensemble.expected
        worst = int(np.nanargmax(excess))
        if not excess[worst] > RESTLESS * max(float(np.nanmedian(excess)), 0.3):
            break
        dropped.append(int(chosen[worst]))
        chosen = np.delete(chosen, worst)
    if check is None and keep_check and not given and len(chosen) > 2:
        middle = np.nanmedian(magnitudes[:, chosen], axis=0)
        wanted = np.nanmedian(middle) if like is None or not np.isfinite(like) else like
        check = int(chosen[int(np.argmin(np.abs(middle - wanted)))])
        chosen = chosen[chosen != check]
    ensemble, is_plane = solved(magnitudes, errors, positions, chosen, zero_point)
    return Choice(chosen, check, ensemble, is_plane, np.array(dropped, int))


def solved(
    magnitudes: np.ndarray, errors: np.ndarray, positions: np.ndarray, stars: np.ndarray, zero_point: str
) -> tuple[Ensemble, bool]:
    """The ensemble of these stars, with a constant or a plane in each frame, and which of the two."""
    m, e, p = magnitudes[:, stars], errors[:, stars], positions[stars]
    constant = solve_ensemble(m, e, p)
    if zero_point == "constant" or len(stars) < (4 if zero_point == "plane" else FEWEST_FOR_PLANE):
        return constant, False
    plane = solve_ensemble(m, e, p, plane=True)
    if zero_point == "plane":
        return plane, True
    ratio = np.nanmedian(plane.scatter / constant.scatter)
    better = ratio < GAIN_OF_PLANE and np.isfinite(plane.zero).all()
    return (plane, True) if better else (constant, False)
