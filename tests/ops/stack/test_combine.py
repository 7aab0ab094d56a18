"""A2: the noise of a combination is what theory says, and clipping costs next to nothing."""

from dataclasses import replace

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube, correct_variance
from firstlight.ops.stack.factors import median_factors

SIGMA = 7.0


def gaussian(n, m=60_000, seed=1):
    return np.random.default_rng(seed).normal(500.0, SIGMA, (n, m)).astype(np.float32)


def noise_of(method, n):
    result = combine_cube(gaussian(n), Combine(method=method), FrameTerms.equal(n, noise=SIGMA**2))
    return np.std(result.mean, dtype=np.float64), result


@pytest.mark.parametrize("n", [5, 10, 20, 40])
def test_noise_of_the_mean(n):
    noise, result = noise_of("mean", n)
    assert noise == pytest.approx(SIGMA / np.sqrt(n), rel=0.01)
    assert np.sqrt(np.median(result.variance)) == pytest.approx(SIGMA / np.sqrt(n), rel=1e-5)


@pytest.mark.parametrize(
    ("n", "factor"),
    [(5, 1.193), (9, 1.224), (10, 1.178), (20, 1.210), (21, 1.238), (40, 1.231), (41, 1.246), (100, 1.244)],
)
def test_noise_of_the_median(n, factor):
    noise, result = noise_of("median", n)
    assert noise == pytest.approx(factor * SIGMA / np.sqrt(n), rel=0.02)
    assert np.sqrt(np.median(result.variance)) == pytest.approx(noise, rel=0.02)


@pytest.mark.parametrize("method", ["sigma", "winsorized", "mad", "linear", "esd", "noise", "averaged"])
@pytest.mark.parametrize("n", [15, 20, 40, 60])
def test_clipping_costs_little(method, n):
    noise, result = noise_of(method, n)
    assert noise == pytest.approx(SIGMA / np.sqrt(n), rel=0.02)
    assert np.sum(result.hits) / (n * result.mean.size) <= 0.006


@pytest.mark.parametrize("from_scatter", [False, True])
@pytest.mark.parametrize("n", [4, 6, 9, 25])
@pytest.mark.parametrize(
    "method", ["sigma", "winsorized", "mad", "linear", "esd", "noise", "averaged", "percentile", "minmax", "adaptive"]
)
def test_variance_counts_what_rejection_costs(method, n, from_scatter):
    terms = replace(FrameTerms.equal(n, noise=SIGMA**2), level=500.0)
    cube = np.random.default_rng(2).normal(500.0, SIGMA, (n, 200_000)).astype(np.float32)
    cube[0, :: 7 if n > 4 else 10**6] = np.nan
    result = combine_cube(cube, Combine(method=method), terms, variance_from_scatter=from_scatter)
    # The error of the mean is known: only what is added to it is taken from so many samples.
    plain = np.nanmean(cube, axis=0, dtype=np.float64)
    true = SIGMA**2 * np.mean(1.0 / np.isfinite(cube).sum(axis=0)) + np.var(result.mean - plain)
    assert np.nanmean(result.variance, dtype=np.float64) == pytest.approx(true, rel=0.015 if from_scatter else 0.005)


def test_without_a_noise_model_few_frames_lose_a_little_more():
    result = combine_cube(gaussian(20), Combine(method="winsorized"), FrameTerms.equal(20))
    assert np.std(result.mean, dtype=np.float64) == pytest.approx(SIGMA / np.sqrt(20), rel=0.035)


def test_mean_of_the_result_is_not_shifted():
    for method in ("sigma", "winsorized", "median", "minmax"):
        settings = Combine(method=method, low=1 if method == "minmax" else 3, high=1 if method == "minmax" else 3)
        result = combine_cube(gaussian(20), settings, FrameTerms.equal(20))
        assert np.mean(result.mean, dtype=np.float64) == pytest.approx(500, abs=4 * SIGMA / np.sqrt(20 * 60_000))


