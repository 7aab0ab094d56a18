"""Channels mixed and shifted, against the plain formulas."""

import numpy as np
import pytest

from firstlight.kernels.mixing import ADD, MULT, SMOOTH, hold_channel, mix_channels, shift_plane

X = np.random.default_rng(3).normal(1, 0.5, (3, 5001)).astype(np.float32)


def test_mixed_is_the_product_and_unused_channels_leave_nothing():
    matrix = np.array([[0.5, 0.25, 0], [0, 0, 0], [0, 2, -1]], np.float32)
    x = X.copy()
    x[0, 7], x[2, 9] = np.nan, np.inf
    out = np.empty_like(x)
    mix_channels(x, 0, x.shape[1], matrix, out)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(out[0], 0.5 * x[0] + 0.25 * x[1], rtol=1e-6)
        np.testing.assert_allclose(out[2], 2 * x[1] - x[2], rtol=1e-5, atol=1e-6)
    assert not out[1].any()


@pytest.mark.parametrize("mode", [SMOOTH, ADD, MULT])
def test_variance_follows_the_slope_of_the_shift(mode):
    x = np.linspace(0, 10, 4001, dtype=np.float32)
    numbers = tuple(np.float32(n) for n in (1.0, 0.3, 2.0, 0.2))
    out, spread, nothing = np.empty_like(x), np.empty_like(x), np.empty(0, np.float32)
    shift_plane(x, np.full_like(x, 4.0), *numbers, mode, out, spread)
    slope = np.gradient(out.astype(float), x.astype(float))
    corner = (np.abs(x - 3) < 0.02) | (np.abs(x - 5) < 0.02)
    np.testing.assert_allclose(spread[~corner], 4 * slope[~corner] ** 2, rtol=0.01)
    alone = np.empty_like(x)
    shift_plane(x, nothing, *numbers, mode, alone, nothing)
    np.testing.assert_array_equal(alone, out)


def test_a_channel_without_its_others_stays():
    x = X[:, :40].copy()
    x[0, 3] = np.nan
    out = np.empty_like(x)
    for mode in range(5):
        hold_channel(x, 0, 40, 1, np.array([0, 2]), mode, np.float32(1), np.float32(0.7), out)
        assert out[1, 3] == x[1, 3]
        assert np.isfinite(out[1]).all()
