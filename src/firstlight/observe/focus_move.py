"""Moving a focuser so that its gears always push from the same side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Focuser

Approach = Literal["down", "up"]
"""Whether positions are reached from above (counting down) or from below."""
SLACK = 1.5
"""Times the backlash that is driven past the goal."""


def approach(focuser: Focuser, position: int, backlash: int, way: Approach = "down") -> None:
    """Move to a position, coming from above (``down``) or below; past it and back where it lies the other way.

    >>> from firstlight.observe.simulated import SimulatedFocuser
    >>> focuser = SimulatedFocuser(backlash=80)
    >>> approach(focuser, 30500, 80)
    >>> focuser.position, focuser.tube
    (30500, 30500.0)
    """
    sign = 1 if way == "down" else -1
    past = position + sign * round(SLACK * backlash)
    least, most = focuser.limits
    if backlash and (position - focuser.position) * sign > 0:
        focuser.move_to(min(max(past, least), most))
    focuser.move_to(position)


def filter_shift(offsets: Mapping[str, int], old: str, new: str) -> int:
    """Steps from the focus of one filter to that of another; 0 where one of them has no offset.

    >>> filter_shift({"L": 0, "Ha": 120}, "Ha", "L"), filter_shift({"Ha": 120}, "Ha", "B")
    (-120, 0)
    """
    return offsets[new] - offsets[old] if old in offsets and new in offsets else 0


def check_reach(focuser: Focuser, position: int) -> None:
    """Refuse a position that the focuser does not have.

    Raises
    ------
    EquipmentError
        It is out of its limits.
    """
    least, most = focuser.limits
    if not least <= position <= most:
        raise EquipmentError(f"{focuser.name}: position {position}; {least} to {most} is allowed")
