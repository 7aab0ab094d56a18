"""What cameras, mounts, wheels, focusers and guiders are to the program, whoever makes them move.

All calls block until the device is done, are safe from several threads, and end within a time that depends on what was
asked: a device that is not there, refuses or does not answer raises `EquipmentError`. Angles are degrees, ICRS; times
are UTC; durations are seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

Kind = Literal["light", "dark", "bias", "flat", "dark flat"]
"""Of an exposure: the words of the program."""
PierSide = Literal["east", "west", ""]
"""Side of the pier that the telescope is on; empty where the mount does not tell."""


class Pointing(NamedTuple):
    """Right ascension and declination, degrees, ICRS."""

    ra: float
    dec: float


class Region(NamedTuple):
    """A part of the sensor, unbinned px, 0-based; the ends are not part of it."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, eq=False)
class Exposure:
    """What a camera gave."""

    data: np.ndarray
    """uint16 or float32, (height, width), the first row first."""
    start: datetime
    """UTC, when the shutter opened."""
    seconds: float
    """How long it was open."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """Keywords as the camera's driver gives them."""
    path: Path | None = None
    """Where the camera's computer has saved it, if it did."""


class Clock(Protocol):
    """Time as it passes at the telescope; that of tests needs none."""

    def now(self) -> datetime:
        """UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Camera(Protocol):
    """A camera, for images or for guiding."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), px, unbinned."""
        ...

    @property
    def pixel_size(self) -> float | None:
        """Micrometres, unbinned; None where the camera does not tell."""
        ...

    @property
    def temperature(self) -> float | None:
        """Of the sensor, degrees C; None where it has no thermometer."""
        ...

    def expose(
        self,
        seconds: float,
        kind: Kind = "light",
        gain: float | None = None,
        offset: float | None = None,
        binning: int = 1,
        region: Region | None = None,
    ) -> Exposure:
        """Take one frame. None for gain and offset leaves the camera's setting; on any error the exposure is ended."""
        ...

    def abort(self) -> None:
        """End the exposure that is under way, if there is one."""
        ...

    def cool_to(self, celsius: float) -> None:
        """Set the temperature of the sensor; returns at once, `temperature` tells how far it is."""
        ...


@runtime_checkable
class SavesFrames(Protocol):
    """A camera whose computer may keep frames, and must be told what they are called."""

    def name_files(self, prefix: str) -> None:
        """How the names of further frames begin."""
        ...

    def describe(self, target: str, observer: str) -> None:
        """What their headers say."""
        ...


@runtime_checkable
class GuidePort(Protocol):
    """Takes pulses that move the telescope a little: a mount, or a guide camera with a cable to it."""

    @property
    def name(self) -> str: ...

    def pulse(self, north_south: float, east_west: float) -> None:
        """Move for that many seconds, north and east positive; returns when both axes are done."""
        ...

    def stop(self) -> None:
        """End pulses under way."""
        ...


@runtime_checkable
class Mount(GuidePort, Protocol):
    """A mount that can be sent to a place."""

    @property
    def position(self) -> Pointing: ...

    @property
    def pier_side(self) -> PierSide: ...

    @property
    def tracking(self) -> bool: ...

    @property
    def parked(self) -> bool: ...

    def goto(self, ra: float, dec: float) -> None:
        """Slew, and track there. Refused while parked."""
        ...

    def sync(self, ra: float, dec: float) -> None:
        """Tell the mount where it points."""
        ...

    def track(self, on: bool) -> None:
        """Follow the sky, or stand still."""
        ...

    def abort(self) -> None:
        """Stop slewing."""
        ...

    def park(self) -> None: ...

    def unpark(self) -> None: ...


class FilterWheel(Protocol):
    """A wheel of filters."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def current(self) -> str: ...

    def select(self, name: str) -> None: ...


class Focuser(Protocol):
    """A focuser that knows its position, in steps."""

    @property
    def name(self) -> str: ...

    @property
    def position(self) -> int: ...

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest position."""
        ...

    def move_to(self, position: int) -> None: ...

    def abort(self) -> None: ...


class Dithering(Protocol):
    """What a sequence needs of a guider, be it ours or PHD2."""

    def start(self) -> None:
        """Begin to guide (calibrating first, where that is needed); returns when it has settled."""
        ...

    def stop(self) -> None:
        """End guiding; no pulse is under way afterwards."""
        ...

    def dither(self, pixels: float) -> None:
        """Move to a random place within that many px of the guide camera, and return when it has settled there.

        Where it does not settle in time this returns, too, and `settled` is False.
        """
        ...

    def settled(self) -> bool:
        """Whether the guide star has been where it should be, for long enough."""
        ...


class SystemClock:
    """Time as the computer has it."""

    def now(self) -> datetime:
        """UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(max(seconds, 0.0))


@dataclass(frozen=True)
class Equipment:
    """What is at hand for a task; None for what is not."""

    camera: Camera | None = None
    guide_camera: Camera | None = None
    mount: Mount | None = None
    guide_port: GuidePort | None = None
    wheel: FilterWheel | None = None
    focuser: Focuser | None = None
    guider: Dithering | None = None
    clock: Clock = field(default_factory=SystemClock)
