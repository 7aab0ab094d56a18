"""What lies beside a trail goes with it, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube, correct_variance
from firstlight.ops.stack.grow import wider
from firstlight.simulate.scene import trail

NOISE = 10.0
SHAPE = (90, 110)
N = 20


def terms(n=N):
    one = np.ones(n, np.float32)
    return FrameTerms(one, 0 * one, one, np.float32(NOISE**2) * one, 0 * one, 500.0, seeing=3 * one)


def sky(seed=0, n=N):
    return np.random.default_rng(seed).normal(500, NOISE, (n, *SHAPE)).astype(np.float32)


def streak(height, angle=12.0):
    light = trail(SHAPE, 50, 40, angle, 1.0, 3.0)
    return (height * NOISE * light / light.max()).astype(np.float32)


@pytest.mark.parametrize("method", ["winsorized", "sigma", "mad", "esd", "noise", "linear"])
@pytest.mark.parametrize("height", [8.0, 30.0, 300.0])
def test_wings_of_a_trail_go_too(method, height):
    clean, light = sky(), streak(height)
    dirty = clean.copy()
    dirty[4] += light
    near = (light > 0.3 * NOISE) & (light < 3 * NOISE)
    left = []
    for grow in (0, 2):
        settings = Combine(method=method, grow=grow)
        one, other = (combine_cube(cube, settings, terms()).mean for cube in (dirty, clean))
        left.append((one - other)[near].mean() / (NOISE / np.sqrt(N)))
    assert abs(left[1]) < 0.3
    assert left[1] < 0.6 * left[0]


def test_counts_add_up():
    dirty = sky()
    dirty[4] += streak(30.0)
    dirty[7, 20:60, 30] = np.nan
    result, bare = (combine_cube(dirty, Combine(method="winsorized", grow=grow), terms()) for grow in (2, 0))
    finite = np.isfinite(dirty).sum(axis=0)
    np.testing.assert_array_equal(result.kept + result.rejected_low + result.rejected_high, finite)
    assert result.hits.sum() == (result.rejected_low + result.rejected_high).sum()
    assert (result.rejected_low >= bare.rejected_low).all()
    assert result.hits[4] > bare.hits[4] + 300
    others = np.arange(N) != 4
    assert result.hits[others].sum() <= bare.hits[others].sum() + 60
    same = result.rejected_high == bare.rejected_high
    np.testing.assert_allclose(result.mean[same], bare.mean[same], rtol=1e-6)


def test_plain_sky_does_not_grow():
    cube = sky(3)
    one, other = (combine_cube(cube, Combine(method="winsorized", grow=grow), terms()) for grow in (2, 0))
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.hits, other.hits)


def test_weights_are_honoured():
    dirty = sky()
    dirty[4] += streak(30.0)
    own = replace(terms(), weight=np.random.default_rng(1).uniform(0.5, 2, N).astype(np.float32))
    result = combine_cube(dirty, Combine(method="winsorized"), own)
    rest = np.arange(N) != 4
    core = streak(30.0) > 20 * NOISE
    alone = core & (result.rejected_low + result.rejected_high == 1)
    assert alone.sum() > 100
    expected = np.average(dirty[rest].astype(np.float64), axis=0, weights=own.weight[rest])
    np.testing.assert_allclose(result.mean[alone], expected[alone], rtol=1e-5)
    kept = np.full(1, NOISE**2 * (own.weight[rest] ** 2).sum() / own.weight[rest].sum() ** 2, np.float32)
    correct_variance(kept, np.array([N]), Combine(method="winsorized").resolved(N), own)
    np.testing.assert_allclose(result.variance[alone], kept[0], rtol=1e-4)


def test_result_does_not_depend_on_how_it_is_cut():
    dirty = sky()
    dirty[4] += streak(12.0)
    dirty[11] += streak(40.0, angle=80.0)
    settings = Combine(method="winsorized")
    whole = combine_cube(dirty, settings, terms())
    hits = np.zeros(N, np.int64)
    margin = settings.margin(N)
    assert margin == 3
    for rows in (slice(0, 7), slice(7, 41), slice(41, 42), slice(42, 90)):
        for columns in (slice(0, 55), slice(55, 110)):
            outer, within = wider((rows, columns), SHAPE, margin)
            part = combine_cube(dirty[:, *outer], settings, terms(), inner=within)
            hits += part.hits
            for name in ("mean", "variance", "kept", "rejected_low", "rejected_high"):
                np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rows, columns], err_msg=name)
    np.testing.assert_array_equal(hits, whole.hits)


def test_three_samples_stay():
    cube = sky(n=4)
    cube[1] += streak(100.0)
    cube[2] = np.where(streak(1.0) > 0, cube[2], np.nan)
    result = combine_cube(cube, Combine(method="winsorized"), terms(4))
    assert (result.kept >= np.minimum(np.isfinite(cube).sum(axis=0), 3)).all()
