"""Trails are no stars: neither the count, nor the width, nor the list may follow them."""

import numpy as np
import pytest

from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.simulate.scene import render_stars, trail

SHAPE = (500, 600)


def scene(with_trail, seed=4):
    rng = np.random.default_rng(seed)
    n = 150
    x, y = rng.uniform(10, SHAPE[1] - 10, n), rng.uniform(10, SHAPE[0] - 10, n)
    plane = render_stars(SHAPE, x, y, 10 ** rng.uniform(2.6, 4.2, n), np.full(n, 3.0)).astype(np.float64) + 300
    if with_trail:
        plane += trail(SHAPE, 300.0, 250.0, 27.0, 60.0, 3.0)
    return (plane + rng.normal(0, 5, SHAPE)).astype(np.float32)


@pytest.mark.parametrize(("most", "within"), [(60, 0.75), (2000, 0.25)])
def test_a_trail_changes_neither_width_nor_number(most, within):
    (_, clean), (stars, crossed) = (find_stars(scene(t), FindStars(max_stars=most)) for t in (False, True))
    assert crossed.fwhm == pytest.approx(clean.fwhm, rel=0.03)
    assert crossed.n_stars == pytest.approx(clean.n_stars, rel=within)
    # Along the trail, away from stars, nothing is reported.
    path = trail(SHAPE, 300.0, 250.0, 27.0, 60.0, 3.0)
    on = path[np.rint(stars.y).astype(int), np.rint(stars.x).astype(int)] > 20
    assert on.sum() <= 6


def test_trailed_stars_stay_stars():
    rng = np.random.default_rng(1)
    n = 60
    x, y = rng.uniform(20, 280, n), rng.uniform(20, 280, n)
    plane = np.full((300, 300), 100.0)
    for shift in np.linspace(-3, 3, 13):
        plane += render_stars((300, 300), x + shift, y + 0.7 * shift, np.full(n, 900.0), np.full(n, 2.5))
    stars, quality = find_stars((plane + rng.normal(0, 3, plane.shape)).astype(np.float32))
    assert len(stars) > 30
    assert quality.eccentricity > 0.8
