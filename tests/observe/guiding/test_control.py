"""From offsets to pulses."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.control import Axis, Manner, axes_of
from firstlight.observe.guiding.gear import Gear
from firstlight.observe.guiding.settings import Control

CALIBRATION = Calibration(east=(3.0, 0.0), north=(0.0, 4.0), north_backlash=3.0)


def guide(axis: Axis, drift: float, noise: float, n: int, play: float = 0.0, seed: int = 1) -> np.ndarray:
    """True places of the axis, px, and the pulses, one row a frame of 2.5 s."""
    rng = np.random.default_rng(seed)
    gear, place, rows = Gear(play), 0.0, []
    for _ in range(n):
        pulse = axis.step(place + noise * rng.standard_normal(), 2.5, 2.0)
        place += axis.rate * gear.turn(pulse) + drift * 2.5
        rows.append((place, pulse))
    return np.array(rows)


def test_pulses_against_the_offset_within_their_limits():
    axis = Axis(4.0, Manner(aggressiveness=0.8, min_pulse=0.03))
    assert axis.step(1.0, 2.0, longest=2.0) == pytest.approx(-0.2)
    assert axis.step(-0.1, 2.0, longest=2.0) == 0.0
    assert axis.step(100.0, 2.0, longest=2.0) == -2.0


def test_the_drift_is_learned_and_anticipated():
    learning = guide(axes_of(CALIBRATION, Control())[0], drift=0.1, noise=0.0, n=200)
    plain = guide(axes_of(CALIBRATION, Control(ra_drift=0.0))[0], drift=0.1, noise=0.0, n=200)
    # A plain control always lags by the drift of one frame over its aggressiveness.
    assert plain[-50:, 0].mean() == pytest.approx(0.1 * 2.5 / 0.8, rel=0.2)
    assert abs(learning[-50:, 0].mean()) < 0.25 * plain[-50:, 0].mean() + 0.25


def test_declination_does_not_turn_for_noise():
    full = guide(axes_of(CALIBRATION, Control())[1], drift=-0.015, noise=0.3, n=400, play=3.0)
    plain = guide(Axis(4.0, Manner(aggressiveness=0.6, min_pulse=0.08)), drift=-0.015, noise=0.3, n=400, play=3.0)

    def turns(pulses: np.ndarray) -> int:
        given = pulses[pulses != 0]
        return int((given[1:] * given[:-1] < 0).sum())

    assert turns(full[:, 1]) <= 0.5 * turns(plain[:, 1])
    assert full[100:, 0].std() <= 1.1 * plain[100:, 0].std()


def test_backlash_is_taken_up_by_growing_pulses():
    axis = Axis(4.0, Manner(aggressiveness=0.6, min_pulse=0.08, smooth=0.4), backlash=3.0)
    gear, place, frames = Gear(3.0), 0.0, 0
    for _ in range(20):
        place += 4.0 * gear.turn(axis.step(place - 2.0, 2.5, 2.0)) - 0.03
    assert place == pytest.approx(2.0, abs=0.8)
    while place > 0.5 and frames < 60:
        place += 4.0 * gear.turn(axis.step(place, 2.5, 2.0))
        frames += 1
    # 3 s of play and 2 px at 0.6 of the offset: plain pulses of 0.3 s would take more than ten frames.
    assert frames <= 10
    assert place > -1.6


def test_one_direction_only():
    _, dec = axes_of(CALIBRATION, Control(dec_mode="north"))
    assert dec.step(-2.0, 2.0, 2.0) > 0
    assert dec.step(2.0, 2.0, 2.0) == 0.0
    _, dec = axes_of(CALIBRATION, Control(dec_mode="off"))
    assert dec.step(5.0, 2.0, 2.0) == 0.0


def test_after_a_loss_nothing_is_learned_from_the_gap():
    ra, _ = axes_of(CALIBRATION, Control(ra_drift=1.0))
    for _ in range(10):
        ra.step(0.0, 2.0, 2.0)
    ra.forget()
    ra.step(50.0, 2.0, 2.0)
    assert ra.drift == 0.0
