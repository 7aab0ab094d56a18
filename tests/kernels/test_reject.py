"""Limits of every method against a slow twin that follows the definitions, sample by sample."""

import numpy as np
import pytest

from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.ops.stack.factors import critical_deviates

ROSNER = np.array(
    [-0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58, 1.65, 1.69, 1.70,
     1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15, 2.23, 2.24, 2.26, 2.35, 2.37, 2.40,
     2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21, 3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01]
)  # fmt: skip
"""Data of Rosner 1983 in the NIST/SEMATECH handbook of statistics, 1.3.5.17.3: three outliers."""


def slow_scale(method, values, middle):
    if method == "sigma":
        return np.std(values, ddof=1)
    if method == "mad":
        return 1.4826 * np.median(abs(values - middle))
    if method == "noise":
        return 0.0
    scale = np.std(values, ddof=1)
    for _ in range(50):
        new = 1.134 * np.std(np.clip(values, middle - 1.5 * scale, middle + 1.5 * scale), ddof=1)
        if abs(new - scale) <= 5e-4 * scale:
            return new
        scale = new
    return scale


def strip(values, bottom, top, least=3):
    """Drop from both ends what is outside, down to so many values."""
    if len(values) == 3 and values[2] > max(top[0], 2 * values[1] - values[0]) and least == 2:
        values, bottom, top = values[:-1], bottom[:-1], top[:-1]
    while len(values) > least and values[0] < bottom[0]:
        values, bottom, top = values[1:], bottom[1:], top[1:]
    while len(values) > least and values[-1] > top[-1]:
        values, bottom, top = values[:-1], bottom[:-1], top[:-1]
    return values


def slow_clip(method, values, low, high, model):
    least = 2 if method == "noise" else 3
    while len(values) > least:
        middle = np.median(values)
        expected = np.sqrt(model(middle))
        if values[0] >= middle - low * expected and values[-1] <= middle + high * expected:
            break
        scale = max(expected, slow_scale(method, values, middle))
        one = np.ones(len(values))
        kept = strip(values, (middle - low * scale) * one, (middle + high * scale) * one, least)
        if len(kept) == len(values):
            break
        values = kept
    return values


def slow_linear(values, low, high, model):
    while len(values) > 3:
        middle = np.median(values)
        reach = 3 * np.sqrt(model(middle))
        if values[0] >= middle - reach and values[-1] <= middle + reach:
            break
        index = np.arange(len(values))
        line = np.polyval(np.polyfit(index, values, 1), index)
        distance = np.mean(abs(values - line))
        bottom, top = line - low * distance, line + high * distance
        kept = strip(values, np.minimum(bottom, middle - reach), np.maximum(top, middle + reach))
        if len(kept) == len(values):
            break
        values = kept
    return values


def slow_esd(values, share, significance, model):
    from scipy.stats import t as student

    n = len(values)
    most = min(int(share * n), n - 3)
    if n <= 3:
        return values
    expected = np.sqrt(model(np.median(values)))
    kept = left = values
    for _ in range(most):
        k = len(left)
        q = student.ppf(1 - significance / (2 * k), k - 2)
        limit = q * (k - 1) / np.sqrt((k - 2 + q * q) * k)
        far = abs(left - left.mean())
        worst = np.argmax(far)
        significant = far[worst] > limit * max(np.std(left, ddof=1), expected)
        left = np.delete(left, worst)
        if significant:
            kept = left
    return kept


def slow_percentile(values, low, high, model):
    middle = np.median(values)
    one, reach = np.ones(len(values)), 3 * np.sqrt(model(middle))
    bottom, top = middle - max(low * abs(middle), reach), middle + max(high * abs(middle), reach)
    return strip(values, bottom * one, top * one)


def scene(n, m=300, seed=0):
    rng = np.random.default_rng(seed)
    cube = rng.normal(1000, 10, (n, m)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.03] += 300
    cube[rng.random(cube.shape) < 0.03] += 60
    cube[rng.random(cube.shape) < 0.02] -= 200
    cube[rng.random(cube.shape) < 0.05] = np.nan
    cube[:, 7] = np.nan
    cube[1:, 8] = np.nan
    cube[:, 9] = 1000
    return cube


