"""Where the star goes when guiding dithers."""

from __future__ import annotations

import math

import numpy as np

FAR_ENOUGH = 0.25
"""Share of the width of a dither that its new place is away from the present one at least."""


def random_place(rng: np.random.Generator, pixels: float, now: tuple[float, float]) -> tuple[float, float]:
    """A random place within ``pixels`` of the first one in x and y, and well away from where the star is kept now.

    >>> x, y = random_place(np.random.default_rng(1), 20.0, (0.0, 0.0))
    >>> max(abs(x), abs(y)) <= 20.0 and math.hypot(x, y) >= 5.0
    True
    """
    for _ in range(20):
        x, y = (float(v) for v in rng.uniform(-pixels, pixels, 2))
        if math.hypot(x - now[0], y - now[1]) >= FAR_ENOUGH * pixels:
            break
    return x, y
