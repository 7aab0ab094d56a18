"""The tiled kernel against a slow twin that follows the definitions, sample by sample."""

import numpy as np
import pytest

from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube


def slow_limits(values, method, low, high):
    """Kept values of one pixel, by the book."""
    values = np.sort(values[np.isfinite(values)])
    if method == "minmax":
        first = min(int(low), len(values) - 1)
        return values[first : max(len(values) - int(high), first + 1)]
    while len(values) > 3:
        middle = np.median(values)
        scale = np.std(values, ddof=1)
        if method == "winsorized":
            for _ in range(50):
                clamped = np.clip(values, middle - 1.5 * scale, middle + 1.5 * scale)
                new = 1.134 * np.std(clamped, ddof=1)
                done = abs(new - scale) <= 5e-4 * scale
                scale = new
                if done:
                    break
        kept = values
        while len(kept) > 3 and kept[0] < middle - low * scale:
            kept = kept[1:]
        while len(kept) > 3 and kept[-1] > middle + high * scale:
            kept = kept[:-1]
        if len(kept) == len(values):
            break
        values = kept
    return values


def scene(n, m=400, seed=0):
    rng = np.random.default_rng(seed)
    cube = rng.normal(1000, 10, (n, m)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.03] += 300
    cube[rng.random(cube.shape) < 0.02] -= 200
    cube[rng.random(cube.shape) < 0.05] = np.nan
    cube[:, 7] = np.nan
    cube[1:, 8] = np.nan
    return cube


@pytest.mark.parametrize(
    ("method", "n"),
    [(m, n) for m in ("mean", "median", "sigma", "winsorized") for n in (2, 3, 5, 8, 20, 61)]
    + [("minmax", n) for n in (3, 5, 8, 20, 61)],
)
def test_equals_the_slow_twin(method, n):
    low, high = (1, 1) if method == "minmax" else (3.0, 2.5)
    cube = scene(n)
    result = combine_cube(cube, Combine(method=method, low=low, high=high), FrameTerms.equal(n))
    for p in range(cube.shape[1]):
        finite = cube[:, p][np.isfinite(cube[:, p])].astype(np.float64)
        if not len(finite):
            assert np.isnan(result.mean[p])
            assert result.kept[p] == 0
            continue
        if method == "mean":
            kept = finite
        elif method == "median":
            assert result.mean[p] == pytest.approx(np.median(finite), abs=1e-3)
            continue
        else:
            kept = slow_limits(finite, method, low, high)
        assert result.kept[p] == len(kept), (p, np.sort(finite))
        assert result.mean[p] == pytest.approx(kept.mean(), abs=2e-3)
        assert result.kept[p] + result.rejected_low[p] + result.rejected_high[p] == len(finite)


def test_weights_and_normalisation():
    cube = np.array([[10.0], [30.0]], np.float32)
    one = np.ones(2, np.float32)
    terms = FrameTerms(
        gain=np.array([1.0, 0.5], np.float32),
        zero=np.array([0.0, 1.0], np.float32),
        weight=np.array([3.0, 1.0], np.float32),
        noise=np.array([4.0, 8.0], np.float32),
        photons=0 * one,
    )
    result = combine_cube(cube, Combine(method="mean"), terms)
    # (3 * 10 + 1 * (30 * 0.5 + 1)) / 4 and (9 * 4 + 1 * 8) / 16
    assert result.mean[0] == pytest.approx(11.5)
    assert result.variance[0] == pytest.approx(2.75)


def test_variance_grows_with_the_signal():
    cube = np.full((4, 1), 1100.0, np.float32)
    one = np.ones(4, np.float32)
    terms = FrameTerms(one, 0 * one, one, 100 * one, 0.5 * one, level=1000.0)
    result = combine_cube(cube, Combine(method="mean"), terms)
    assert result.variance[0] == pytest.approx((100 + 0.5 * 100) / 4)


def test_hits_count_each_frame():
    cube = np.full((8, 300), 100.0, np.float32) + np.arange(8, dtype=np.float32)[:, None]
    cube[5] = 5000.0
    result = combine_cube(cube, Combine(method="winsorized"), FrameTerms.equal(8))
    assert result.hits.tolist() == [0, 0, 0, 0, 0, 300, 0, 0]


def test_input_is_not_changed():
    cube = scene(8)
    before = cube.copy()
    combine_cube(cube, Combine(method="winsorized"), FrameTerms.equal(8))
    np.testing.assert_array_equal(cube, before)
