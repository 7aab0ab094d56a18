"""The judgement of outliers against plain arrays."""

import numpy as np
import pytest

from firstlight.kernels import drizzle as kernels
from firstlight.kernels import excess as judging
from firstlight.model.distortion import Distorted
from firstlight.model.registration import Transform
from firstlight.ops.stack.drizzle import MONO, mesh_of


def judged(values, clean, spread, forward, *, noise=25.0, photons=0.5, level=100.0, gain=1.0, zero=0.0, soft=0.0,
          around=1, surface=None, doubt=0.0):  # fmt: skip
    values, variances, excess = (
        values.astype(np.float32),
        np.empty(values.shape, np.float32),
        np.empty(values.shape, np.float32),
    )
    facts = [np.array([fact]) for fact in (gain, zero, noise, photons, doubt, level)]
    surface = np.empty((1, 0, 0), np.float32) if surface is None else surface
    judging.measure_excess(
        values, 0, 0, MONO, surface, 32, *facts, clean[None].astype(np.float32), spread[None].astype(np.float32),
        forward.matrix.copy(), mesh_of(forward, 0, 0, values.shape), soft, around, variances, excess,
    )  # fmt: skip
    return values, variances, excess


@pytest.mark.parametrize("forward", [Transform.of_shift(1.5, 0.25), Distorted.of(Transform.of_shift(1.5, 0.25))])
def test_excess_is_the_distance_in_sigma(forward):
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:30, :40].astype(float)
    clean = 100 + 3 * yy + 2 * xx
    spread = np.full(clean.shape, 11.0)
    values = rng.normal(100, 10, (20, 30))
    seen_y, seen_x = np.mgrid[:20, :30] + np.array([0.25, 1.5])[:, None, None]
    expected = 100 + 3 * seen_y + 2 * seen_x
    out, variances, excess = judged(values, clean, spread, forward, gain=2.0, zero=-100.0, doubt=0.25)
    wanted = 2 * values - 100
    light = expected - 100
    np.testing.assert_allclose(out, wanted, rtol=1e-5)
    np.testing.assert_allclose(variances, 25 + 0.5 * light, rtol=1e-5)
    np.testing.assert_allclose(excess, (wanted - expected) / np.sqrt(25 + 0.75 * light + 11), rtol=1e-3, atol=1e-5)


def test_steepness_excuses():
    clean = np.full((9, 9), 100.0)
    clean[4, 4] = 500.0
    spread = np.ones((9, 9))
    values = clean.copy()
    values[4, 4] = 800.0
    values[1, 1] = 800.0
    _, _, strict = judged(values, clean, spread, Transform.identity(), photons=0.0)
    _, _, soft = judged(values, clean, spread, Transform.identity(), photons=0.0, soft=1.0)
    assert strict[4, 4] == pytest.approx(300 / np.sqrt(26))
    assert soft[4, 4] == 0.0
    assert soft[1, 1] == strict[1, 1] == pytest.approx(700 / np.sqrt(26))


def test_no_judgement_where_nobody_saw():
    clean = np.full((9, 9), 100.0)
    clean[3, 3] = np.nan
    values = np.full((9, 9), 900.0)
    _, variances, excess = judged(values, clean, np.ones((9, 9)), Transform.of_shift(1.0, 0.0))
    blind = np.zeros((9, 9), bool)
    # Where the place itself, or a neighbour it leans on, is unknown; and beyond the stack.
    blind[2:4, 1:3] = True
    blind[:, 8:] = True
    assert ((excess == 0) == blind).all()
    assert (variances[blind] == 25.0).all()


def test_a_surface_is_added_before_the_factor():
    nodes = np.array([[[0.0, 32.0], [64.0, 96.0]]], np.float32)
    values, _, _ = judged(np.zeros((32, 32)), np.full((40, 40), 1.0), np.ones((40, 40)), Transform.identity(),
                         surface=nodes, gain=2.0)  # fmt: skip
    yy, xx = np.mgrid[:32, :32]
    np.testing.assert_allclose(values, 2 * (xx + 2 * yy), rtol=1e-6)


def test_neighbours_of_outliers_go_too():
    excess = np.zeros((5, 7), np.float32)
    excess[2, 3], excess[2, 4], excess[1, 2], excess[2, 2] = 6.0, 2.5, -2.5, 2.3
    excess[4, 6], excess[4, 5] = -5.0, -3.0
    excess[0, 0], excess[0, 1] = 9.0, 3.0
    states = np.zeros((5, 7), np.uint8)
    states[0, 0] = kernels.MISSING
    states[2, 4] = kernels.SATURATED_BIT
    judging.reject(excess, 4.0, states)
    wanted = np.zeros((5, 7), np.uint8)
    wanted[2, 3] = wanted[2, 4] = kernels.TOO_HIGH
    wanted[4, 5:] = kernels.TOO_LOW
    wanted[0, 0] = kernels.MISSING
    np.testing.assert_array_equal(states, wanted)
