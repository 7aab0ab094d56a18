"""Amplifier glow."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.ops.inspect.glow import measure_glow


def test_glow_is_seen_in_spite_of_hot_pixels():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:300, :400]
    dark = rng.normal(0, 0.5, (300, 400)) + 4 * np.exp(-np.hypot(299 - y, x) / 50)
    dark.flat[rng.permutation(dark.size)[:500]] += 200
    glow = measure_glow(dark)
    assert glow.certain
    assert glow.place == "bottom left"
    assert glow.peak == pytest.approx(3.0, abs=0.3)


def test_noise_does_not_glow():
    assert not measure_glow(np.random.default_rng(2).normal(0, 1, (300, 400))).certain
