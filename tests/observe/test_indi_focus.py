"""Wheels and focusers of INDI against a server of our own."""

from __future__ import annotations

import time

import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.indi import IndiServer
from firstlight.observe.indi_focus import IndiFocuser, IndiWheel
from mock_indi import MockIndi

pytest.importorskip("indipyclient")


@pytest.fixture
def server():
    with MockIndi() as mock:
        mock.device("Wheel")
        mock.add("Wheel", "FILTER_SLOT", "number", {"FILTER_SLOT_VALUE": 1}, limits=(1, 3))
        mock.add("Wheel", "FILTER_NAME", "text", {f"FILTER_SLOT_NAME_{i}": name for i, name in enumerate("RGB", 1)})
        mock.device("Focus")
        mock.add("Focus", "ABS_FOCUS_POSITION", "number", {"FOCUS_ABSOLUTE_POSITION": 500}, limits=(0, 10000))
        mock.add("Focus", "FOCUS_MAX", "number", {"FOCUS_MAX_VALUE": 8000})
        mock.add("Focus", "FOCUS_ABORT_MOTION", "switch", {"ABORT": False})
        yield mock


def test_filters_are_chosen_by_name(server):
    with IndiServer(server.address, 5) as indi:
        wheel = IndiWheel(indi, "Wheel")
        wheel.select("B")
        assert (wheel.names, wheel.current) == (("R", "G", "B"), "B")
        renamed = IndiWheel(indi, "Wheel", ["L", "Ha", "OIII"])
        assert renamed.current == "OIII"
        with pytest.raises(EquipmentError, match="no filter 'H'; did you mean Ha"):
            renamed.select("H")
        with pytest.raises(EquipmentError, match="4 names of filters; the wheel has 3"):
            IndiWheel(indi, "Wheel", "LRGB")


def test_the_focuser_moves_within_its_limits_and_is_stopped_where_it_fails(server):
    with IndiServer(server.address, 5) as indi:
        focuser = IndiFocuser(indi, "Focus")
        focuser.move_to(1234)
        assert (focuser.position, focuser.limits) == (1234, (0, 8000))
        with pytest.raises(EquipmentError, match="0 to 8000 is allowed"):
            focuser.move_to(8001)
        where = "Focus", "ABS_FOCUS_POSITION"
        server.on(*where, lambda mock, values: mock.tell(*where, {}, "Alert", "stalled"))
        with pytest.raises(EquipmentError, match="moving to 2000: refused: stalled"):
            focuser.move_to(2000)
        time.sleep(0.1)
    assert server.received[-1] == ("FOCUS_ABORT_MOTION", {"ABORT": True})
