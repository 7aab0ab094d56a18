"""Weights that follow the photon noise of the light: by hand, as efficient as theory allows, and without bias."""

import numpy as np
import pytest

from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube

LEVEL = 500.0
NOISE = np.array([9.0] * 6 + [400.0] * 6)
"""Variance of the background: half of the frames read out at a noisier gain."""
PHOTONS = np.full(12, 1.0)


def terms(by_light, noise=NOISE, photons=PHOTONS):
    as32 = (np.asarray(a, np.float32) for a in (np.ones(len(noise)), np.zeros(len(noise)), 1 / noise, noise, photons))
    return FrameTerms(*as32, LEVEL, by_light=by_light)


def frames(signal, n, seed=1):
    rng = np.random.default_rng(seed)
    sigma = np.sqrt(NOISE + PHOTONS * signal)[:, None]
    return (LEVEL + signal + rng.normal(0, 1, (12, n)) * sigma).astype(np.float32)


def test_by_hand():
    # Mean 1500 by the first weights: signal 1000; variances 100 + 1000 and 300 + 3 * 1000.
    cube = np.array([[1500.0], [1500.0]], np.float32)
    two = terms(True, np.array([100.0, 300.0]), np.array([1.0, 3.0]))
    result = combine_cube(cube, Combine(method="mean"), two)
    assert result.variance[0] == pytest.approx(1 / (1 / 1100 + 1 / 3300), rel=1e-5)
    cube = np.array([[1490.0], [1530.0]], np.float32)
    two = terms(True, np.array([100.0, 100.0]), np.array([1.0, 4.0]))
    # Equal first weights: signal 1010.
    weights = 1 / np.array([100 + 1010, 100 + 4 * 1010])
    result = combine_cube(cube, Combine(method="mean"), two)
    assert result.mean[0] == pytest.approx(np.average([1490, 1530], weights=weights), rel=1e-6)


@pytest.mark.parametrize("method", ["mean", "winsorized", "minmax"])
@pytest.mark.parametrize("signal", [0.0, 300.0, 20_000.0])
def test_noise_is_that_of_the_best_weights_and_the_claim_is_true(method, signal):
    cube = frames(signal, 40_000)
    result = combine_cube(
        cube, Combine(method=method, low=1, high=1) if method == "minmax" else Combine(method=method), terms(True)
    )
    best = 1 / np.sum(1 / (NOISE + PHOTONS * signal))
    if method != "minmax":
        assert np.var(result.mean) == pytest.approx(best, rel=0.03)
        assert np.median(result.variance) == pytest.approx(best, rel=0.03)
    plain = combine_cube(
        cube, Combine(method=method, low=1, high=1) if method == "minmax" else Combine(method=method), terms(False)
    )
    if signal > 1000:
        assert np.var(result.mean) < 0.8 * np.var(plain.mean)
    np.testing.assert_array_equal(result.kept, plain.kept)


@pytest.mark.parametrize("signal", [30.0, 300.0, 3000.0])
def test_faint_samples_are_not_favoured(signal):
    """Weights from each sample's own value would pull the mean down by about one photon variance per signal."""
    cube = frames(signal, 400_000, seed=2)
    error = combine_cube(cube, Combine(method="mean"), terms(True)).mean.mean(dtype=np.float64) - LEVEL - signal
    own = 1 / (NOISE[:, None] + np.maximum(cube - LEVEL, 0))
    biased = np.average(cube.astype(np.float64), axis=0, weights=own).mean() - LEVEL - signal
    assert biased < -0.4
    assert abs(error) < 0.06


def test_pixels_of_other_tiles_do_not_matter():
    cube = np.concatenate([frames(s, 50, seed=3) for s in (0.0, 5000.0, 100.0)], axis=1)
    cube[4, 20:90] = np.nan
    whole = combine_cube(cube, Combine(method="winsorized"), terms(True))
    part = combine_cube(cube[:, 37:119].copy(), Combine(method="winsorized"), terms(True))
    np.testing.assert_array_equal(whole.mean[37:119], part.mean)
    np.testing.assert_array_equal(whole.variance[37:119], part.variance)


def test_frames_that_are_alike_weigh_as_before():
    cube = frames(4000.0, 300)
    same = np.full(12, 9.0)
    one, other = (combine_cube(cube, Combine(method="mean"), terms(flag, same)) for flag in (True, False))
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-6)
    np.testing.assert_allclose(one.variance, other.variance, rtol=1e-5)


def test_missing_everywhere_is_missing():
    cube = np.full((12, 3), np.nan, np.float32)
    result = combine_cube(cube, Combine(method="winsorized"), terms(True))
    assert np.isnan(result.mean).all()
    assert (result.kept == 0).all()
