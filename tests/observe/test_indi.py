"""The connection, against a server of our own: what it knows, waits for, refuses and loses."""

from __future__ import annotations

import threading
import time

import pytest

from firstlight.errors import EquipmentError, InputError
from firstlight.observe.indi import IndiServer, server_address
from mock_indi import MockIndi

pytest.importorskip("indipyclient")


@pytest.fixture
def server():
    with MockIndi() as mock:
        mock.device("Cam")
        mock.device("Focus")
        mock.add("Focus", "POS", "number", {"P": 5000}, limits=(0, 10000))
        mock.add("Focus", "MODE", "switch", {"A": True, "B": False})
        mock.add("Focus", "NOTE", "text", {"N": "none"})
        yield mock


def test_devices_and_their_properties(server):
    with IndiServer(server.address, 5) as indi:
        assert indi.devices(0.2) == ("Cam", "Focus")
        found = indi.properties("Focus")["POS"]
        assert (found.kind, found.values, found.limits) == ("number", {"P": 5000.0}, {"P": (0.0, 10000.0)})
        indi.connect("Focus")
        assert indi.get("Focus", "CONNECTION").on == "CONNECT"
        assert indi.set("Focus", "POS", {"P": 123}).values == {"P": 123.0}
        assert indi.choose("Focus", "MODE", "B").values == {"A": False, "B": True}
        assert indi.set("Focus", "NOTE", {"N": "dusk"}).values == {"N": "dusk"}


def test_what_is_told_on_the_way_is_not_the_end(server):
    def slowly(mock, values):
        def move():
            mock.tell("Focus", "POS", {"P": 5000}, "Ok")
            for position in (5500, 6000):
                time.sleep(0.05)
                mock.tell("Focus", "POS", {"P": position}, "Busy")
            mock.tell("Focus", "POS", values, "Ok")

        threading.Thread(target=move).start()

    server.on("Focus", "POS", slowly)
    with IndiServer(server.address, 5) as indi:
        assert indi.set("Focus", "POS", {"P": 7000}).values == {"P": 7000.0}


def test_alert_is_an_error_with_what_the_driver_says(server):
    server.on("Focus", "POS", lambda mock, values: mock.tell("Focus", "POS", {}, "Alert", "motor stalled"))
    with IndiServer(server.address, 5) as indi, pytest.raises(EquipmentError, match=r"moving: refused: motor stalled"):
        indi.set("Focus", "POS", {"P": 7000}, doing="moving")


def test_silence_ends(server):
    server.on("Focus", "POS", lambda mock, values: None)
    with IndiServer(server.address, 5) as indi, pytest.raises(EquipmentError, match=r"moving: not done within 0\.3 s"):
        indi.set("Focus", "POS", {"P": 7000}, 0.3, "moving")


def test_a_driver_that_dies_is_told(server):
    server.on("Focus", "POS", lambda mock, values: mock.remove("Focus"))
    with IndiServer(server.address, 5) as indi, pytest.raises(EquipmentError, match="Focus: went away while moving"):
        indi.set("Focus", "POS", {"P": 7000}, 5, "moving")


def test_a_server_that_hangs_up_is_told_at_once(server):
    server.on("Focus", "POS", lambda mock, values: mock.hang_up())
    with IndiServer(server.address, 5) as indi:
        began = time.monotonic()
        with pytest.raises(EquipmentError, match="closed the connection"):
            indi.set("Focus", "POS", {"P": 7000}, 30, "moving")
        assert time.monotonic() - began < 3
        with pytest.raises(EquipmentError, match="closed the connection"):
            indi.get("Focus", "POS")


def test_wrong_requests_are_refused_before_they_are_sent(server):
    with IndiServer(server.address, 1) as indi:
        with pytest.raises(EquipmentError, match="P 20000; 0 to 10000 is allowed"):
            indi.set("Focus", "POS", {"P": 20000})
        with pytest.raises(EquipmentError, match="POS has no 'Q'; it has P"):
            indi.set("Focus", "POS", {"Q": 1})
        with pytest.raises(EquipmentError, match="no device 'Focuss'; did you mean Focus"):
            indi.connect("Focuss")
        with pytest.raises(EquipmentError, match="Focus: has no property SPEED"):
            indi.get("Focus", "SPEED", 0.1)
    assert not [name for name, _ in server.received if name == "POS"]


def test_what_a_driver_defines_late_is_waited_for(server):
    def connecting(mock, values):
        def define():
            mock.tell("Focus", "CONNECTION", values)
            for name in ("FIRST", "SECOND"):
                time.sleep(0.2)
                mock.add("Focus", name, "number", {"X": 1})

        threading.Thread(target=define).start()

    server.on("Focus", "CONNECTION", connecting)
    with IndiServer(server.address, 5) as indi:
        indi.connect("Focus")
        assert {"FIRST", "SECOND"} <= set(indi.properties("Focus"))


def test_nobody_there():
    with MockIndi() as mock:
        address = mock.address
    with pytest.raises(EquipmentError, match="refused; start it there"), IndiServer(address, 2):
        pass


@pytest.mark.parametrize("text", ["", "localhost:", "localhost:x", "localhost:0", "a:b:c:99999"])
def test_addresses_that_are_none(text):
    with pytest.raises(InputError, match="host:port is allowed"):
        server_address(text)
