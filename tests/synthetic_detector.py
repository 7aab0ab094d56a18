"""Frames of a detector whose every number is known, written as FITS files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta

START = datetime.fromisoformat("2026-03-01T20:00:00+00:00")


@dataclass
class SyntheticDetector:
    """A sensor with faults; `shoot` takes a frame."""

    width: int = 384
    height: int = 320
    cfa: str | None = None
    gains: dict[str, float] = field(default_factory=lambda: {"mono": 1.5})
    """e-/adu."""
    read_noise: float = 6.0
    """e-."""
    bias: float = 600.0
    full_well: float = 60000.0
    """e-."""
    dark: float = 0.5
    """e-/s at 0 C."""
    doubling: float = 6.0
    bend: float = 0.0
    """measured = s (1 - bend s / 40000 adu)."""
    n_hot: int = 60
    n_jumping: int = 0
    bad_column: int | None = None
    glow: float = 0.0
    """e-/s at 0 C, in the top right corner."""
    seed: int = 7

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        shape = (self.height, self.width)
        self.pattern = rng.normal(0, 1.5, shape)
        self.hot = rng.permutation(self.height * self.width)[: self.n_hot]
        self.rate = np.full(shape, self.dark)
        self.rate.flat[self.hot] += rng.uniform(20, 200, self.n_hot)
        y, x = np.mgrid[: self.height, : self.width]
        self.rate += self.glow * np.exp(-np.hypot(y, self.width - 1 - x) / 60)
        self.flat = (1 - 0.25 * ((x - self.width / 2) ** 2 + (y - self.height / 2) ** 2) / (self.width / 2) ** 2) * (
            1 + 0.01 * rng.standard_normal(shape)
        )
        quiet = np.setdiff1d(np.arange(self.height * self.width), self.hot)
        self.jumping = rng.permutation(quiet)[: self.n_jumping]
        self.gain = np.ones(shape)
        cells = {(j, i): self.cfa[2 * j + i] if self.cfa else "mono" for j in (0, 1) for i in (0, 1)}
        for (j, i), colour in cells.items():
            self.gain[j::2, i::2] = self.gains[colour]

    def shoot(
        self, rng: np.random.Generator, exposure: float, light: float = 0.0, temperature: float = 0.0
    ) -> np.ndarray:
        """Raw numbers; ``light`` in e-/s."""
        warmth = 2 ** (temperature / self.doubling)
        electrons = rng.poisson(self.flat * light * exposure + self.rate * warmth * exposure).astype(float)
        electrons = np.minimum(electrons, self.full_well)
        electrons += rng.normal(0, self.read_noise, electrons.shape)
        jump = rng.random(self.n_jumping) < 0.4
        electrons.flat[self.jumping] += 12 * self.read_noise * jump
        signal = electrons / self.gain
        signal -= self.bend * signal * np.abs(signal) / 40000
        signal += self.bias + self.pattern
        if self.bad_column is not None:
            signal[self.height // 2 :, self.bad_column] += 25
        return np.clip(np.rint(signal), 0, 65535)

    def write(self, folder: Path, kind: Kind, number: int, exposure: float = 0.0, light: float = 0.0,
              temperature: float = 0.0, **meta: object) -> Path:  # fmt: skip
        """Take a frame and write it."""
        rng = np.random.default_rng([self.seed, list(Kind).index(kind), number])
        path = folder / f"{kind.value}_{number:03d}.fits"
        about = Meta(
            kind=kind, camera="Synthetic 1", gain_setting=120.0, offset=30.0, exposure=exposure, cfa=self.cfa,
            set_temperature=temperature, temperature=temperature, start=START + timedelta(minutes=number),
        ).replace(**meta)  # fmt: skip
        return write(path, Image(self.shoot(rng, exposure, light, temperature), meta=about))
