"""nova.astrometry.net: plates solved by others, over the network; only when it is asked for."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.cards import parse_cards
from firstlight.io.open_fits import plate_of
from firstlight.model.plate import Plate

KEY = "ASTROMETRY_API_KEY"
SERVER = "ASTROMETRY_API_URL"
ADDRESS = "https://nova.astrometry.net"
PAUSE = 3.0
"""Seconds between two questions whether it is done."""


def with_nova(
    positions: np.ndarray,
    shape: tuple[int, int],
    bounds: Mapping[str, Any],
    seconds: float,
    image: Path | None = None,
    send: str = "both",
    pause: float = PAUSE,
) -> Plate:
    """Send the star list, and the image where that was not enough, and wait for the plate.

    Raises
    ------
    InputError
        There is no key.
    FrameError
        Not solved, not in time, or the server cannot be reached.
    """
    key = os.environ.get(KEY, "")
    if not key:
        raise InputError(f"solve: nova.astrometry.net needs a key; put yours into the environment as {KEY}")
    server = _Server(os.environ.get(SERVER, ADDRESS).rstrip("/"), time.monotonic() + seconds, seconds, pause)
    session = server.ask("login", {"apikey": key}).get("session")
    if not session:
        raise InputError(f"solve: {server.address} does not know the key in {KEY}")
    request = {
        "session": session, "allow_commercial_use": "n", "allow_modifications": "n", "publicly_visible": "n",
        "scale_units": "arcsecperpix", "scale_type": "ul", "scale_lower": bounds["smallest_scale"],
        "scale_upper": bounds["largest_scale"], "crpix_center": True, "tweak_order": 2,
    }  # fmt: skip
    if bounds["ra"] is not None and bounds["radius"] < 180:
        request |= {"center_ra": bounds["ra"], "center_dec": bounds["dec"], "radius": bounds["radius"]}
    if bounds["flipped"] is not None:
        request["parity"] = 1 if bounds["flipped"] else 0
    ways: list[Callable[[], dict[str, Any]]] = []
    if send in ("stars", "both"):
        stars = {
            "x": (positions[:, 0] + 1.0).round(3).tolist(), "y": (positions[:, 1] + 1.0).round(3).tolist(),
            "image_width": shape[1], "image_height": shape[0],
        }  # fmt: skip
        ways.append(lambda: server.ask("upload", {**request, **stars}))
    if send in ("image", "both") and image is not None:
        ways.append(lambda: server.ask("upload", request, image))
    reason = "nothing was sent"
    for way in ways:
        job, reason = server.wait(way())
        if job is not None:
            return server.plate(job)
    raise FrameError(f"solve: nova.astrometry.net did not solve it: {reason}")


class _Server:
    def __init__(self, address: str, end: float, seconds: float, pause: float) -> None:
        self.address, self.end, self.seconds, self.pause = address, end, seconds, pause

    def left(self) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise FrameError(f"solve: {self.address} has not solved it after {self.seconds:g} s; raise --timeout")
        return left

    def fetch(self, path: str, data: bytes | None = None, kind: str = "") -> bytes:
        question = urllib.request.Request(f"{self.address}/{path}", data, {"Content-Type": kind} if kind else {})
        try:
            with urllib.request.urlopen(question, timeout=min(self.left(), 30.0)) as answer:
                parts = []
                # In pieces: a server that sends a byte now and then may not hold us longer than the time there is.
                while part := answer.read1(65536):
                    parts.append(part)
                    self.left()
                whole = b"".join(parts)
                if len(whole) < int(answer.headers.get("Content-Length") or 0):
                    raise ConnectionError("the answer was cut off")
                return whole
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise FrameError(f"solve: {self.address} cannot be reached: {reason}") from error

    def ask(self, what: str, request: Mapping[str, Any], image: Path | None = None) -> dict[str, Any]:
        text = json.dumps(request)
        if image is None:
            body, kind = urllib.parse.urlencode({"request-json": text}).encode(), "application/x-www-form-urlencoded"
        else:
            mark = "firstlight-7d1c5a90"
            head = f'--{mark}\r\nContent-Disposition: form-data; name="request-json"\r\n\r\n{text}\r\n--{mark}\r\n'
            head += 'Content-Disposition: form-data; name="file"; filename="image.fits"\r\n\r\n'
            body = head.encode() + image.read_bytes() + f"\r\n--{mark}--\r\n".encode()
            kind = f"multipart/form-data; boundary={mark}"
        return self._json(self.fetch(f"api/{what}", body, kind))

    def _json(self, text: bytes) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise FrameError(f"solve: {self.address} answers with something that is no JSON") from error
        return found if isinstance(found, dict) else {}

    def wait(self, answer: dict[str, Any]) -> tuple[int | None, str]:
        """The job that solved it, or None and why not."""
        number = answer.get("subid")
        if number is None:
            return None, str(answer.get("errormessage", "it was refused"))
        while True:
            jobs = [job for job in self._json(self.fetch(f"api/submissions/{number}")).get("jobs", []) if job]
            if jobs:
                status = self._json(self.fetch(f"api/jobs/{jobs[0]}")).get("status")
                if status == "success":
                    return int(jobs[0]), ""
                if status == "failure":
                    return None, "no place on the sky fits it"
            time.sleep(min(self.pause, self.left()))
            self.left()

    def plate(self, job: int) -> Plate:
        cards = parse_cards(self.fetch(f"wcs_file/{job}"))
        found = plate_of(list(cards))
        if found is None:
            raise FrameError(f"solve: {self.address} sent a file without a plate")
        return found
