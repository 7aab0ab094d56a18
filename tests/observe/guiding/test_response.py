"""Speed, play and drift out of places and pulses."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.observe.guiding.gear import Gear
from firstlight.observe.guiding.response import fit_response


def moved(play: float, noise: float = 0.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pulses = np.array([0, *[0.7] * 10, *[-0.7] * 14, *[0.7] * 14])
    gear = Gear(play)
    gear.engage(1.0)
    times = 2.7 * np.arange(len(pulses))
    axis = np.cumsum([gear.turn(p) for p in pulses])
    places = np.outer(axis, (2.0, -3.0)) + np.outer(times, (0.01, 0.02)) + noise * rng.standard_normal((len(pulses), 2))
    return times, pulses, places


@pytest.mark.parametrize("play", [0.0, 0.4, 3.0])
def test_exact_places_give_the_truth(play):
    found = fit_response(*moved(play), most=8.0)
    assert found.velocity == pytest.approx((2.0, -3.0), rel=0.005)
    assert found.drift == pytest.approx((0.01, 0.02), abs=0.002)
    assert found.backlash == pytest.approx(play, abs=0.03)


def test_noise_and_a_few_frames_of_something_else():
    times, pulses, places = moved(1.5, noise=0.3)
    places[[7, 20]] += (15.0, -9.0)
    found = fit_response(times, pulses, places, most=8.0)
    assert found.velocity == pytest.approx((2.0, -3.0), rel=0.02)
    assert found.backlash == pytest.approx(1.5, abs=0.15)
    assert found.error < 0.1
