"""PHD2's server, imitated on this machine."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Dithering
from firstlight.observe.guiding.phd2 import Phd2
from firstlight.observe.guiding.settings import Settle

SETTLE = Settle(pixels=1.5, seconds=1.0, timeout=2.0)


class Server:
    """Speaks PHD2's protocol to one client: a line of JSON each, ended by CR LF."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked: list[tuple[str, Any]] = []
        self.connected, self.settles, self.silent = False, True, False
        self.state = "Stopped"
        self.client: socket.socket | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        # Tests end connections at any moment.
        with contextlib.suppress(OSError, ValueError):
            self._talk()

    def _talk(self) -> None:
        self.client, _ = self._listening.accept()
        self.event("Version", PHDVersion="2.6.13", PHDSubver="", MsgVersion=1)
        self.event("AppState", State=self.state)
        with self.client.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                self.asked.append((request["method"], request.get("params")))
                if not self.silent:
                    self._answer(request)

    def _answer(self, request: dict[str, Any]) -> None:
        method = request["method"]
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if method == "get_connected":
            self.send(reply | {"result": self.connected})
            return
        if method == "dither" and self.state != "Guiding":
            self.send(reply | {"error": {"code": 1, "message": "cannot dither when not guiding"}})
            return
        self.send(reply | {"result": 0})
        if method == "set_connected":
            self.connected = True
        elif method == "stop_capture":
            self.state = "Stopped"
            self.event("GuidingStopped")
            self.event("LoopingExposuresStopped")
        elif method in ("guide", "dither"):
            self.state = "Guiding"
            self.event("SettleBegin")
            self.event("GuideStep", Frame=1, Time=2.0, AvgDist=0.4, dx=0.1, dy=0.2)
            self.event("Settling", Distance=0.4, Time=1.0, SettleTime=1.0, StarLocked=True)
            failed = {} if self.settles else {"Error": "timed-out waiting for guider to settle"}
            self.event("SettleDone", Status=0 if self.settles else 1, TotalFrames=3, DroppedFrames=0, **failed)

    def event(self, name: str, **more: Any) -> None:
        self.send({"Event": name, "Timestamp": 1.0, "Host": "here", "Inst": 1, **more})

    def send(self, message: dict[str, Any]) -> None:
        if self.client is not None:
            self.client.sendall(json.dumps(message).encode() + b"\r\n")

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
        self._listening.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def phd2(server) -> Iterator[Phd2]:
    client = Phd2("127.0.0.1", server.port, SETTLE)
    yield client
    client.close()


def test_connect_guide_dither_stop(server, phd2):
    dithering: Dithering = phd2
    assert (phd2.version, phd2.state) == ("2.6.13", "Stopped")
    assert not dithering.settled()
    dithering.start()
    assert dithering.settled()
    assert phd2.distance == 0.4
    dithering.dither(5.0)
    assert dithering.settled()
    dithering.stop()
    assert not dithering.settled()
    wanted = {"pixels": 1.5, "time": 1.0, "timeout": 2.0}
    assert server.asked == [
        ("get_connected", None),
        ("set_connected", [True]),
        ("guide", {"settle": wanted, "recalibrate": False}),
        ("dither", {"amount": 5.0, "raOnly": False, "settle": wanted}),
        ("stop_capture", None),
    ]


def test_not_settling_in_time_is_no_error_and_known(server, phd2):
    server.settles = False
    phd2.start()
    assert not phd2.settled()
    assert "timed-out" in phd2.problem


def test_refusals_carry_the_words_of_phd2(phd2):
    with pytest.raises(EquipmentError, match="cannot dither when not guiding"):
        phd2.dither(5.0)


def test_a_lost_star_is_not_settled(server, phd2):
    phd2.start()
    server.event("StarLost", Frame=9, ErrorCode=2, Status="low SNR")
    end = time.monotonic() + 2.0
    while phd2.settled() and time.monotonic() < end:
        time.sleep(0.01)
    assert phd2.state == "LostLock"
    assert not phd2.settled()


def test_a_server_that_does_not_answer(server, phd2):
    server.silent = True
    with pytest.raises(EquipmentError, match=r"does not answer 'get_exposure' within 0\.2 s"):
        phd2.call("get_exposure", timeout=0.2)


def test_a_connection_that_breaks(server, phd2):
    server.client.shutdown(socket.SHUT_RDWR)
    with pytest.raises(EquipmentError, match="connection was lost"):
        phd2.call("get_exposure")
    assert not phd2.settled()


def test_nobody_there():
    with pytest.raises(EquipmentError, match="Enable Server"):
        Phd2("127.0.0.1", 9)