@pytest.mark.parametrize("n", [3, 4, 6, 9, 20, 61])
@pytest.mark.parametrize(
    ("method", "noise"),
    [(method, 100.0) for method in ("sigma", "mad", "winsorized", "noise", "linear", "esd", "percentile")]
    + [(method, 0.0) for method in ("sigma", "mad", "winsorized", "linear", "esd", "percentile")],
)
def test_equals_the_slow_twin(method, n, noise):
    photons = 0.05 if noise else 0.0
    low, high = {"linear": (5, 2.5), "percentile": (0.05, 0.02)}.get(method, (3.0, 2.5))
    cube = scene(n)
    one = np.ones(n, np.float32)
    terms = FrameTerms(one, 0 * one, one, np.float32(noise) * one, np.float32(photons) * one, level=990.0)
    result = combine_cube(cube, Combine(method=method, low=low, high=high, outliers=0.25), terms)

    def model(middle):
        return noise + photons * max(middle - 990.0, 0.0)

    differ = 0
    for p in range(cube.shape[1]):
        values = np.sort(cube[:, p][np.isfinite(cube[:, p])].astype(np.float64))
        if not len(values):
            assert result.kept[p] == 0
            continue
        if method == "linear":
            kept = slow_linear(values, low, high, model)
        elif method == "esd":
            kept = slow_esd(values, 0.25, 0.05, model)
        elif method == "percentile":
            kept = slow_percentile(values, low, high, model)
        else:
            kept = slow_clip(method, values, low, high, model)
        assert min(len(values), 2 if method == "noise" else 3) <= result.kept[p]
        assert result.kept[p] + result.rejected_low[p] + result.rejected_high[p] == len(values)
        if result.kept[p] != len(kept):
            differ += 1
            continue
        assert result.mean[p] == pytest.approx(kept.mean(), abs=2e-3)
        if len(kept):
            assert result.rejected_low[p] == (values < kept[0]).sum()
            assert result.rejected_high[p] == (values > kept[-1]).sum()
    # Float32 decides a sample that lies on a limit differently, and so may a mean that stands for a median (esd).
    assert differ <= (2 if method == "esd" and noise else 0)


def test_rosners_data_have_three_outliers():
    """The published R are 3.118, 2.942, 3.179, 2.810 ... against limits of 3.158, 3.151, 3.143, 3.136 ..."""
    cube = np.random.default_rng(0).permutation(ROSNER).astype(np.float32)[:, None]
    n = len(ROSNER)
    result = combine_cube(cube, Combine(method="esd", outliers=10.5 / n), FrameTerms.equal(n))
    assert (result.rejected_low[0], result.rejected_high[0]) == (0, 3)
    assert result.mean[0] == pytest.approx(ROSNER[:-3].mean(), rel=1e-6)
    few = combine_cube(cube, Combine(method="esd", outliers=2.5 / n), FrameTerms.equal(n))
    assert few.kept[0] == n, "two are masked by the third"
    published = [3.158, 3.151, 3.143, 3.136, 3.128, 3.120, 3.111, 3.103, 3.094, 3.085]
    np.testing.assert_allclose(critical_deviates(n, 0.05)[n : n - 10 : -1], published, atol=1.1e-3)


@pytest.mark.parametrize("method", ["sigma", "mad", "winsorized", "linear", "esd", "percentile"])
def test_never_fewer_than_three(method):
    cube = np.float32([[0, 1e6, -1e6, 5e6, 1, 2, 1e3, -7e5]]).T * np.ones((1, 70), np.float32)
    for n in range(1, 9):
        settings = Combine(method=method, low=0.01, high=0.01, outliers=0.5)
        result = combine_cube(cube[:n], settings, FrameTerms.equal(n))
        assert (result.kept >= min(n, 3)).all()
