"""Robust mean of frames, and steps and curvature of an image, against plain arrays."""

import numpy as np
import pytest

from firstlight.kernels import steep


@pytest.mark.parametrize("n", [1, 2, 4, 5, 7, 23])
def test_median_of_means_by_the_book(n):
    rng = np.random.default_rng(n)
    cube = rng.normal(100, 10, (n, 700)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.1] = np.nan
    cube[0, 5] = np.inf
    cube[:, 9] = np.nan
    gain, zero = (rng.uniform(0.5, 2, n).astype(np.float32) for _ in range(2))
    plane = np.empty(700, np.float32)
    steep.median_of_means(cube, gain, zero, plane)
    samples = np.where(np.isfinite(cube), cube * gain[:, None] + zero[:, None], np.nan)
    for p in range(700):
        means = [
            part[np.isfinite(part)].mean() for part in (samples[k::5, p] for k in range(5)) if np.isfinite(part).any()
        ]
        if means:
            assert plane[p] == pytest.approx(np.median(means), rel=1e-5)
        else:
            assert np.isnan(plane[p])


def test_outliers_in_two_groups_do_not_show():
    cube = np.full((20, 64), 100.0, np.float32)
    cube[3] = cube[9] = 1e5
    plane = np.empty(64, np.float32)
    steep.median_of_means(cube, np.ones(20, np.float32), np.zeros(20, np.float32), plane)
    assert (plane == 100).all()


def test_steps_and_curvature():
    rng = np.random.default_rng(3)
    plane = rng.normal(0, 100, (14, 17)).astype(np.float32)
    slope, curve = np.empty_like(plane), np.empty_like(plane)
    steep.steepness(plane, np.float32(4), np.float32(0.5), np.float32(20), np.float32(3), slope, curve)
    p = plane.astype(float)
    centre = p[1:-1, 1:-1]
    steps = np.array([p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2], p[1:-1, 2:]]) - centre
    unit = 16 * (4 + 0.5 * np.maximum(centre - 20, 0))
    expected = np.sqrt(np.maximum(np.max(abs(steps), axis=0) ** 2 - 2 * unit, 0))
    np.testing.assert_allclose(slope[1:-1, 1:-1], expected, rtol=1e-4, atol=1e-3)
    bend = steps.sum(axis=0)
    size = np.sqrt(np.maximum(bend**2 - 20 * unit, 0))
    expected = np.where((bend < 0) & (size > 0), -size, size + 3 * expected)
    np.testing.assert_allclose(curve[1:-1, 1:-1], expected, rtol=1e-4, atol=1e-3)


def test_missing_neighbours_say_nothing():
    plane = np.full((5, 5), 10.0, np.float32)
    plane[2, 3] = np.nan
    slope, curve = np.empty_like(plane), np.empty_like(plane)
    steep.steepness(plane, *map(np.float32, (0, 0, 0, 1)), slope, curve)
    good = np.isfinite(plane)
    assert (slope[good] == 0).all()
    assert (curve[good] == 0).all()
