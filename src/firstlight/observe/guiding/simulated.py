"""A guide camera on a mount that is not perfect, on a simulated clock: what is wrong with it is known.

The sky is a flat patch: stars have places in arcsec east and north of where the mount pointed at first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Exposure, Kind, PierSide, Pointing, Region
from firstlight.observe.guiding.gear import Gear
from firstlight.observe.simulated import SimulatedClock, Standing, part_of
from firstlight.simulate.scene import render_stars

STEP = 0.25
"""s; the sky is followed in steps of this."""


@dataclass(frozen=True)
class Faults:
    """What a simulated mount and its sky do wrong."""

    periodic_error: float = 0.0
    """Of the worm, arcsec from peak to peak, on the equator."""
    worm_period: float = 480.0
    """s."""
    worm_phase: float = 0.0
    """Degrees."""
    drift: tuple[float, float] = (0.0, 0.0)
    """Of the stars through polar misalignment, arcsec/min to the east and north."""
    backlash: tuple[float, float] = (0.0, 0.0)
    """Seconds of pulse that do nothing after a change of direction, east and north."""
    orthogonality: float = 0.0
    """Degrees that north as the gear moves differs from north."""
    seeing: float = 0.0
    """arcsec, FWHM of a star in a long exposure."""
    jitter: float = 0.0
    """arcsec, standard deviation of the motion that all stars share, each axis, at one moment."""
    own_jitter: float = 0.0
    """The same for the motion that each star has for itself."""
    memory: float = 1.0
    """s after which the motion of the air is another one."""
    clouds: tuple[tuple[float, float, float], ...] = ()
    """(from, to, share of the light that comes through), s after the start."""
    flashes: tuple[float, ...] = ()
    """s after the start at which a satellite crosses the field."""
    jumps: tuple[tuple[float, float, float], ...] = ()
    """(s after the start, arcsec east, arcsec north): somebody touches the mount."""


PERFECT = Faults()
TYPICAL = Faults(
    periodic_error=20.0, drift=(0.3, 2.0), backlash=(0.1, 1.0), seeing=2.0, jitter=0.84, own_jitter=0.4
)  # fmt: skip
"""A mount that needs guiding, under usual air."""


@dataclass
class SimulatedGuideMount(Standing):
    """A mount that takes pulses, with its faults."""

    faults: Faults = PERFECT
    name: str = "simulated mount"
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    position: Pointing = field(default_factory=lambda: Pointing(80.0, 30.0))
    pier_side: PierSide = "east"
    reverses_dec: bool = False
    """North is north on the sky on both sides of the pier."""
    guide_rate: float = 7.5
    """arcsec/s on the axes."""
    tracking: bool = True
    parked: bool = False
    deaf: bool = False
    """Pulses do nothing."""

    def __post_init__(self) -> None:
        self._start = self.clock.now()
        self.moved = np.zeros(2)
        """Where pulses have brought it, arcsec east and north."""
        self._gears = [Gear(play) for play in self.faults.backlash]
        self.pulses: list[tuple[float, float, float]] = []
        """(s after the start, north, east)."""

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self.clock.now() - self._start).total_seconds()

    def pointing(self, elapsed: float | None = None) -> np.ndarray:
        """Where it points, arcsec east and north of where it should."""
        t = self.elapsed if elapsed is None else elapsed
        f = self.faults
        phase = math.radians(f.worm_phase)
        worm = 0.5 * f.periodic_error * (math.sin(2 * math.pi * t / f.worm_period + phase) - math.sin(phase))
        east = worm * math.cos(math.radians(self.position.dec)) - f.drift[0] * t / 60.0
        north = -f.drift[1] * t / 60.0
        jumps = np.sum([jump[1:] for jump in f.jumps if jump[0] <= t], axis=0) if f.jumps else 0.0
        return self.moved + np.array([east, north]) + jumps

    def pulse(self, north_south: float, east_west: float) -> None:
        """Move for that many seconds."""
        self.pulses.append((self.elapsed, north_south, east_west))
        if not self.deaf:
            east = self._gears[0].turn(east_west) * math.cos(math.radians(self.position.dec))
            north = self._gears[1].turn(north_south)
            if self.pier_side == "west" and not self.reverses_dec:
                north = -north
            tilt = math.radians(self.faults.orthogonality)
            self.moved += self.guide_rate * np.array([east + north * math.sin(tilt), north * math.cos(tilt)])
        self.clock.sleep(max(abs(north_south), abs(east_west)))

    def flip(self) -> None:
        """Turn over to the other side of the pier; the stars are where they were."""
        self.pier_side = "west" if self.pier_side == "east" else "east"

    def goto(self, ra: float, dec: float) -> None:
        """Slew, and track there."""
        self.check_free()
        self.position = Pointing(ra, dec)

    def sync(self, ra: float, dec: float) -> None:
        """Tell the mount where it points."""
        self.position = Pointing(ra, dec)


@dataclass(frozen=True)
class GuideOptics:
    """Guide scope and sensor."""

    size: tuple[int, int] = (240, 320)
    """(height, width), px."""
    pixel_scale: float = 2.0
    """arcsec/px."""
    rotation: float = 25.0
    """Of the sensor, degrees."""
    mirrored: bool = False
    n_stars: int = 14
    brightest: float = 40000.0
    """e-/s of the brightest star; the n-th has 1/n of it."""
    sky: float = 20.0
    """e-/s in a pixel."""
    read_noise: float = 3.0
    """e-."""
    bias: float = 500.0
    """adu; the gain is 1 e-/adu."""
    hot_pixels: int = 0
    blur: float = 3.0
    """arcsec, FWHM of a star without any air."""

    def on_sensor(self, east: np.ndarray, north: np.ndarray, flipped: bool) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) of arcsec east and north of the pointing."""
        x, y = (east if self.mirrored else -east) / self.pixel_scale, north / self.pixel_scale
        angle = math.radians(self.rotation + (180.0 if flipped else 0.0))
        c, s = math.cos(angle), math.sin(angle)
        height, width = self.size
        return (width - 1) / 2 + c * x - s * y, (height - 1) / 2 + s * x + c * y


