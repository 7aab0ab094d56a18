"""Straight lines and what bends."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.ops.inspect.linearity import Level, fit_correction, fit_line

EXPOSURES = (0.5, 1, 2, 4, 6, 8, 12, 16)


def levels(rate, *, bend=0.0, dead=0.0, noise=0.0, seed=1):
    rng = np.random.default_rng(seed)
    light = [rate * (t - dead) * (1 + noise * rng.standard_normal()) for t in EXPOSURES]
    return [Level(float(t), s * (1 - bend * s)) for t, s in zip(EXPOSURES, light)]


def test_a_straight_answer():
    line = fit_line(levels(1000.0))
    assert (line.rate, line.intercept) == pytest.approx((1000, 0), abs=1e-6)
    assert line.r2 == pytest.approx(1)
    assert line.worst < 1e-9


def test_r2_is_that_of_numpy():
    data = levels(1000.0, bend=3e-6, noise=0.01)
    line = fit_line(data)
    y = np.array([v.signal for v in data])
    left = y - (line.intercept + line.rate * np.array(EXPOSURES))
    assert line.r2 == pytest.approx(1 - left.var() / y.var() - left.mean() ** 2 / y.var())


def test_saturated_levels_take_no_part():
    data = [*levels(1000.0), Level(20.0, 16500.0, saturated=True)]
    line = fit_line(data)
    assert line.rate == pytest.approx(1000)
    assert np.isnan(line.deviations[-1])
    assert line.worst < 1e-6


@pytest.mark.parametrize("dead", [0.0, 0.02])
def test_the_bend_is_found_in_spite_of_a_dead_time_of_the_shutter(dead):
    found = fit_correction([levels(2500.0, bend=1e-6, dead=dead), levels(1400.0, bend=1e-6, dead=dead)])
    assert found.second == pytest.approx(1e-6, rel=0.05)
    assert found.after < 0.1 * found.before or dead
    assert found.highest == pytest.approx(40000 * (1 - 0.04), rel=0.01)


def test_few_exposures_tell_no_bend():
    assert fit_correction([levels(1000.0)[:4]]) is None
    assert fit_line(levels(1000.0)[:2]) is None
