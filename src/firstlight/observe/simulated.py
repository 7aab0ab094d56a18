"""Equipment that exists only in the computer: a camera under a sky of given stars, a mount, a wheel, a focuser.

All are on one simulated clock: what takes a night at the telescope takes no time here.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Exposure, Kind, PierSide, Pointing, Region
from firstlight.simulate.scene import render_stars


class SimulatedClock:
    """Time that passes when somebody sleeps.

    >>> clock = SimulatedClock()
    >>> clock.sleep(3600)
    >>> clock.now().isoformat()
    '2026-01-01T21:00:00+00:00'
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, 20, tzinfo=UTC)) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """UTC."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += timedelta(seconds=max(seconds, 0.0))


@dataclass(frozen=True, eq=False)
class Sky:
    """Stars and what is between them."""

    ra: np.ndarray
    """Degrees."""
    dec: np.ndarray
    flux: np.ndarray
    """e-/s of each star."""
    background: float = 2.0
    """e-/s in a pixel."""


@dataclass(frozen=True)
class Optics:
    """Telescope and sensor."""

    size: tuple[int, int] = (480, 640)
    """(height, width), px."""
    pixel_scale: float = 2.0
    """arcsec/px."""
    rotation: float = 0.0
    """Of the sensor, degrees from north through east."""
    gain: float = 1.0
    """e-/adu."""
    bias: float = 500.0
    """adu."""
    read_noise: float = 5.0
    """e-."""
    dark_current: float = 0.05
    """e-/s."""
    hot_pixels: int = 0
    """Pixels with a hundred times the light of others in the dark, drawn from the seed."""
    panel: float = 2000.0
    """e-/s in a pixel before a flat panel, or the sky at dusk."""


def at_pixels(optics: Optics, pointing: Pointing, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where stars fall on the sensor (x, y), by the gnomonic projection; NaN behind the observer.

    >>> x, y = at_pixels(Optics(), Pointing(10.0, 20.0), np.array([10.0]), np.array([20.0]))
    >>> float(x[0]), float(y[0])
    (319.5, 239.5)
    """
    a, d = np.radians(ra - pointing.ra), np.radians(dec)
    d0 = math.radians(pointing.dec)
    cosine = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
    with np.errstate(divide="ignore", invalid="ignore"):
        xi = np.where(cosine > 0, np.cos(d) * np.sin(a) / cosine, np.nan)
        eta = np.where(cosine > 0, (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a)) / cosine, np.nan)
    scale = 1.0 / math.radians(optics.pixel_scale / 3600.0)
    cos, sin = math.cos(math.radians(optics.rotation)), math.sin(math.radians(optics.rotation))
    height, width = optics.size
    # East is to the left, and north up, where the first row is the lowest.
    x = (width - 1) / 2.0 - scale * (xi * cos - eta * sin)
    y = (height - 1) / 2.0 + scale * (xi * sin + eta * cos)
    return x, y


@dataclass
class SimulatedFocuser:
    """A focuser whose gears have backlash: after a change of direction the tube follows only when it is used up."""

    name: str = "simulated focuser"
    limits: tuple[int, int] = (0, 60000)
    backlash: int = 0
    """Steps."""
    position: int = 30000
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    speed: float = 500.0
    """Steps in a second."""

    def __post_init__(self) -> None:
        self._tube = float(self.position)

    @property
    def tube(self) -> float:
        """Where the tube is, which nobody at the telescope knows."""
        return self._tube

    def move_to(self, position: int) -> None:
        """Turn the gears; the tube is between ``position`` and ``position - backlash``."""
        least, most = self.limits
        if not least <= position <= most:
            raise EquipmentError(f"{self.name}: position {position}; {least} to {most} is allowed")
        self.clock.sleep(abs(position - self.position) / self.speed)
        self.position = position
        self._tube = min(max(self._tube, position - self.backlash), float(position))

    def abort(self) -> None:
        """Nothing is ever under way."""


@dataclass
class SimulatedWheel:
    """A wheel of filters."""

    names: tuple[str, ...] = ("L", "R", "G", "B", "Ha")
    current: str = "L"
    clock: SimulatedClock = field(default_factory=SimulatedClock)

    def select(self, name: str) -> None:
        """Turn the wheel."""
        if name not in self.names:
            raise EquipmentError(f"simulated wheel: filter {name!r}; {', '.join(self.names)} are in it")
        self.clock.sleep(2.0 if name != self.current else 0.0)
        self.current = name


class Standing:
    """What all simulated mounts do alike when they do not move."""

    name: str
    tracking: bool
    parked: bool

    def track(self, on: bool) -> None:
        """Follow the sky, or stand still."""
        self.tracking = on

    def check_free(self) -> None:
        """Refuse to slew while it is parked."""
        if self.parked:
            raise EquipmentError(f"{self.name}: is parked; unpark it first")

    def park(self) -> None:
        """Stand still in a safe place."""
        self.parked, self.tracking = True, False

    def unpark(self) -> None:
        """Be ready to move."""
        self.parked = False

    def abort(self) -> None:
        """Nothing is ever under way."""

    def stop(self) -> None:
        """Nothing is ever under way."""


