"""Dark current and its doubling temperature."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.ops.inspect.dark_current import DarkLevel, dark_rate, doubling_temperature, typical_level


def test_hot_pixels_do_not_count():
    values = np.random.default_rng(1).normal(20, 3, 50_000)
    values[:1000] += np.random.default_rng(2).exponential(300, 1000)
    assert typical_level(values)[0] == pytest.approx(20, abs=0.1)


def test_a_drifting_bias_has_no_part_in_the_slope():
    levels = [DarkLevel(t, 3.0 + 0.2 * t, 0.01) for t in (30, 60, 120, 300)]
    assert dark_rate(levels, 1.5, -10.0).rate == pytest.approx(0.3)


def test_one_exposure_is_measured_from_the_bias():
    assert dark_rate([DarkLevel(60, 12.0, 0.1)], 2.0, None).rate == pytest.approx(0.4)
    assert dark_rate([DarkLevel(0, 12.0, 0.1)], 2.0, None) is None


def test_doubling_within_its_error():
    rng = np.random.default_rng(3)
    off = []
    for _ in range(200):
        rates = [(t, r * (1 + 0.02 * rng.standard_normal()), 0.02 * r) for t, r in
                 ((t, 0.1 * 2 ** (t / 6.3)) for t in (-20.0, -10.0, 0.0, 10.0))]  # fmt: skip
        degrees, error = doubling_temperature(rates)
        off.append((degrees - 6.3) / error)
    assert abs(np.mean(off)) < 0.3
    assert np.std(off) == pytest.approx(0.9, abs=0.3)


def test_what_does_not_grow_doubles_nowhere():
    assert doubling_temperature([(-10, 1.0, 0.1), (0, 1.02, 0.1)]) is None
    assert doubling_temperature([(-10, 1.0, 0.1)]) is None
