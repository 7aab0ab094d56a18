"""Panels brought to one level and scale, and blended, against planes whose truth is known."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from firstlight.ops.stack.seams import (
    CELL,
    FluxRatio,
    PanelCells,
    blend,
    even_out,
    feather,
    feather_width,
    weights_at,
)

SIGMA = 10.0
PLACES = [(0, 0), (0, 40), (30, 0), (30, 40)]
SIZE = (36, 48)


def sky(rows, columns):
    """What all panels see: a nebula over a level, in cells."""
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return 1000 + 80 * np.exp(-((x - 44) ** 2 + (y - 30) ** 2) / 300)


def panels(seed=1, curve=1.0, stars=True):
    rng = np.random.default_rng(seed)
    made, truth = [], []
    for k, (top, left) in enumerate(PLACES):
        rows, columns = top + np.arange(SIZE[0]), left + np.arange(SIZE[1])
        factor = [1.0, 0.9, 1.15, 1.05][k]
        v, u = np.meshgrid(np.linspace(-0.75, 0.75, SIZE[0]), np.linspace(-1, 1, SIZE[1]), indexing="ij")
        slope = rng.normal(0, 25, 2)
        own = [300, -80, 40, 0][k] + slope[0] * u + slope[1] * v + curve * rng.normal(0, 3) * u * u
        cells = (sky(rows, columns) + own) / factor + rng.normal(0, SIGMA / CELL, SIZE)
        if stars:
            # A star is not alike on two panels: its seeing differs.
            bright = rng.random(SIZE) < 0.03
            cells[bright] += rng.exponential(200, bright.sum())
        cells[:, 0] = np.nan
        made.append(PanelCells(cells[None], top, left, np.array([SIGMA])))
        truth.append((factor, own))
    return made, truth


def ratios(truth):
    pairs = [(0, 1), (0, 2), (1, 3), (2, 3)]
    return [FluxRatio(a, b, truth[a][0] / truth[b][0], 0.001) for a, b in pairs]


def evened(made, evenings):
    planes = []
    for panel, evening in zip(made, evenings):
        height, width = panel.means.shape[1:]
        ys, xs = (
            (start + np.arange(n)) * CELL + (CELL - 1) / 2 for start, n in ((panel.top, height), (panel.left, width))
        )
        planes.append(evening.factor * panel.means[0] + evening.summand(0, ys, xs))
    return planes


@pytest.mark.parametrize("stars", [False, True])
def test_no_seam_is_left(stars):
    made, truth = panels(stars=stars)
    evenings = even_out(made, ratios(truth), 0)
    np.testing.assert_allclose([e.factor for e in evenings], [t[0] for t in truth], rtol=2e-3)
    planes = evened(made, evenings)
    for a, b in ((0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (1, 2)):
        whole = np.full((2, 80, 100), np.nan)
        for layer, k in zip(whole, (a, b)):
            top, left = PLACES[k]
            layer[top : top + SIZE[0], left : left + SIZE[1]] = planes[k]
        step = whole[0] - whole[1]
        step = step[np.isfinite(step)]
        # The step along the seam: of a stack's noise a tenth.
        assert abs(np.median(step)) < 0.1 * SIGMA
        assert 1.4826 * np.median(np.abs(step)) < 0.2 * SIGMA


def test_a_long_row_of_panels_has_no_seam():
    """Ten panels with levels and slopes of their own: neighbours meet, and the far ends do not run away."""
    rng = np.random.default_rng(3)
    made = []
    for k in range(10):
        slope = rng.normal(0, 20, 2)
        v, u = np.meshgrid(np.linspace(-0.75, 0.75, SIZE[0]), np.linspace(-1, 1, SIZE[1]), indexing="ij")
        cells = 1000 + rng.normal(0, 200) + slope[0] * u + slope[1] * v + rng.normal(0, SIGMA / CELL, SIZE)
        made.append(PanelCells(cells[None], 0, 40 * k, np.array([SIGMA])))
    planes = evened(made, even_out(made, [], 4))
    for one, other in pairwise(planes):
        step = (one[:, 40:] - other[:, :8]).mean(axis=1)
        assert np.abs(uniform_filter1d(step, 5)).max() < 0.1 * SIGMA
    assert np.ptp([plane.mean() for plane in planes]) < 200


def test_reference_keeps_its_scale_and_level():
    made, truth = panels()
    evenings = even_out(made, ratios(truth), 2)
    assert evenings[2].factor == pytest.approx(1.0, abs=1e-9)
    middle = [(made[2].top + SIZE[0] / 2) * CELL], [(made[2].left + SIZE[1] / 2) * CELL]
    assert abs(evenings[2].summand(0, *map(np.array, middle))[0, 0]) < 0.5


def test_panels_that_touch_nothing_stay_as_they_are():
    flat = np.full((1, 20, 20), 500.0)
    evenings = even_out([PanelCells(flat, 0, 0, np.ones(1)), PanelCells(flat + 50, 0, 60, np.ones(1))], [], 0)
    assert evenings[1].factor == 1.0
    assert np.abs(evenings[1].coefficients).max() < 1e-6


def test_feather_falls_to_the_edges_and_sums_to_one_after_blending():
    made, _ = panels(stars=False)
    width = feather_width(made)
    assert 4 <= width <= 9
    plane = feather(made[0], width)
    assert plane[0].max() < 0.1
    assert plane[15, 20] == 1.0
    assert np.all(np.diff(plane[15, :20]) >= 0)
    ys, xs = np.arange(15 * CELL, 16 * CELL), np.arange(0, 20 * CELL)
    fine = weights_at(plane, made[0], ys, xs)
    assert np.all(np.diff(fine[8]) >= -1e-6)
    assert fine[8, 10 * CELL + 7] == pytest.approx(plane[15, 10], abs=0.1)


def test_blend_has_the_variance_that_its_noise_shows():
    rng = np.random.default_rng(2)
    weights = [np.full((300, 300), 0.7), np.full((300, 300), 0.2)]
    values = [rng.normal(50, s, (300, 300)) for s in (3.0, 5.0)]
    mean, variance = blend(values, [np.full((300, 300), s**2) for s in (3.0, 5.0)], weights)
    assert mean.var() == pytest.approx(float(variance.mean()), rel=0.02)
    none, _ = blend([np.ones(2)], [np.ones(2)], [np.array([1.0, 0.0])])
    assert none[0] == 1.0
    assert np.isnan(none[1])
