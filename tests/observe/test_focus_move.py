"""Backlash: positions mean the same from wherever they are reached."""

from __future__ import annotations

import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.focus_move import approach, check_reach
from firstlight.observe.simulated import SimulatedFocuser


@pytest.mark.parametrize("start", [29000, 30500, 35000])
def test_the_tube_follows_from_either_side(start):
    focuser = SimulatedFocuser(backlash=150)
    focuser.move_to(start)
    approach(focuser, 31000, 150)
    assert (focuser.position, focuser.tube) == (31000, 31000.0)


def test_from_below_and_at_the_limits():
    focuser = SimulatedFocuser(backlash=150)
    approach(focuser, 29000, 150, "up")
    assert focuser.tube == 29000 - 150
    approach(focuser, 60000, 150)
    assert focuser.position == 60000
    with pytest.raises(EquipmentError, match="0 to 60000 is allowed"):
        check_reach(focuser, -1)
