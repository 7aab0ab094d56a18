"""PHD2 as the guider, through its server (JSON-RPC on port 4400)."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import Any

from firstlight.errors import EquipmentError
from firstlight.observe.guiding.settings import Settle

PORT = 4400
ANSWER = 10.0
"""s within which PHD2 answers a request."""
CALIBRATION = 900.0
"""s that a calibration may take before guiding settles."""
STATES = {
    "GuideStep": "Guiding", "Paused": "Paused", "StartCalibration": "Calibrating", "Calibrating": "Calibrating",
    "LoopingExposures": "Looping", "LoopingExposuresStopped": "Stopped", "GuidingStopped": "Stopped",
    "StarLost": "LostLock", "StartGuiding": "Guiding",
}  # fmt: skip
"""What an event says of the state of PHD2."""
HELP = "start PHD2, and switch on Tools, Enable Server"


class Phd2:
    """A running PHD2, as `Dithering`: start, dither, stop, settled."""

    def __init__(
        self, host: str = "localhost", port: int = PORT, settle: Settle = Settle(), calibration: float = CALIBRATION
    ) -> None:
        """Connects at once.

        Raises
        ------
        EquipmentError
            Nobody answers there.
        """
        self.where, self.settle, self._calibration = f"PHD2 at {host}:{port}", settle, calibration
        try:
            self._socket = socket.create_connection((host, port), timeout=ANSWER)
        except OSError as error:
            raise EquipmentError(f"{self.where}: {error.strerror or error}; {HELP}") from error
        self._socket.settimeout(None)
        self._changed = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}
        self._number = 0
        self._gone = ""
        self.version = ""
        self.state = ""
        """PHD2's own word: Stopped, Selected, Calibrating, Guiding, LostLock, Paused, Looping."""
        self.distance = 0.0
        """px; a running mean of the star's distance from its place."""
        self.problem = ""
        """Why it did not settle, or the last alert."""
        self._settle_done: dict[str, Any] | None = None
        threading.Thread(target=self._listen, name="PHD2", daemon=True).start()
        with self._changed:
            self._until(lambda: bool(self.state), ANSWER, "does not say what it is doing")

    def start(self) -> None:
        """Connect PHD2's equipment where needed, guide (it calibrates where needed), and wait until it has settled.

        Where it does not settle in time this returns too, and `settled` is False.
        """
        if not self.call("get_connected"):
            self.call("set_connected", [True], timeout=60.0)
        self._settling("guide", {"settle": self._wanted(), "recalibrate": False}, self._calibration)
        if self.state in ("Stopped", "Selected", "Looping"):
            raise EquipmentError(f"{self.where}: guiding did not begin: {self.problem or 'no reason given'}")

    def dither(self, pixels: float) -> None:
        """Move to a random place, and wait until that has settled."""
        self._settling("dither", {"amount": pixels, "raOnly": False, "settle": self._wanted()}, 30.0)

    def stop(self) -> None:
        """End guiding and exposures."""
        self.call("stop_capture")
        with self._changed:
            self._until(lambda: self.state == "Stopped", ANSWER, "goes on after it was told to stop")

    def settled(self) -> bool:
        """Whether PHD2 guides, and has settled."""
        with self._changed:
            done = self._settle_done
            return not self._gone and self.state == "Guiding" and done is not None and done.get("Status") == 0

    def check(self) -> None:
        """Nothing, while PHD2 is there and has not stopped.

        Raises
        ------
        EquipmentError
            It is gone, or guides no more.
        """
        with self._changed:
            if self._gone:
                raise EquipmentError(f"{self.where}: {self._gone}; {HELP}")
            if self.state == "Stopped":
                raise EquipmentError(f"{self.where}: has stopped guiding; look at its window")

    def close(self) -> None:
        """End the connection; PHD2 goes on with what it does."""
        with self._changed:
            self._gone = "the connection was closed"
        # It may be gone already.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def call(self, method: str, params: Any = None, timeout: float = ANSWER) -> Any:
        """One request and its answer.

        Raises
        ------
        EquipmentError
            PHD2 refuses, does not answer in time, or is gone.
        """
        with self._changed:
            if self._gone:
                raise EquipmentError(f"{self.where}: {self._gone}; {HELP}")
            self._number += 1
            number = self._number
            request = {"method": method, "id": number, **({} if params is None else {"params": params})}
            try:
                self._socket.sendall(json.dumps(request).encode() + b"\r\n")
            except OSError as error:
                raise EquipmentError(f"{self.where}: {error.strerror or error}; {HELP}") from error
            self._until(lambda: number in self._answers, timeout, f"does not answer {method!r}")
            answer = self._answers.pop(number)
        if "error" in answer:
            error = answer["error"]
            told = error.get("message", error) if isinstance(error, dict) else error
            raise EquipmentError(f"{self.where}: {method}: {told}")
        return answer.get("result")

    def _wanted(self) -> dict[str, float]:
        s = self.settle
        return {"pixels": s.pixels, "time": s.seconds, "timeout": s.timeout}

    def _settling(self, method: str, params: dict[str, Any], more: float) -> None:
        with self._changed:
            self._settle_done, self.problem = None, ""
        self.call(method, params)
        with self._changed:
            limit = self.settle.timeout + more
            self._until(lambda: self._settle_done is not None, limit, f"does not say whether {method!r} has settled")
            if self._settle_done and self._settle_done.get("Status") != 0:
                self.problem = str(self._settle_done.get("Error", "did not settle"))

    def _until(self, come: Any, seconds: float, otherwise: str) -> None:
        """Wait for something that the listener brings; the lock is held."""
        end = time.monotonic() + seconds
        while not come():
            if self._gone:
                raise EquipmentError(f"{self.where}: {self._gone}; {HELP}")
            left = end - time.monotonic()
            if left <= 0:
                raise EquipmentError(f"{self.where}: {otherwise} within {seconds:g} s; look at its window")
            self._changed.wait(left)

    def _listen(self) -> None:
        reason = "the connection was lost"
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    try:
                        message = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(message, dict):
                        with self._changed:
                            self._take(message)
                            self._changed.notify_all()
        except (OSError, ValueError) as error:
            reason = f"the connection was lost: {error}"
        with self._changed:
            self._gone = self._gone or reason
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        if "Event" not in message:
            if isinstance(message.get("id"), int):
                self._answers[message["id"]] = message
            return
        event = message["Event"]
        if event == "AppState":
            self.state = str(message.get("State", ""))
        elif event == "Version":
            self.version = str(message.get("PHDVersion", ""))
        elif event == "SettleDone":
            self._settle_done = message
        elif event == "SettleBegin":
            self._settle_done = None
        elif event == "Alert" or event == "CalibrationFailed":
            self.problem = str(message.get("Msg") or message.get("Reason") or "")
        self.state = STATES.get(event, self.state)
        if "AvgDist" in message:
            self.distance = float(message["AvgDist"])


def phd2_at(where: str, settle: Settle = Settle()) -> Phd2:
    """PHD2 at ``HOST`` or ``HOST:PORT``.

    Raises
    ------
    EquipmentError
        The port is no number, or nobody answers there.
    """
    host, _, port = where.partition(":")
    if port and not port.isdigit():
        raise EquipmentError(f"PHD2 at {where}: the port is a number; HOST:{PORT} is usual")
    return Phd2(host or "localhost", int(port or PORT), settle)
