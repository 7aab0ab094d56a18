"""A whole simulated telescope on one clock: camera, mount, wheel and a focuser whose best position is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firstlight.observe.equipment import Equipment, Pointing
from firstlight.observe.simulated import (
    Optics,
    SimulatedCamera,
    SimulatedClock,
    SimulatedFocuser,
    SimulatedMount,
    SimulatedWheel,
    Sky,
)


def random_sky(ra: float = 80.0, dec: float = 30.0, n: int = 80, spread: float = 0.2, seed: int = 3) -> Sky:
    rng = np.random.default_rng(seed)
    flux = 10 ** rng.uniform(2.5, 4.5, n)
    cosine = math.cos(math.radians(dec))
    return Sky(ra + rng.uniform(-spread, spread, n) / cosine, dec + rng.uniform(-spread, spread, n), flux)


@dataclass
class Rig:
    """``best`` is the focus of each filter, steps of the tube; the FWHM grows with the distance from it."""

    sky: Sky = field(default_factory=random_sky)
    optics: Optics = field(default_factory=Optics)
    best: dict[str, float] = field(default_factory=lambda: {"L": 30000.0})
    sharp: float = 2.6
    """FWHM in focus, px."""
    slope: float = 0.004
    """px of blur for each step."""
    seeing: float = 0.0
    """Scatter of the FWHM from frame to frame, a share of it."""
    backlash: int = 0
    start: int = 30000
    seed: int = 1
    error: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        self.clock = SimulatedClock()
        self.mount = SimulatedMount(clock=self.clock, position=Pointing(80.0, 30.0), error=self.error)
        self.focuser = SimulatedFocuser(backlash=self.backlash, position=self.start, clock=self.clock)
        self.wheel = SimulatedWheel(clock=self.clock)
        self._rng = np.random.default_rng(self.seed)
        self.camera = SimulatedCamera(self.sky, self.mount.true_pointing, self.fwhm, self.optics, self.clock, self.seed)

    def fwhm(self) -> float:
        best = self.best.get(self.wheel.current, self.best["L"])
        scatter = 1.0 + self.seeing * self._rng.standard_normal()
        return float(np.hypot(self.sharp * max(scatter, 0.5), self.slope * (self.focuser.tube - best)))

    def equipment(self, **more: Any) -> Equipment:
        return Equipment(
            camera=self.camera, mount=self.mount, wheel=self.wheel, focuser=self.focuser, clock=self.clock, **more
        )


class Guider:
    """Dithers that are counted; it has settled after so many questions."""

    def __init__(self, questions: int = 2, on_dither: Callable[[], None] = lambda: None) -> None:
        self.calls: list[str] = []
        self._questions, self._left, self._on_dither = questions, questions, on_dither

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def dither(self, pixels: float) -> None:
        self.calls.append(f"dither {pixels:g}")
        self._left = self._questions
        self._on_dither()

    def settled(self) -> bool:
        self._left -= 1
        return self._left < 0
