"""Frames that lost much to rejection are worth a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MANY = 0.05
"""A frame of which more than this share is rejected is worth a warning."""
NAMED = 3


def rejection_notes(names: Sequence[str], fractions: np.ndarray) -> list[str]:
    """A warning for each frame that lost more than 5 % of its pixels; of many such frames, for the worst.

    >>> rejection_notes(["a.fits", "b.fits"], np.array([0.01, 0.123]))
    ['b.fits: 12 % of its pixels were rejected; look at it']
    >>> rejection_notes(list("abcdef"), np.array([0.06, 0.2, 0.07, 0.0, 0.08, 0.3]))[0]
    '5 of 6 frames lost more than 5 % of their pixels to rejection, most of all f (30 %), b (20 %), e (8 %)'
    """
    worst = [i for i in np.argsort(-fractions, kind="stable") if fractions[i] > MANY]
    if len(worst) <= NAMED:
        return [
            f"{names[i]}: {100 * fractions[i]:.0f} % of its pixels were rejected; look at it" for i in sorted(worst)
        ]
    most = ", ".join(f"{names[i]} ({100 * fractions[i]:.0f} %)" for i in worst[:NAMED])
    lost = f"{len(worst)} of {len(names)} frames lost more than {100 * MANY:.0f} % of their pixels to rejection"
    return [f"{lost}, most of all {most}"]
