"""Places of dithers."""

from __future__ import annotations

import math

import numpy as np

from firstlight.observe.guiding.dither import random_place


def test_places_fill_the_square_and_are_never_the_old_one():
    rng = np.random.default_rng(1)
    now, places = (0.0, 0.0), []
    for _ in range(400):
        before, now = now, random_place(rng, 10.0, now)
        assert math.dist(before, now) >= 2.5
        places.append(now)
    assert np.abs(places).max() <= 10.0
    assert np.std(places, axis=0).min() > 5.0
