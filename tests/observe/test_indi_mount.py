"""Mounts of INDI against a server of our own."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import GuidePort, Mount
from firstlight.observe.indi import IndiServer
from firstlight.observe.indi_mount import IndiMount
from firstlight.observe.of_date import to_date
from mock_indi import MockIndi

pytest.importorskip("indipyclient")


@pytest.fixture
def server():
    with MockIndi() as mock:
        mock.device("Mount")
        mock.add("Mount", "EQUATORIAL_EOD_COORD", "number", {"RA": 1.0, "DEC": 10.0})
        mock.add("Mount", "ON_COORD_SET", "switch", {"TRACK": False, "SLEW": True, "SYNC": False})
        mock.add("Mount", "TELESCOPE_PARK", "switch", {"PARK": False, "UNPARK": True})
        mock.add("Mount", "TELESCOPE_PIER_SIDE", "switch", {"PIER_EAST": False, "PIER_WEST": True}, perm="ro")
        mock.add("Mount", "TELESCOPE_TRACK_STATE", "switch", {"TRACK_ON": True, "TRACK_OFF": False})
        mock.add("Mount", "TELESCOPE_ABORT_MOTION", "switch", {"ABORT": False})
        mock.add("Mount", "TELESCOPE_TIMED_GUIDE_NS", "number", {"TIMED_GUIDE_N": 0, "TIMED_GUIDE_S": 0})
        mock.add("Mount", "TELESCOPE_TIMED_GUIDE_WE", "number", {"TIMED_GUIDE_W": 0, "TIMED_GUIDE_E": 0})
        yield mock


def test_goto_waits_for_the_arrival_and_counts_from_the_equinox_of_date(server):
    def slewing(mock, values):
        def slew():
            # What was told before it began to move.
            mock.tell("Mount", "EQUATORIAL_EOD_COORD", {}, "Ok")
            time.sleep(0.1)
            mock.tell("Mount", "EQUATORIAL_EOD_COORD", {"RA": 5.0}, "Busy")
            time.sleep(0.1)
            mock.tell("Mount", "EQUATORIAL_EOD_COORD", values, "Ok")

        threading.Thread(target=slew).start()

    server.on("Mount", "EQUATORIAL_EOD_COORD", slewing)
    with IndiServer(server.address, 5) as indi:
        mount = IndiMount(indi, "Mount")
        assert isinstance(mount, Mount)
        assert isinstance(mount, GuidePort)
        mount.goto(302.7, 38.3)
        assert mount.position == pytest.approx((302.7, 38.3), abs=1e-5)
        assert (mount.pier_side, mount.tracking, mount.parked) == ("west", True, False)
    sent = dict(server.received)
    there = sent["EQUATORIAL_EOD_COORD"]
    assert (there["RA"] * 15, there["DEC"]) == pytest.approx(to_date(302.7, 38.3, datetime.now(UTC)), abs=1e-4)
    assert sent["ON_COORD_SET"]["TRACK"] is True


def test_sync_is_followed_by_a_mount_that_goes_again(server):
    with IndiServer(server.address, 5) as indi:
        mount = IndiMount(indi, "Mount")
        mount.sync(20.0, 30.0)
        assert indi.get("Mount", "ON_COORD_SET").on == "TRACK"
    modes = [next(k for k, v in values.items() if v) for name, values in server.received if name == "ON_COORD_SET"]
    assert modes == ["SYNC", "TRACK"]


def test_a_slew_that_fails_is_stopped(server):
    where = "Mount", "EQUATORIAL_EOD_COORD"
    server.on(*where, lambda mock, values: mock.tell(*where, {}, "Alert", "below horizon"))
    with IndiServer(server.address, 5) as indi:
        with pytest.raises(EquipmentError, match="below horizon"):
            IndiMount(indi, "Mount").goto(302.7, 38.3)
        time.sleep(0.1)
    assert server.received[-1] == ("TELESCOPE_ABORT_MOTION", {"ABORT": True})


def test_a_parked_mount_stays(server):
    server.add("Mount", "TELESCOPE_PARK", "switch", {"PARK": True, "UNPARK": False})
    with IndiServer(server.address, 5) as indi:
        mount = IndiMount(indi, "Mount")
        for act in (mount.goto, mount.sync):
            with pytest.raises(EquipmentError, match="is parked; unpark it first"):
                act(1.0, 2.0)
        mount.unpark()
        assert not mount.parked
    assert not [name for name, _ in server.received if name == "EQUATORIAL_EOD_COORD"]


def test_pulses_last_as_long_as_they_should(server):
    with IndiServer(server.address, 5) as indi:
        mount = IndiMount(indi, "Mount")
        began = time.monotonic()
        mount.pulse(0.2, -0.35)
        assert 0.35 <= time.monotonic() - began < 1.5
    sent = dict(server.received)
    assert sent["TELESCOPE_TIMED_GUIDE_NS"] == {"TIMED_GUIDE_N": 200.0, "TIMED_GUIDE_S": 0.0}
    assert sent["TELESCOPE_TIMED_GUIDE_WE"] == {"TIMED_GUIDE_W": 350.0, "TIMED_GUIDE_E": 0.0}


def test_a_pulse_that_fails_is_ended(server):
    def refuse(mock, values):
        if any(values.values()):
            mock.tell("Mount", "TELESCOPE_TIMED_GUIDE_WE", values, "Busy")
            mock.tell("Mount", "TELESCOPE_TIMED_GUIDE_NS", {}, "Alert", "limit")

    server.on("Mount", "TELESCOPE_TIMED_GUIDE_WE", refuse)
    server.on("Mount", "TELESCOPE_TIMED_GUIDE_NS", lambda mock, values: None)
    with IndiServer(server.address, 5) as indi:
        mount = IndiMount(indi, "Mount")
        with pytest.raises(EquipmentError, match=r"guide pulse of 0\.5 s: refused: limit"):
            mount.pulse(0.5, 0.5)
        time.sleep(0.1)
    assert server.received[-1] == ("TELESCOPE_TIMED_GUIDE_WE", {"TIMED_GUIDE_W": 0.0, "TIMED_GUIDE_E": 0.0})
