"""Gain and read noise against detectors whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.ops.inspect.transfer import (
    Points,
    breaking_point,
    clipped_noise,
    fit_transfer,
    pair_gain,
    pair_noise,
    transfer_points,
)

GAIN, READ, BIAS = 1.7, 9.0, 800.0


def flats(level, rng, *, size=(300, 400), ratio=1.0, well=np.inf):
    """Two flats (adu) of a mean of so many electrons; the lamp changes by ``ratio``, vignetting is 30 %."""
    y, x = np.mgrid[: size[0], : size[1]]
    field = 1 - 0.3 * np.hypot(y - size[0] / 2, x - size[1] / 2) / np.hypot(*size) * 2
    field = field * (1 + 0.02 * np.random.default_rng(5).standard_normal(size))
    return [
        np.rint(
            np.minimum(rng.poisson(field * level * r), well) / GAIN + rng.normal(0, READ / GAIN, size) + BIAS
        ).astype(np.float32)
        for r in (1.0, ratio)
    ]


def points(levels, seed=1, **options):
    rng = np.random.default_rng(seed)
    return Points.join([transfer_points(*flats(level, rng, **options), BIAS) for level in levels])


def test_one_pair_gives_the_gain_within_one_per_cent():
    assert pair_gain(points([20000]), (READ / GAIN) ** 2 + 1 / 12) == pytest.approx(GAIN, rel=0.01)


def test_a_lamp_that_changes_between_the_frames_does_no_harm():
    assert pair_gain(points([20000], ratio=0.8), (READ / GAIN) ** 2 + 1 / 12) == pytest.approx(GAIN, rel=0.01)


def test_the_curve_gives_gain_and_read_noise_without_any_bias_noise():
    fit = fit_transfer(points([200, 800, 3000, 10000, 30000]), None)
    assert fit.gain == pytest.approx(GAIN, rel=0.01)
    assert fit.gain_error < 0.01 * GAIN
    assert fit.read_variance == pytest.approx((READ / GAIN) ** 2, rel=0.05)
    assert fit.chi2 == pytest.approx(1, abs=0.15)
    assert fit.bend == 0


def test_errors_are_what_many_measurements_scatter_by():
    fits = [fit_transfer(points([5000, 20000], seed, size=(128, 160)), (READ / GAIN) ** 2) for seed in range(40)]
    scatter = np.std([fit.gain for fit in fits])
    assert np.mean([fit.gain_error for fit in fits]) == pytest.approx(scatter, rel=0.35)
    assert np.mean([fit.gain for fit in fits]) == pytest.approx(GAIN, abs=4 * scatter / 40**0.5)


def test_full_pixels_end_the_curve():
    many = points([2000, 8000, 16000, 24000, 32000, 40000, 48000, 60000, 70000], well=45000)
    breaks = breaking_point(many)
    assert breaks * GAIN == pytest.approx(45000, rel=0.1)
    assert fit_transfer(many, (READ / GAIN) ** 2, breaks).gain == pytest.approx(GAIN, rel=0.01)
    assert breaking_point(points([2000, 8000, 16000])) is None


def test_bright_pixels_that_share_their_charge_bend_the_curve():
    signal = np.geomspace(50, 30000, 400)
    count = np.full(400, 1000.0)
    truth = 25 + signal / GAIN - 3e-6 * signal**2
    noise = np.random.default_rng(3).normal(0, np.sqrt(2 / count) * truth)
    fit = fit_transfer(Points(signal, truth + noise, count), 25.0)
    assert fit.gain == pytest.approx(GAIN, rel=0.01)
    assert fit.bend == pytest.approx(-3e-6, rel=0.2)


def test_without_a_bias_noise_one_level_tells_nothing():
    assert fit_transfer(Points(np.full(50, 1000.0), np.full(50, 600.0), np.full(50, 1000.0)), None) is None


@pytest.mark.parametrize("sigma", [0.6, 3.0, 20.0])
def test_read_noise_of_a_pair_within_two_per_cent(sigma):
    rng = np.random.default_rng(4)
    one, two = (np.rint(500 + rng.normal(0, sigma, (250, 250))) for _ in range(2))
    one.flat[:40] += 3000
    assert pair_noise(one, two) == pytest.approx(np.hypot(sigma, 12**-0.5), rel=0.02)


def test_clipping_is_made_up_for():
    values = np.random.default_rng(5).normal(0, 7, 2_000_000)
    assert clipped_noise(values)[1] == pytest.approx(7, rel=2e-3)
