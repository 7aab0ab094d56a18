"""Comparison stars are chosen for their likeness and their rest."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.ops.catalog.comparison import choose, rank


def field(n=20, frames=50, seed=2):
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 500, (n, 2))
    mean = rng.uniform(-11, -9, n)
    zero = rng.normal(0, 0.1, frames)
    m = zero[:, None] + mean + rng.normal(0, 0.003, (frames, n))
    return m, np.full((frames, n), 0.003), places, mean


def test_restless_stars_are_dropped_and_one_is_the_check_star():
    m, error, places, mean = field()
    m[:, 4] += 0.05 * np.sin(np.arange(50))
    m[:, 9] += 0.1 * (np.arange(50) > 25)
    found = choose(m, error, places, np.arange(1, 20), like=float(mean[0]))
    assert set(found.dropped) == {4, 9}
    assert found.check not in found.stars
    assert found.check not in (4, 9)
    others = np.append(found.stars, found.check)
    assert abs(mean[found.check] - mean[0]) == np.abs(mean[others] - mean[0]).min()


def test_given_stars_are_all_taken():
    m, error, places, _ = field()
    m[:, 4] += 0.05 * np.sin(np.arange(50))
    found = choose(m, error, places, np.array([3, 4, 5]), given=True, check=7)
    assert found.stars.tolist() == [3, 4, 5]
    assert found.check == 7


def test_a_plane_is_taken_where_it_helps_alone():
    m, error, places, _ = field(n=40)
    assert not choose(m, error, places, np.arange(1, 40)).is_plane
    m += np.linspace(-0.02, 0.02, 50)[:, None] * (places[:, 1] - 250) / 250
    assert choose(m, error, places, np.arange(1, 40)).is_plane
    assert not choose(m, error, places, np.arange(1, 40), zero_point="constant").is_plane


def test_stars_as_bright_and_near_come_first():
    flux = np.array([100.0, 110.0, 10.0, 300.0, 105.0])
    places = np.array([[0, 0], [10, 0], [5, 0], [0, 8], [900, 0.0]])
    order = rank(flux, places, 0, np.ones(5, bool), 4, 500.0)
    assert order.tolist() == [3, 1, 4, 2]


def test_no_star_at_all_is_refused():
    m, error, places, _ = field()
    m[:20] = np.nan
    with pytest.raises(FrameError, match="--comparisons"):
        choose(m, error, places, np.arange(1, 20))
