"""Registrations made better by the texture of the frames, where the stars do not object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.match import MatchStars, centroid_errors

FITTED = 6
"""Numbers that a transform was fitted to the stars with: they flatter it."""


@dataclass(frozen=True)
class Refinement:
    """What the texture of a frame told of its registration."""

    before: float = 0.0
    after: float = 0.0
    """px (rms): how far patches that were left out lay from the reference, and lie from where the others put them."""
    spacing: float = 0.0
    """px between the nodes of the smooth displacement; 0: an affine map was all it took."""
    why_not: str = ""
    """Why the frame stays as it was registered; empty: it does not."""


def refine(
    registration: Registration, plane: np.ndarray, reference: np.ndarray, stars: Stars, guide: Stars, method: str,
    match: MatchStars,
) -> tuple[Registration, Refinement]:  # fmt: skip
    """The registration with its transform refined, or as it was where that is of no use.

    Parameters
    ----------
    plane, reference : float32 (y, x), NaN where nothing is to be looked at.
    stars, guide : those of the frame and of the reference: if enough of both agree, none may be moved away.
    method : ``corr``, ``ilk`` or ``tvl1``.
    """
    from firstlight.ops.align.texture import refine_by_texture

    try:
        refined = refine_by_texture(plane, reference, registration.transform, method)  # type: ignore[arg-type]
    except FrameError as error:
        return registration, Refinement(why_not=str(error))
    told = stars_against(stars, guide, registration.transform, refined.transform, match)
    found = Refinement(refined.before, refined.after, refined.spacing, told)
    if told:
        return registration, found
    better = replace(registration, transform=refined.transform, method=f"{registration.method}, texture: {method}")
    return better, found


def stars_against(stars: Stars, guide: Stars, before: Transform, after: Transform, match: MatchStars) -> str:
    """Why the stars do not agree with a refined transform; empty if they do, or are too few to tell."""
    if min(len(stars), len(guide)) < match.min_matches:
        return ""
    from scipy.spatial import cKDTree

    tree, errors = cKDTree(guide.positions), centroid_errors(guide)
    found = [tree.query(each(stars.positions), distance_upper_bound=match.tolerance) for each in (before, after)]
    # A star that only one of the transforms brings to its partner counts as far off by the other as may be.
    distances = np.minimum(np.stack([distance for distance, _ in found]), match.tolerance)
    nearer = np.where(distances[0] <= distances[1], found[0][1], found[1][1])
    paired = distances.min(axis=0) < match.tolerance
    n = int(paired.sum())
    if n < match.min_matches:
        return ""
    weights = 1.0 / (centroid_errors(stars)[paired] ** 2 + errors[nearer[paired]] ** 2)
    was, now = (float(np.sqrt(np.average(each[paired] ** 2, weights=weights))) for each in distances)
    if now <= was * np.sqrt(2 * n / (2 * n - FITTED)):
        return ""
    return f"{n} stars would lie {now:.2f} px off instead of {was:.2f} px (rms)"


def refinement_notes(found: Sequence[tuple[str, Refinement | None]]) -> list[str]:
    """What to say of the frames of a stack: their names, and what texture told of each.

    >>> refinement_notes([("a", None), ("b", Refinement(1.4, 0.06, 32.0)), ("c", Refinement(why_not="no texture"))])
    ['1 frame refined by texture: patches lie 0.06 px (rms) from the reference, 1.40 px before', \
'not refined by texture: c (no texture)']
    """
    told = [(name, each) for name, each in found if each is not None]
    better = [each for _, each in told if not each.why_not]
    notes = []
    if better:
        after, before = (float(np.median([getattr(each, what) for each in better])) for what in ("after", "before"))
        notes.append(
            f"{len(better)} {'frame' if len(better) == 1 else 'frames'} refined by texture: patches lie {after:.2f} px "
            f"(rms) from the reference, {before:.2f} px before"
        )
    others = [f"{name} ({each.why_not})" for name, each in told if each.why_not]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        notes.append(f"not refined by texture: {'; '.join(others[:3])}{more}")
    return notes
