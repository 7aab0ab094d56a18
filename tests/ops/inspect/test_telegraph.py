"""Pixels that jump."""

from __future__ import annotations

import numpy as np

from firstlight.ops.inspect.telegraph import find_telegraph


def cube(n=24, seed=1):
    return np.random.default_rng(seed).normal(500, 5, (n, 120, 140))


def test_quiet_pixels_do_not_jump():
    noisy, jumping = find_telegraph(cube())
    assert noisy.mean() < 1e-4
    assert not jumping.any()


def test_jumping_pixels_are_found_and_told_from_noisy_ones():
    rng = np.random.default_rng(2)
    data = cube() + np.arange(24)[:, None, None]
    ys, xs = np.divmod(rng.permutation(120 * 140)[:200], 140)
    data[:, ys[:100], xs[:100]] += 60 * (rng.random((24, 100)) < 0.4)
    data[:, ys[100:], xs[100:]] += rng.normal(0, 30, (24, 100))
    noisy, jumping = find_telegraph(data)
    assert noisy[ys, xs].mean() > 0.98
    assert jumping[ys[:100], xs[:100]].mean() > 0.95
    assert jumping[ys[100:], xs[100:]].mean() < 0.15
    assert noisy.sum() < 210
