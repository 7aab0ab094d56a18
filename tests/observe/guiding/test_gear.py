"""The play of a gear."""

from __future__ import annotations

from firstlight.observe.guiding.gear import Gear


def test_play_is_lost_once_for_each_change_of_direction():
    gear = Gear(3.0)
    gear.engage(1.0)
    assert gear.turn(0.5) == 0.5
    assert gear.turn(-2.0) == 0.0
    assert gear.turn(-2.0) == -1.0
    assert gear.free(1.0) == 3.0
    assert gear.turn(3.5) == 0.5


def test_a_smaller_play_keeps_the_end_it_is_at():
    gear = Gear(3.0)
    gear.engage(1.0)
    gear.shrink(1.0)
    assert gear.free(1.0) == 0.0
    assert gear.free(-1.0) == 1.0
