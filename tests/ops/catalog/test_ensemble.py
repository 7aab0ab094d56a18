"""Ensembles against truth: zero points, planes, gaps, variable stars, errors."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.ops.catalog.ensemble import robust_sigma, solve_ensemble


def night(n_frames=60, n_stars=15, noise=0.004, seed=1):
    rng = np.random.default_rng(seed)
    zero = np.cumsum(rng.normal(0, 0.05, n_frames))
    mean = rng.uniform(-12, -9, n_stars)
    error = np.full((n_frames, n_stars), noise)
    return zero - zero.mean(), mean, zero[:, None] + mean + rng.normal(0, noise, error.shape), error


def test_zero_points_and_their_errors():
    zero, _, m, error = night()
    found = solve_ensemble(m, error)
    pulls = (found.zero - zero) / found.zero_at(np.zeros((1, 2)))[1][:, 0]
    assert 0.7 < pulls.std() < 1.25
    assert found.excess.max() < 0.003


def test_gaps_do_not_shift_frames_that_lack_the_bright_stars():
    zero, _, m, error = night()
    m[20:40, :8] = np.nan
    found = solve_ensemble(m, error)
    assert np.abs(found.zero - zero).max() < 0.006


def test_a_variable_star_loses_its_say_and_shows_its_scatter():
    zero, _, m, error = night(noise=0.002)
    m[:, 3] += 0.3 * np.sin(np.arange(60) / 5)
    found = solve_ensemble(m, error)
    # 1.4826 times the median of |sin|.
    assert found.excess[3] == pytest.approx(0.3 * 1.4826 * np.sqrt(0.5), rel=0.1)
    assert found.excess.argmax() == 3
    assert np.abs(found.zero - zero).max() < 0.004


def test_one_wild_point_is_left_out():
    zero, _, m, error = night(noise=0.002)
    m[10, 2] -= 0.8
    assert abs(solve_ensemble(m, error).zero[10] - zero[10]) < 0.003


def test_each_star_apart_scatters_as_expected():
    _, _, m, error = night(n_frames=400, n_stars=6)
    found = solve_ensemble(m, error)
    np.testing.assert_allclose(found.apart.std(axis=0), found.expected, rtol=0.12)


def test_a_plane_takes_a_gradient_that_turns():
    zero, _, m, error = night(n_stars=30, noise=0.002)
    rng = np.random.default_rng(5)
    places = rng.uniform(0, 1000, (30, 2))
    slope = np.linspace(-0.03, 0.03, 60)
    m += slope[:, None] * (places[:, 0] - 500) / 500
    plane = solve_ensemble(m, error, places, plane=True)
    assert np.median(plane.scatter) < 0.003 < np.median(solve_ensemble(m, error, places).scatter)
    at, spread = plane.zero_at(np.array([[900.0, 500.0]]))
    expected = zero + slope * 0.8
    assert np.abs(at[:, 0] - expected - (at[:, 0] - expected).mean()).max() < 5 * spread.max()


def test_nothing_in_common_is_refused():
    with pytest.raises(FrameError, match="two frames"):
        solve_ensemble(np.eye(3) * np.nan, np.ones((3, 3)))


def test_robust_sigma_of_few_values_is_not_too_small():
    values = np.random.default_rng(3).normal(0, 1, (7, 4000))
    assert np.mean(robust_sigma(values)) == pytest.approx(1, abs=0.05)
