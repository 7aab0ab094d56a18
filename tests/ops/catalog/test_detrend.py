"""Trends and events, fitted together."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.ops.catalog.detrend import Event, detrend

T = np.linspace(0.0, 0.3, 120)
EVENT = Event(0.1, 0.2, 0.01)


def star(seed=1, depth=0.02, noise=0.002):
    rng = np.random.default_rng(seed)
    airmass = 1 + 4 * (T - 0.12) ** 2 / 0.09
    x = np.cumsum(rng.normal(0, 0.2, len(T)))
    m = 11 + 0.015 * airmass - 0.004 * x + depth * EVENT.shape(T) + rng.normal(0, noise, len(T))
    return m, {"airmass": airmass, "x": x}


def test_an_event_and_trends_are_told_apart():
    pulls = []
    for seed in range(30):
        m, against = star(seed)
        found = detrend(m, np.full(len(T), 0.002), T, against, EVENT)
        pulls.append((found.depth[0] - 0.02) / found.depth[1])
        assert found.coefficients["airmass"][0] == pytest.approx(0.015, abs=5 * found.coefficients["airmass"][1])
    assert abs(np.mean(pulls)) < 0.6
    assert 0.6 < np.std(pulls) < 1.4


def test_what_is_left_is_noise():
    m, against = star()
    found = detrend(m, np.full(len(T), 0.002), T, against, EVENT)
    rest = found.magnitude - found.depth[0] * EVENT.shape(T)
    assert rest.std() == pytest.approx(0.002, rel=0.2)
    np.testing.assert_allclose(found.magnitude + found.trend, m)


def test_outliers_are_flagged_and_move_nothing():
    m, against = star()
    clean = detrend(m, np.full(len(T), 0.002), T, against, EVENT)
    m[[5, 70]] += 0.1
    found = detrend(m, np.full(len(T), 0.002), T, against, EVENT)
    assert np.flatnonzero(found.outliers).tolist() == [5, 70]
    assert found.depth[0] == pytest.approx(clean.depth[0], abs=5e-4)


def test_what_cannot_be_done_is_refused():
    m, _ = star()
    error = np.full(len(T), 0.002)
    with pytest.raises(InputError, match="fwhm is not known, or the same"):
        detrend(m, error, T, {"fwhm": np.full(len(T), 3.0)})
    with pytest.raises(InputError, match="begin or end within"):
        detrend(m, error, T, {}, Event(5.0, 6.0))
    with pytest.raises(InputError, match="take fewer trends"):
        detrend(m[:3], error[:3], T[:3], {"time": T[:3]})


@pytest.mark.parametrize("text", ["", "1", "a,b", "2,1", "1,1.1,100", "1,2,3,4"])
def test_events_are_two_or_three_numbers(text):
    with pytest.raises(InputError):
        Event.parse(text)