@pytest.mark.parametrize("n", [6, 8, 12, 20])
def test_one_bad_frame_leaves_nothing(n):
    cube = gaussian(n)
    cube[n // 2] += 60 * SIGMA
    result = combine_cube(cube, Combine(), FrameTerms.equal(n))
    clean = combine_cube(np.delete(cube, n // 2, axis=0), Combine(method="mean"), FrameTerms.equal(n - 1))
    assert np.mean(result.mean - clean.mean) < 0.05 * SIGMA
    assert result.hits[n // 2] > 0.995 * cube.shape[1]


def test_agrees_with_astropy_sigma_clip():
    from astropy.stats import sigma_clip

    cube = gaussian(25, m=3000)
    cube[3, ::7] += 100
    mine = combine_cube(cube, Combine(method="sigma"), FrameTerms.equal(25))
    theirs = sigma_clip(
        cube.astype(np.float64),
        sigma=3,
        maxiters=None,
        cenfunc="median",
        stdfunc=lambda a, axis: np.nanstd(a, axis=axis, ddof=1),
        axis=0,
    )
    np.testing.assert_allclose(mine.mean, theirs.mean(axis=0).data, atol=1e-3)
    np.testing.assert_array_equal(mine.kept, (~theirs.mask).sum(axis=0))


def test_minmax_must_leave_a_sample():
    with pytest.raises(InputError, match=r"1 \+ 1 samples to drop of 2 frames"):
        combine_cube(gaussian(2, m=10), Combine(method="minmax", low=1, high=1), FrameTerms.equal(2))


def test_zeros_are_numbers():
    result = combine_cube(np.zeros((6, 100), np.float32), Combine(), FrameTerms.equal(6))
    assert (result.mean == 0).all()
    assert (result.kept == 6).all()


def test_auto_is_told():
    small, known = Combine().resolved(8), Combine().resolved(8, noise_known=True)
    assert (small.words, known.words) == ("winsorized:low=3,high=3", "noise:low=3,high=3")
    assert Combine().resolved(15, noise_known=True).method == "winsorized"
    assert [Combine().resolved(n, noise_known=True).method for n in (1, 2, 3, 4)] == ["mean", "mean", "noise", "noise"]
    assert Combine(method="minmax").resolved(9).words == "minmax:low=1,high=1"
    assert Combine(method="percentile", high=0.3).resolved(9).words == "percentile:low=0.2,high=0.3"
    assert Combine(method="esd").resolved(9).words == "esd:outliers=0.3,significance=0.05"
    assert Combine(method="median").resolved(9).words == "median"


def test_auto_knows_the_noise_of_the_frames():
    cube = gaussian(6, m=500)
    cube[2] += 5 * SIGMA
    one = np.ones(6, np.float32)
    terms = FrameTerms(one, 0 * one, one, SIGMA**2 * one, one, 500.0, seeing=3 * one)
    known = combine_cube(cube.reshape(6, 20, 25), Combine(), terms)
    assert known.hits[2] > 400, "six frames alone could not tell"
    # Without the seeing of the frames limits may not rest on the noise alone.
    blind = combine_cube(cube, Combine(), replace(terms, seeing=None))
    scattered = combine_cube(cube, Combine(method="winsorized"), replace(terms, seeing=None))
    np.testing.assert_array_equal(blind.kept, scattered.kept)


def lined(n, m=300, seed=3):
    """Frames with a normalisation and missing samples, and what their samples are."""
    rng = np.random.default_rng(seed)
    cube = rng.normal(500, SIGMA, (n, m)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.1] = np.nan
    cube[:, 5] = np.nan
    cube[0, 6] = np.inf
    one = np.ones(n, np.float32)
    terms = FrameTerms(
        rng.uniform(0.9, 1.1, n).astype(np.float32), rng.uniform(-5, 5, n).astype(np.float32),
        rng.uniform(0.5, 2, n).astype(np.float32), rng.uniform(40, 60, n).astype(np.float32), 0 * one, 480.0,
    )  # fmt: skip
    samples = np.where(np.isfinite(cube), cube * terms.gain[:, None] + terms.zero[:, None], np.nan).astype(np.float64)
    return cube, terms, samples


@pytest.mark.filterwarnings("ignore:All-NaN:RuntimeWarning", "ignore:Mean of empty:RuntimeWarning")
@pytest.mark.parametrize("method", ["min", "max", "sum", "chi2"])
def test_plain_combinations_by_the_book(method):
    cube, terms, samples = lined(7)
    result = combine_cube(cube, Combine(method=method), terms)
    weight = np.where(np.isfinite(samples), terms.weight[:, None], np.nan)
    expected = {
        "min": lambda: np.nanmin(samples, axis=0),
        "max": lambda: np.nanmax(samples, axis=0),
        "sum": lambda: 7 * np.nansum(weight * samples, axis=0) / np.nansum(weight, axis=0),
        "chi2": lambda: np.sqrt(np.nanmean((samples - 480) ** 2 / terms.noise[:, None], axis=0)),
    }
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(result.mean, expected[method](), rtol=1e-5)
    np.testing.assert_array_equal(result.kept, np.isfinite(samples).sum(axis=0))
    assert np.isnan(result.variance[5])
    assert not (result.rejected_low | result.rejected_high).any()


@pytest.mark.parametrize("method", ["min", "max", "sum", "weighted-median"])
@pytest.mark.parametrize("n", [2, 9, 30])
def test_variance_of_plain_combinations(method, n):
    result = combine_cube(gaussian(n), Combine(method=method), FrameTerms.equal(n, noise=SIGMA**2))
    claimed = np.sqrt(np.mean(result.variance, dtype=np.float64))
    assert np.std(result.mean, dtype=np.float64) == pytest.approx(claimed, rel=0.02)


@pytest.mark.parametrize("signal", [0.0, 0.5, 3.0])
def test_chi_of_a_signal(signal):
    cube = gaussian(12) + np.float32(signal * SIGMA)
    one = np.ones(12, np.float32)
    result = combine_cube(cube, Combine(method="chi2"), FrameTerms(one, 0 * one, one, SIGMA**2 * one, 0 * one, 500.0))
    assert np.mean(result.mean**2, dtype=np.float64) == pytest.approx(1 + signal**2, rel=0.01)
    claimed = np.sqrt(np.mean(result.variance, dtype=np.float64))
    assert np.std(result.mean, dtype=np.float64) == pytest.approx(claimed, rel=0.07)


def test_chi_and_noise_need_a_noise():
    for method in ("chi2", "noise"):
        with pytest.raises(InputError, match=f"{method}: the noise of the frames is not known"):
            combine_cube(gaussian(5, m=10), Combine(method=method), FrameTerms.equal(5))


def test_averaged_measures_the_noise_of_each_row():
    """Rows of different levels: light noise in each; no noise model is given, and N is small."""
    rng = np.random.default_rng(6)
    level = np.array([100.0, 1000.0, 10_000.0])[:, None] * np.linspace(1, 3, 4000)
    cube = rng.poisson(level, (6, 3, 4000)).astype(np.float32)
    clean = combine_cube(cube, Combine(method="averaged"), FrameTerms.equal(6))
    assert (clean.rejected_low + clean.rejected_high).sum(axis=1) / 24_000 == pytest.approx([0.0037] * 3, abs=0.0025)
    cube[4, :, ::50] += 8 * np.sqrt(level[:, ::50])
    hit = combine_cube(cube, Combine(method="averaged"), FrameTerms.equal(6))
    assert hit.rejected_high[:, ::50].mean() > 0.98


def test_averaged_equals_noise_of_that_size():
    cube, terms, samples = lined(8)
    finite = np.isfinite(samples)
    steps = np.abs(samples[0::2] - samples[1::2])
    noise = (1.4826 * np.median(steps[np.isfinite(steps)])) ** 2 / 2
    level = np.median(samples[finite])
    model = Combine(method="noise", low=2.5, high=2.5)
    one = np.ones(8, np.float32)
    same = FrameTerms(
        terms.gain, terms.zero, terms.weight, np.float32(noise) * one, np.float32(noise / level) * one, level
    )
    equal = FrameTerms(terms.gain, terms.zero, terms.weight, 50 * one, 0 * one, 480.0)
    mine = combine_cube(cube, Combine(method="averaged", low=2.5, high=2.5), equal)
    np.testing.assert_array_equal(mine.kept, combine_cube(cube, model, same).kept)


@pytest.mark.parametrize(
    "method", ["mean", "sigma", "mad", "winsorized", "linear", "esd", "noise", "averaged", "percentile", "minmax"]
)
def test_kept_samples_carry_their_weights(method):
    """Mean and variance are those of the kept samples, whatever the method keeps."""
    cube, terms, samples = lined(15)
    cube[3, ::9] += 400
    samples[3, ::9] += 400 * terms.gain[3]
    result = combine_cube(cube, Combine(method=method), terms)
    one = np.ones(15, np.float32)
    alone = FrameTerms(terms.gain, terms.zero, one, terms.noise, terms.photons, terms.level)
    lowest = combine_cube(cube, Combine(method=method), alone)
    expected = np.full(cube.shape[1], np.nan, np.float32)
    for p in range(cube.shape[1]):
        values = samples[:, p]
        order = np.argsort(values)[: np.isfinite(values).sum()]
        kept = order[result.rejected_low[p] : len(order) - result.rejected_high[p]]
        assert len(kept) == result.kept[p] == lowest.kept[p]
        if len(kept):
            w = terms.weight[kept].astype(np.float64)
            assert result.mean[p] == pytest.approx((w * values[kept]).sum() / w.sum(), rel=1e-5)
            expected[p] = (w**2 * terms.noise[kept]).sum() / w.sum() ** 2
    correct_variance(expected, result.measured, Combine(method=method).resolved(15), terms)
    np.testing.assert_allclose(result.variance, expected, rtol=1e-4)


def test_median_factor_of_one_and_two_is_one():
    assert median_factors(2).tolist() == [1.0, 1.0, 1.0]
