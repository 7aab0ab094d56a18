"""Level and noise of boxes against what was put in."""

import numpy as np
import pytest

from firstlight.kernels.sky import mesh_statistics


def statistics(plane, edges, excluded=None, fewest=0.25):
    level = np.empty((len(edges) - 1,) * 2, np.float32)
    noise = np.empty_like(level)
    mask = np.empty((0, 0), bool) if excluded is None else excluded
    mesh_statistics(plane, mask, edges, edges, fewest, level, noise)
    return level, noise


@pytest.mark.parametrize("box", [32, 64, 100])
def test_noise_is_measured_past_outliers(box):
    rng = np.random.default_rng(0)
    edges = np.arange(6) * box
    plane = rng.normal(1000, 8, (5 * box,) * 2).astype(np.float32)
    plane[rng.random(plane.shape) < 0.02] += 5000
    level, noise = statistics(plane, edges)
    np.testing.assert_allclose(level, 1000, atol=1.6)
    np.testing.assert_allclose(noise, 8, rtol=0.13)
    assert abs(level.mean() - 1000) < 0.15
    assert abs(noise.mean() / 8 - 1) < 0.02


def test_large_levels_lose_nothing_to_single_precision():
    rng = np.random.default_rng(1)
    plane = rng.normal(0, 4, (256, 256)).astype(np.float32)
    edges = np.arange(5) * 64
    level, noise = statistics(plane, edges)
    # Numbers lie 1/256 apart there, which moves samples across the limits of the clipping.
    high, same = statistics(plane + np.float32(60000), edges)
    np.testing.assert_allclose(high - 60000, level, atol=0.02)
    np.testing.assert_allclose(same, noise, rtol=3e-3)


def test_excluded_and_missing_pixels_do_not_count():
    plane = np.random.default_rng(2).normal(50, 2, (128, 128)).astype(np.float32)
    excluded = np.zeros(plane.shape, bool)
    plane[:64, 20:40], excluded[:64, 20:40] = 4000, True
    plane[64:, :30] = np.nan
    plane[64:, 64:] = np.nan
    level, noise = statistics(plane, np.array([0, 64, 128]), excluded)
    assert np.isnan(level[1, 1])
    assert np.isnan(noise[1, 1])
    np.testing.assert_allclose(level.ravel()[:3], 50, atol=0.4)
