"""Zero points, colour terms and extinction against truth; figure A8."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.ops.catalog.zero_point import COLOUR_AIRMASS, fit_zero_point


def stars(n=120, seed=1, zero=21.4, term=0.08, noise=0.01, intrinsic=0.015, bad=0.06):
    rng = np.random.default_rng(seed)
    colour = rng.uniform(0.2, 1.6, n)
    error = noise * rng.uniform(0.5, 2, n)
    catalog = rng.uniform(10, 14, n)
    m = catalog - zero - term * colour + error * rng.standard_normal(n) + intrinsic * rng.standard_normal(n)
    wrong = rng.uniform(size=n) < bad
    m[wrong] += rng.uniform(0.2, 2, wrong.sum())
    return m, error, catalog, colour


def test_the_zero_point_is_right_to_five_thousandths_and_its_error_true():
    pulls, off = [], []
    for seed in range(60):
        m, error, catalog, colour = stars(seed=seed)
        found = fit_zero_point(m, error, catalog, colour)
        truth = 21.4 + 0.08 * found.colour_zero
        pulls.append(
            ((found.zero - truth) / found.zero_error, (found.terms["colour"][0] - 0.08) / found.terms["colour"][1])
        )
        off.append(found.zero - truth)
    assert np.abs(off).max() < 0.008
    assert np.std(off) < 0.005
    assert abs(np.mean(off)) < 0.001
    assert np.all((np.std(pulls, axis=0) > 0.75) & (np.std(pulls, axis=0) < 1.25))


def test_scatter_beyond_the_errors_is_told():
    m, error, catalog, colour = stars(n=400, bad=0.0)
    found = fit_zero_point(m, error, catalog, colour)
    assert found.intrinsic == pytest.approx(0.015, rel=0.25)


def test_wrong_stars_are_left_out():
    m, error, catalog, colour = stars(n=200, bad=0.2)
    found = fit_zero_point(m, error, catalog, colour)
    wrong = m - (catalog - 21.4 - 0.08 * colour) > 0.15
    assert not found.used[wrong].any()


def test_without_a_range_of_colours_there_is_no_term():
    m, error, catalog, _ = stars(term=0.0)
    assert fit_zero_point(m, error, catalog, np.full(len(m), 0.7)).terms == {}
    assert fit_zero_point(m, error, catalog).colour_zero == 0


def test_calibrated_magnitudes_are_those_of_the_catalogue():
    m, error, catalog, colour = stars(noise=1e-4, intrinsic=0.0, bad=0.0)
    found = fit_zero_point(m, error, catalog, colour)
    np.testing.assert_allclose(found.calibrate(m, colour), catalog, atol=1e-3)
    unknown = found.calibrate(m[:1], np.array([np.nan]))
    assert unknown[0] == pytest.approx(m[0] + found.zero)


def test_extinction_and_its_second_order_from_several_airmasses():
    rng = np.random.default_rng(7)
    n, airmasses = 60, np.array([1.0, 1.2, 1.5, 1.9, 2.3])
    colour = np.tile(rng.uniform(0, 1.5, n), 5)
    catalog = np.tile(rng.uniform(10, 13, n), 5)
    air = np.repeat(airmasses, n)
    m = catalog - 21.0 - 0.05 * colour + 0.18 * air - 0.03 * air * colour + rng.normal(0, 0.006, 5 * n)
    found = fit_zero_point(m, np.full(5 * n, 0.006), catalog, colour, air)
    for name, truth in (("airmass", -0.18 + 0.03 * found.colour_zero), (COLOUR_AIRMASS, 0.03), ("colour", 0.05)):
        value, error = found.terms[name]
        assert value == pytest.approx(truth, abs=4 * error)
        assert error < 0.01
    np.testing.assert_allclose(found.calibrate(m, colour, air), catalog, atol=0.03)


def test_two_stars_are_too_few():
    with pytest.raises(FrameError, match="3 are needed"):
        fit_zero_point(np.array([1.0, 2.0]), np.array([0.1, 0.1]), np.array([20.0, 21.0]))
