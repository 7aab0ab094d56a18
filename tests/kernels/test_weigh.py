"""Weighted median and adaptive weights against plain arrays."""

import numpy as np
import pytest

from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube


def scene(n, m=150, seed=0):
    rng = np.random.default_rng(seed)
    cube = rng.normal(1000, 10, (n, m)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.05] += 300
    cube[rng.random(cube.shape) < 0.05] = np.nan
    cube[:, 7] = np.nan
    cube[1:, 8] = np.nan
    cube[:, 9] = 1000
    return cube


def terms(n, weight, noise=0.0):
    one = np.ones(n, np.float32)
    return FrameTerms(one, 0 * one, np.asarray(weight, np.float32), np.float32(noise) * one, 0 * one)


def slow_weighted_median(values, weights):
    order = np.argsort(values, kind="stable")
    values, sums = values[order], np.cumsum(weights[order])
    k = np.searchsorted(2 * sums, sums[-1])
    if 2 * sums[k] == sums[-1]:
        return 0.5 * (values[k] + values[k + 1])
    return values[k]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 20, 61])
def test_weighted_median_by_the_book(n):
    cube = scene(n)
    # Whole weights: sums are exact, ties happen.
    weight = np.random.default_rng(n).integers(1, 5, n)
    result = combine_cube(cube, Combine(method="weighted-median"), terms(n, weight))
    for p in range(cube.shape[1]):
        finite = np.isfinite(cube[:, p])
        assert result.kept[p] == finite.sum()
        if finite.any():
            expected = slow_weighted_median(cube[finite, p].astype(float), weight[finite])
            assert result.mean[p] == pytest.approx(expected, abs=1e-4)
        else:
            assert np.isnan(result.mean[p])


@pytest.mark.parametrize("n", [1, 4, 5, 12, 33])
def test_equal_weights_give_the_median(n):
    cube = scene(n, seed=2)
    one, other = (combine_cube(cube, Combine(method=m), FrameTerms.equal(n)) for m in ("weighted-median", "median"))
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.variance, other.variance)


def slow_adaptive(x, w, low, high, floor):
    def moments(use):
        total = w[use].sum()
        mean = (w[use] * x[use]).sum() / total
        n = use.sum()
        return mean, ((w[use] * x[use] ** 2).sum() / total - mean**2) * n / max(n - 1, 1)

    mean, variance = moments(np.ones(len(x), bool))
    mean, variance = moments((x - mean) ** 2 <= 4 * variance)
    variance = max(variance, floor)
    chi = (x - mean) / np.sqrt(variance)
    kept = (chi >= -low) & (chi <= high)
    weight = w[kept] / (2 + chi[kept] ** 2)
    return (weight * x[kept]).sum() / weight.sum(), kept.sum(), (chi < -low).sum(), (chi > high).sum()


@pytest.mark.parametrize("noise", [0.0, 100.0])
@pytest.mark.parametrize("n", [2, 3, 6, 20, 61])
def test_adaptive_by_the_book(n, noise):
    cube = scene(n, seed=4)
    weight = np.random.default_rng(n).uniform(0.5, 2, n).astype(np.float32)
    result = combine_cube(cube, Combine(method="adaptive", low=4, high=3.5), terms(n, weight, noise))
    for p in range(cube.shape[1]):
        finite = np.isfinite(cube[:, p])
        if not finite.any():
            assert np.isnan(result.mean[p])
            continue
        x = cube[finite, p].astype(float)
        if np.ptp(x) == 0:
            assert result.mean[p] == x[0]
            assert result.kept[p] == len(x)
            continue
        mean, kept, low, high = slow_adaptive(x, weight[finite].astype(float), 4, 3.5, noise)
        assert (result.kept[p], result.rejected_low[p], result.rejected_high[p]) == (kept, low, high)
        assert result.mean[p] == pytest.approx(mean, abs=3e-3)


def test_adaptive_weights_cost_little_and_the_variance_says_how_much():
    cube = np.random.default_rng(1).normal(500, 7, (20, 40_000)).astype(np.float32)
    result = combine_cube(cube, Combine(method="adaptive"), FrameTerms.equal(20, noise=49.0))
    noise = np.std(result.mean, dtype=np.float64)
    assert noise == pytest.approx(7 / np.sqrt(20), rel=0.08)
    assert np.sqrt(np.median(result.variance)) == pytest.approx(noise, rel=0.04)