@dataclass
class SimulatedMount(Standing):
    """A mount that believes to point where it was sent; ``error`` is how far it is off, degrees."""

    name: str = "simulated mount"
    position: Pointing = field(default_factory=lambda: Pointing(80.0, 30.0))
    error: tuple[float, float] = (0.0, 0.0)
    """Added to ra (on the sky) and dec at each place; synchronising takes it away there."""
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    tracking: bool = True
    parked: bool = False
    pier_side: PierSide = "east"
    pulse_rate: float = 7.5
    """arcsec/s."""

    def true_pointing(self) -> Pointing:
        """Where the telescope really points."""
        dec = self.position.dec + self.error[1]
        return Pointing((self.position.ra + self.error[0] / math.cos(math.radians(dec))) % 360.0, dec)

    def goto(self, ra: float, dec: float) -> None:
        """Slew, and track there."""
        self.check_free()
        self.clock.sleep(10.0)
        self.position, self.tracking = Pointing(ra % 360.0, dec), True

    def sync(self, ra: float, dec: float) -> None:
        """Tell the mount where it points."""
        true = self.true_pointing()
        self.position = Pointing(ra % 360.0, dec)
        away = (true.ra - ra + 180.0) % 360.0 - 180.0
        self.error = (away * math.cos(math.radians(true.dec)), true.dec - dec)

    def pulse(self, north_south: float, east_west: float) -> None:
        """Move a little."""
        self.clock.sleep(max(abs(north_south), abs(east_west)))
        dec = self.position.dec + north_south * self.pulse_rate / 3600.0
        ra = self.position.ra + east_west * self.pulse_rate / 3600.0 / math.cos(math.radians(dec))
        self.position = Pointing(ra % 360.0, dec)


def part_of(frame: np.ndarray, region: Region | None, binning: int) -> np.ndarray:
    """The part of a sensor (height, width) that is read, its pixels joined."""
    if region is not None:
        frame = frame[region.top : region.bottom, region.left : region.right]
    height, width = (n // binning for n in frame.shape)
    frame = frame[: height * binning, : width * binning]
    return frame.reshape(height, binning, width, binning).sum(axis=(1, 3)) if binning > 1 else frame


class SimulatedCamera:
    """A camera under a sky; what it sees depends on where the telescope points and how wide its stars are."""

    def __init__(
        self,
        sky: Sky,
        pointing: Callable[[], Pointing],
        fwhm: Callable[[], float] = lambda: 3.0,
        optics: Optics = Optics(),
        clock: SimulatedClock | None = None,
        seed: int = 1,
        name: str = "simulated camera",
    ) -> None:
        """``fwhm`` gives px; both functions are asked once in the middle of each exposure."""
        self.name, self.sky, self.optics = name, sky, optics
        self.clock = clock or SimulatedClock()
        self.cooled_to: float | None = None
        self._pointing, self._fwhm = pointing, fwhm
        self._rng = np.random.default_rng(seed)
        height, width = optics.size
        self._hot = self._rng.choice(height * width, optics.hot_pixels, replace=False)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), px, unbinned."""
        return self.optics.size

    @property
    def pixel_size(self) -> float | None:
        """Micrometres, unbinned."""
        return 3.8

    @property
    def temperature(self) -> float | None:
        """Of the sensor, degrees C."""
        return 15.0 if self.cooled_to is None else self.cooled_to

    def cool_to(self, celsius: float) -> None:
        """Set the temperature of the sensor."""
        self.cooled_to = celsius

    def abort(self) -> None:
        """Nothing is ever under way."""

    def expose(
        self,
        seconds: float,
        kind: Kind = "light",
        gain: float | None = None,
        offset: float | None = None,
        binning: int = 1,
        region: Region | None = None,
    ) -> Exposure:
        """Take one frame."""
        start = self.clock.now()
        self.clock.sleep(seconds / 2.0)
        light = self._light(seconds, kind)
        self.clock.sleep(seconds / 2.0)
        light = part_of(light, region, binning)
        electrons = self._rng.poisson(light) + self.optics.read_noise * self._rng.standard_normal(light.shape)
        data = np.clip(np.rint(electrons / self.optics.gain + self.optics.bias), 0, 65535).astype(np.uint16)
        header = {"GAIN": gain, "OFFSET": offset, "EGAIN": self.optics.gain, "CCD-TEMP": self.temperature}
        return Exposure(data, start, seconds, {key: value for key, value in header.items() if value is not None})

    def _light(self, seconds: float, kind: Kind) -> np.ndarray:
        """Electrons expected in each pixel."""
        light = np.full(self.optics.size, self.optics.dark_current * seconds)
        if kind == "flat":
            light += self.panel() * seconds
        elif kind == "light":
            light += self.sky.background * seconds
            x, y = at_pixels(self.optics, self._pointing(), self.sky.ra, self.sky.dec)
            height, width = self.optics.size
            seen = (x > -50) & (x < width + 50) & (y > -50) & (y < height + 50)
            if seen.any():
                flux = self.sky.flux[seen] * seconds
                render_stars(light.shape, x[seen], y[seen], flux, self._fwhm(), beta=4.0, floor=0.01, out=light)
        light.reshape(-1)[self._hot] += 100.0 * self.optics.dark_current * seconds + 500.0
        return light

    def panel(self) -> float:
        """Light of a flat, e-/s in a pixel."""
        return self.optics.panel