class SimulatedGuideCamera:
    """A camera that sees the stars move with the mount and the air."""

    def __init__(self, mount: SimulatedGuideMount, optics: GuideOptics = GuideOptics(), seed: int = 1) -> None:
        self.name, self.mount, self.optics, self.clock = "simulated guide camera", mount, optics, mount.clock
        self._rng = np.random.default_rng(seed)
        height, width = optics.size
        extent = optics.pixel_scale * math.hypot(height, width)
        density = (extent * extent) / (optics.pixel_scale**2 * height * width)
        n = round(optics.n_stars * density)
        places = self._rng.uniform(-extent / 2, extent / 2, (2, n))
        self.put(places, self._rng.permutation(optics.brightest * density / np.arange(1, n + 1)))
        self._hot = self._rng.choice(height * width, optics.hot_pixels, replace=False)
        self._warmth = self._rng.uniform(500.0, 20000.0, optics.hot_pixels)
        self.air = np.zeros(2)
        self.aborted = 0

    def put(self, places: np.ndarray, flux: np.ndarray) -> None:
        """Other stars: (2, n) arcsec east and north of where the mount points at first, and e-/s."""
        self.stars, self.flux = np.asarray(places, float), np.asarray(flux, float)
        self._own = np.zeros_like(self.stars)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), px, unbinned."""
        return self.optics.size

    @property
    def pixel_size(self) -> float | None:
        """Micrometres, unbinned."""
        return 3.75

    @property
    def temperature(self) -> float | None:
        """It has no thermometer."""
        return None

    def cool_to(self, celsius: float) -> None:
        """It cannot be cooled."""
        raise EquipmentError(f"{self.name}: has no cooler")

    def abort(self) -> None:
        """Nothing is ever under way."""
        self.aborted += 1

    def seen(self, seconds: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Let time pass; mean places of all stars from the pointing (arcsec), and the share of light that came."""
        faults, mount = self.mount.faults, self.mount
        n = max(1, round(seconds / STEP))
        keep = math.exp(-seconds / n / faults.memory)
        fresh = math.sqrt(1.0 - keep * keep)
        total, own, light = np.zeros(2), np.zeros_like(self._own), 0.0
        for _ in range(n):
            self.air = keep * self.air + fresh * faults.jitter * self._rng.standard_normal(2)
            if faults.own_jitter:
                noise = faults.own_jitter * self._rng.standard_normal(self._own.shape)
                self._own = keep * self._own + fresh * noise
                own += self._own / n
            mount.clock.sleep(seconds / n)
            t = mount.elapsed
            total += (self.air - mount.pointing(t)) / n
            light += min([share for begin, end, share in faults.clouds if begin <= t < end], default=1.0) / n
        return self.stars + own + total[:, None], total, light

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
        start, began = self.clock.now(), self.mount.elapsed
        optics, shape = self.optics, self.optics.size
        light = np.full(shape, 2.0 * seconds)
        places, _, share = self.seen(seconds)
        if kind == "light":
            light += optics.sky * seconds
            x, y = optics.on_sensor(*places, self.mount.pier_side == "west")
            near = (x > -20) & (x < shape[1] + 20) & (y > -20) & (y < shape[0] + 20)
            fwhm = math.hypot(optics.blur, self.mount.faults.seeing) / optics.pixel_scale
            if near.any():
                render_stars(shape, x[near], y[near], share * seconds * self.flux[near], max(fwhm, 1.0), out=light)
            if any(began <= flash < began + seconds for flash in self.mount.faults.flashes):
                rows = np.arange(shape[0])
                columns = np.clip(shape[1] // 4 + rows // 2, 1, shape[1] - 2)
                for step in (-1, 0, 1):
                    light[rows, columns + step] += 30000.0
        light.reshape(-1)[self._hot] += self._warmth * min(seconds, 5.0)
        electrons = light + np.sqrt(light + optics.read_noise**2) * self._rng.standard_normal(shape)
        electrons = part_of(electrons, region, binning)
        data = np.clip(np.rint(electrons + optics.bias), 0, 65535).astype(np.uint16)
        return Exposure(data, start, seconds, {"GAIN": 1.0 if gain is None else gain})
