"""Cameras of INDI."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import EquipmentError, FrameError
from firstlight.io.cards import Header
from firstlight.io.fits_bytes import raw_of_bytes, raw_of_file
from firstlight.observe.equipment import Exposure, Kind, Region
from firstlight.observe.indi import IndiServer, gone
from firstlight.observe.indi_property import Property

_STRUCTURE = frozenset(
    ["SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND", "BZERO", "BSCALE", "COMMENT", "HISTORY", "", "END"]
)
DOWNLOAD = 60.0
"""Seconds that a frame may take to come, after its exposure."""
WRONG_CLOCK = 10.0
"""Seconds between our clock and the driver's: more, and ours counts (a Raspberry Pi has no clock of its own)."""
_FRAMES: dict[str, str] = {
    "light": "FRAME_LIGHT", "bias": "FRAME_BIAS", "dark": "FRAME_DARK", "dark flat": "FRAME_DARK", "flat": "FRAME_FLAT",
}  # fmt: skip
_SETTINGS = {
    "gain": (("CCD_GAIN", "GAIN"), ("CCD_CONTROLS", "Gain")),
    "offset": (("CCD_OFFSET", "OFFSET"), ("CCD_CONTROLS", "Offset")),
}
"""Where drivers have them."""


class IndiCamera:
    """A camera. Frames come over the connection, or stay in the folder ``save_in`` of the camera's computer.

    Raises
    ------
    EquipmentError
        The server has no such camera, or it cannot be connected.
    """

    def __init__(self, server: IndiServer, device: str, save_in: str = "", download: float = DOWNLOAD) -> None:
        self.name, self.server = device, server
        self.save_in, self.download = save_in, download
        self._prefix = "firstlight"
        self._described = ("", "")
        self._prepare_driver()

    def _prepare_driver(self) -> None:
        """Connect, and say where frames go."""
        server, device = self.server, self.name
        server.connect(device)
        server.get(device, "CCD_INFO")
        server.get(device, "CCD1")
        server.take_blobs(device)
        if server.find(device, "CCD_TRANSFER_FORMAT"):
            server.choose(device, "CCD_TRANSFER_FORMAT", "FORMAT_FITS", doing="choosing FITS")
        if server.find(device, "UPLOAD_MODE"):
            where = "UPLOAD_LOCAL" if self.save_in else "UPLOAD_CLIENT"
            server.choose(device, "UPLOAD_MODE", where, doing="choosing where frames go")
        elif self.save_in:
            raise EquipmentError(
                f"{device}: cannot save frames on its own computer; leave the folder out of the profile"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), px, unbinned."""
        # Asked each time: some drivers say it only after they have connected, or change it with the read-out mode.
        info = self.server.get(self.name, "CCD_INFO").values
        return int(info["CCD_MAX_Y"]), int(info["CCD_MAX_X"])

    @property
    def pixel_size(self) -> float | None:
        """Micrometres, unbinned."""
        return float(self.server.get(self.name, "CCD_INFO").values.get("CCD_PIXEL_SIZE", 0.0)) or None

    @property
    def temperature(self) -> float | None:
        """Of the sensor, degrees C."""
        found = self.server.find(self.name, "CCD_TEMPERATURE")
        return None if found is None else found.values.get("CCD_TEMPERATURE_VALUE")

    def cool_to(self, celsius: float) -> None:
        """Set the temperature of the sensor."""
        found = self.server.find(self.name, "CCD_TEMPERATURE")
        if found is None or not found.writable:
            raise EquipmentError(f"{self.name}: has no cooling that can be set; leave the temperature out")
        self.server.send(self.name, "CCD_TEMPERATURE", {"CCD_TEMPERATURE_VALUE": celsius})

    def describe(self, target: str, observer: str) -> None:
        """Have the driver write these into the headers of frames that stay with it."""
        found = self.server.find(self.name, "FITS_HEADER")
        if found is None or not self.save_in or self._described == (target, observer):
            return
        self._described = target, observer
        names = {"FITS_OBJECT": target or "Unknown", "FITS_OBSERVER": observer or "Unknown"}
        if set(names) <= set(found.values):
            self.server.set(self.name, "FITS_HEADER", names)
        else:
            for keyword, value in (("OBJECT", target), ("OBSERVER", observer)):
                if value:
                    card = {"KEYWORD_NAME": keyword, "KEYWORD_VALUE": value, "KEYWORD_COMMENT": ""}
                    self.server.send(self.name, "FITS_HEADER", card)

    def name_files(self, prefix: str) -> None:
        """How files begin that are saved on the camera's computer."""
        self._prefix = prefix

    def expose(
        self,
        seconds: float,
        kind: Kind = "light",
        gain: float | None = None,
        offset: float | None = None,
        binning: int = 1,
        region: Region | None = None,
    ) -> Exposure:
        """Take one frame; on any error, and when the user interrupts, the exposure is ended."""
        if self.server.find(self.name, "CCD1") is None:
            # The driver has died and was started again by the server.
            self._prepare_driver()
        exposure = self.server.get(self.name, "CCD_EXPOSURE")
        least, most = exposure.limits.get("CCD_EXPOSURE_VALUE", (0.0, 0.0))
        if least < most:
            # The shortest is what a bias frame is.
            seconds = max(seconds, least) if kind == "bias" else seconds
            if not least <= seconds <= most:
                raise EquipmentError(f"{self.name}: exposure {seconds:g} s; {least:g} to {most:g} s is allowed")
        self._prepare(kind, gain, offset, binning, region)
        start = datetime.now(UTC)
        try:
            if self.save_in:
                return self._saved(seconds, start)
            return self._sent(seconds, start)
        except BaseException:
            self._abort_quietly()
            raise

    def abort(self) -> None:
        """End the exposure that is under way."""
        if self.server.find(self.name, "CCD_ABORT_EXPOSURE"):
            self.server.send(self.name, "CCD_ABORT_EXPOSURE", {"ABORT": True})

    def _abort_quietly(self) -> None:
        # What went wrong matters, not that the camera cannot be told any more.
        try:
            self.abort()
        except EquipmentError:
            return

    def _prepare(
        self, kind: Kind, gain: float | None, offset: float | None, binning: int, region: Region | None
    ) -> None:
        server, name = self.server, self.name
        if server.find(name, "CCD_FRAME_TYPE"):
            server.choose(name, "CCD_FRAME_TYPE", _FRAMES[kind], doing=f"choosing {kind}")
        for word, value in (("gain", gain), ("offset", offset)):
            if value is not None:
                self._set_number(word, value)
        self._bin(binning)
        height, width = self.size
        left, top, right, bottom = region or Region(0, 0, width, height)
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise EquipmentError(f"{name}: region {left},{top},{right},{bottom}; 0,0 to {width},{height} is allowed")
        frame = {"X": left, "Y": top, "WIDTH": right - left, "HEIGHT": bottom - top}
        have = server.find(name, "CCD_FRAME")
        if have is not None and any(have.values.get(key) != value for key, value in frame.items()):
            server.set(name, "CCD_FRAME", frame, doing="choosing the region")

    def _bin(self, binning: int) -> None:
        found = self.server.find(self.name, "CCD_BINNING")
        wanted = {"HOR_BIN": float(binning), "VER_BIN": float(binning)}
        if found is None or not found.writable:
            if binning != 1:
                raise EquipmentError(f"{self.name}: cannot bin; 1 is allowed")
        elif any(found.values.get(key) != value for key, value in wanted.items()):
            self.server.set(self.name, "CCD_BINNING", wanted, doing=f"binning {binning}")

    def _set_number(self, word: str, value: float) -> None:
        for name, key in _SETTINGS[word]:
            found = self.server.find(self.name, name)
            if found is not None and key in found.values:
                if found.values[key] != value:
                    self.server.set(self.name, name, {key: value}, doing=f"setting {word} {value:g}")
                return
        raise EquipmentError(f"{self.name}: its {word} cannot be set; leave {word} out")

    def _start(self, seconds: float, result: str) -> tuple[int, int]:
        before = self.server.find(self.name, result)
        count = self.server.send(self.name, "CCD_EXPOSURE", {"CCD_EXPOSURE_VALUE": seconds})
        return count, -1 if before is None else before.count

    def _sent(self, seconds: float, start: datetime) -> Exposure:
        told, before = self._start(seconds, "CCD1")
        found = self._wait("CCD1", before, told, seconds)
        content, ending = found.values["CCD1"], found.formats["CCD1"].removesuffix(".z")
        self.server.drop(self.name, "CCD1")
        if found.formats["CCD1"].endswith(".z"):
            import zlib

            content = zlib.decompress(content)
        if "fit" not in ending:
            raise EquipmentError(f"{self.name}: sent a file {ending!r}; set its transfer format to FITS")
        try:
            data, header = raw_of_bytes(content, ending)
        except FrameError as error:
            raise EquipmentError(f"{self.name}: the frame it sent cannot be used: {error}") from error
        return Exposure(data, _opened(header, start), seconds, self._keywords(header))

    def _saved(self, seconds: float, start: datetime) -> Exposure:
        self.server.set(
            self.name, "UPLOAD_SETTINGS", {"UPLOAD_DIR": self.save_in, "UPLOAD_PREFIX": f"{self._prefix}_XXX"}
        )
        told, before = self._start(seconds, "CCD_FILE_PATH")
        found = self._wait("CCD_FILE_PATH", before, told, seconds)
        path = Path(str(found.values["FILE_PATH"]))
        data, keywords = np.zeros((0, 0), np.uint16), {}
        # A folder that both computers see may show the file a little later.
        end = time.monotonic() + 5.0 if path.parent.is_dir() else 0.0
        while time.monotonic() < end and not path.is_file():
            time.sleep(0.1)
        if path.is_file():
            data, header = raw_of_file(path)
            keywords, start = self._keywords(header), _opened(header, start)
        return Exposure(data, start, seconds, keywords, path)

    def _wait(self, name: str, before: int, told: int, seconds: float) -> Property:
        """The frame, or what the driver says against it."""
        end = time.monotonic() + seconds + self.download
        doing = f"exposing {seconds:g} s"
        while True:
            state = self.server.find(self.name, "CCD_EXPOSURE")
            if state is None:
                raise gone(self.name, doing)
            if state.state == "Alert" and state.count > told:
                said = self.server.said(self.name)
                raise EquipmentError(f"{self.name}: {doing}: the exposure failed{': ' + said if said else ''}")
            found = self.server.find(self.name, name)
            if found is not None and found.count > before and found.values:
                return found
            if time.monotonic() > end:
                raise EquipmentError(
                    f"{self.name}: {doing}: no frame within {self.download:g} s after its end; look at the server's log"
                )
            self.server.pause(0.25)

    def _keywords(self, header: Header) -> Mapping[str, Any]:
        """What the driver's header says, and what it leaves out but has among its properties."""
        found = {key: value for key, value, _ in header.cards if key not in _STRUCTURE}
        for keyword, word in (("GAIN", "gain"), ("OFFSET", "offset")):
            for name, key in _SETTINGS[word]:
                told = self.server.find(self.name, name)
                if told is not None and key in told.values:
                    found.setdefault(keyword, told.values[key])
        return found


def _opened(header: Header, asked: datetime) -> datetime:
    """When the shutter opened: as the driver says, unless the clock of its computer is wrong."""
    try:
        told = datetime.fromisoformat(str(header.get("DATE-OBS", ""))).replace(tzinfo=UTC)
    except ValueError:
        return asked
    return told if abs((told - asked).total_seconds()) < WRONG_CLOCK else asked
