"""A2: the noise of a combination is what theory says, and clipping costs next to nothing."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube, median_factors

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


@pytest.mark.parametrize("method", ["sigma", "winsorized"])
@pytest.mark.parametrize("n", [15, 20, 40, 60])
def test_clipping_costs_little(method, n):
    noise, result = noise_of(method, n)
    assert noise == pytest.approx(SIGMA / np.sqrt(n), rel=0.02)
    assert np.sum(result.hits) / (n * result.mean.size) <= 0.006


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


def test_median_factor_of_one_and_two_is_one():
    assert median_factors(2).tolist() == [1.0, 1.0, 1.0]
