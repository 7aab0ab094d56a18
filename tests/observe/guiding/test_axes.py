"""What a calibration says of the axes."""

from __future__ import annotations

import math

import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.guiding.axes import Calibration


def turned(rate: float, degrees: float) -> tuple[float, float]:
    return rate * math.cos(math.radians(degrees)), rate * math.sin(math.radians(degrees))


def test_components_and_places_on_the_sensor_undo_each_other():
    axes = Calibration(east=turned(3.0, 200.0), north=turned(4.0, 283.0))
    dx, dy = axes.on_sensor(2.5, -1.25)
    assert axes.components(dx, dy) == pytest.approx((2.5, -1.25))


def test_right_ascension_is_slower_towards_the_pole():
    axes = Calibration(east=turned(3.0, 20.0), north=turned(4.0, 110.0), dec=60.0).at(0.0, "")
    assert axes.rates == pytest.approx((6.0, 4.0))
    assert axes.dec == 0.0


def test_a_speed_of_the_pole_is_not_carried_elsewhere():
    assert Calibration((0.3, 0.0), (0.0, 4.0), dec=86.0).at(0.0, "").east == (0.3, 0.0)


def test_after_a_flip_east_turns_and_north_turns_only_where_the_mount_does():
    axes = Calibration((4.0, 0.0), (0.0, 4.0), pier_side="east")
    assert axes.at(None, "west").east == (-4.0, 0.0)
    assert axes.at(None, "west").north == (0.0, 4.0)
    assert axes.at(None, "west", reverse_dec=True).north == (0.0, -4.0)
    assert axes.at(None, "west").at(None, "east").east == (4.0, 0.0)


@pytest.mark.parametrize(
    ("east", "north", "told"),
    [
        ((0.001, 0.0), (0.0, 4.0), "right ascension"),
        ((4.0, 0.0), (0.0, 0.002), "declination"),
        ((4.0, 0.0), (0.0, 0.2), "factor of 10"),
        (turned(4.0, 0.0), turned(4.0, 40.0), "40 degrees apart"),
        # The sign that was not looked at before: nearly opposite is as wrong as nearly alike.
        (turned(4.0, 0.0), turned(4.0, 140.0), "140 degrees apart"),
        ((math.nan, 0.0), (0.0, 4.0), "calibrate again"),
    ],
)
def test_what_cannot_be_guided_with_is_refused(east, north, told):
    with pytest.raises(EquipmentError, match=told):
        Calibration(east, north).check()


def test_axes_that_are_not_quite_square_pass():
    assert Calibration(turned(4.0, 0.0), turned(4.0, 100.0)).check()
