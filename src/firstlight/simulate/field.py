"""The invented (or given) stars of a field, their colours, and a nebula."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firstlight.simulate.geometry import positions_of
from firstlight.simulate.scene import blackbody, random_field, star_temperatures
from firstlight.simulate.settings import Night

NEBULA_STEP = 4
"""Reference px between the knots of the nebula."""
HEART = np.array([-0.04, 0.02])
"""Middle of the nebula and of the cluster from that of the frame, in units of the frame's longer side."""


@dataclass(frozen=True)
class Passband:
    """How a filter, or a colour of a CFA, weighs what the clear sensor would see."""

    wavelength: float
    """nm."""
    stars: float
    sky: float
    hydrogen: float
    """Weight of the nebula's red light (H alpha, and H beta with it)."""
    oxygen: float
    """Weight of its green-blue light ([O III])."""


CLEAR = Passband(550.0, 1.0, 1.0, 1.0, 1.0)
PASSBANDS: dict[str, Passband] = {
    "L": CLEAR,
    "R": Passband(625.0, 0.30, 0.32, 0.95, 0.02),
    "G": Passband(535.0, 0.34, 0.33, 0.05, 0.50),
    "B": Passband(460.0, 0.31, 0.25, 0.16, 0.48),
    "Ha": Passband(656.3, 0.018, 0.012, 0.85, 0.0),
    "OIII": Passband(500.7, 0.018, 0.012, 0.0, 0.85),
    "SII": Passband(671.6, 0.018, 0.012, 0.3, 0.0),
}
"""Filters by name; any other name is a clear one."""


@dataclass(frozen=True, eq=False)
class Field:
    """Stars of the sky, in ideal positions on the reference frame; brightest first is usual, not needed."""

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    """e-/s through a clear filter, above the air."""
    temperature: np.ndarray
    """K."""

    def __len__(self) -> int:
        return len(self.x)

    def flux_in(self, bands: list[Passband]) -> np.ndarray:
        """e-/s of each star in each passband, (n, passbands)."""
        colours = [1.0 if band is CLEAR else blackbody(self.temperature, band.wavelength) for band in bands]
        return np.column_stack([self.flux * band.stars * colour for band, colour in zip(bands, colours)])


def passbands(night: Night, filter_name: str) -> list[Passband]:
    """One passband for a mono camera; those of R, G and B for a CFA."""
    if night.camera.cfa:
        return [PASSBANDS[c] for c in "RGB"]
    return [PASSBANDS.get(filter_name, CLEAR)]


def zero_magnitude_flux(night: Night) -> float:
    """e-/s of a star of magnitude 0 through a clear filter: 1000 photons/s/cm2/A, 3000 A, half of them counted."""
    return 1000.0 * math.pi / 4.0 * (night.telescope.aperture / 10.0) ** 2 * 3000.0 * 0.5


def invent_field(night: Night, box: tuple[float, float, float, float], rng: np.random.Generator) -> Field:
    """Random stars over ``box`` (left, low, right, high; reference px), and a cluster of hot ones in the middle."""
    left, low, right, high = box
    width, height = right - left, high - low
    sky = night.sky
    n = int(rng.poisson(sky.stars_per_mpx * width * height / 1e6))
    x, y, flux = random_field(rng, n, (height, width), sky.star_flux, sky.star_slope)  # type: ignore[arg-type]
    temperature = star_temperatures(rng, n)
    size = max(night.shape)
    heart = np.array([night.camera.width, night.camera.height]) / 2 + HEART * size
    members = heart + 0.055 * size * rng.standard_normal((sky.cluster, 2))
    faint, bright = np.log(0.01 * sky.star_flux[1]), np.log(0.4 * sky.star_flux[1])
    return Field(
        np.concatenate([x + left + 0.5, members[:, 0]]),
        np.concatenate([y + low + 0.5, members[:, 1]]),
        np.concatenate([flux, np.exp(rng.uniform(faint, bright, sky.cluster))]),
        np.concatenate([temperature, rng.uniform(11000.0, 26000.0, sky.cluster)]),
    )


def field_from_catalog(
    night: Night, ra: np.ndarray, dec: np.ndarray, magnitude: np.ndarray, temperature: np.ndarray | float = 5800.0
) -> Field:
    """Known stars (degrees, magnitudes, K) where the night's telescope points; those behind it are left out."""
    positions = positions_of(night, ra, dec)
    flux = zero_magnitude_flux(night) * 10.0 ** (-0.4 * np.asarray(magnitude, dtype=np.float64))
    temperature = np.broadcast_to(np.asarray(temperature, dtype=np.float64), flux.shape)
    seen = np.isfinite(positions).all(axis=1)
    return Field(positions[seen, 0], positions[seen, 1], flux[seen], temperature[seen])


@dataclass(frozen=True, eq=False)
class Nebula:
    """Smooth light: cubic B-spline coefficients in e-/s/px, a knot each `NEBULA_STEP` px."""

    hydrogen: np.ndarray
    oxygen: np.ndarray
    origin: np.ndarray
    """Reference position (x, y) of the first knot."""

    def grid(self, bands: list[Passband]) -> np.ndarray:
        """(passbands, y, x) float32."""
        return np.stack([b.hydrogen * self.hydrogen + b.oxygen * self.oxygen for b in bands]).astype(np.float32)


def invent_nebula(night: Night, box: tuple[float, float, float, float], rng: np.random.Generator) -> Nebula:
    """A hollow cloud of hydrogen round a heart of oxygen, torn by turbulence and crossed by dark lanes."""
    left, low, right, high = box
    step = NEBULA_STEP
    shape = (int((high - low) / step) + 8, int((right - left) / step) + 8)
    size = max(night.shape) / step

    def turbulence(slope: float, longest: float) -> np.ndarray:
        return _turbulence(rng, shape, size, slope, longest)

    # Positions from the heart in units of the frame's longer side, bent so that nothing looks like an ellipse.
    v, u = np.meshgrid(np.arange(shape[0]) - 4.0, np.arange(shape[1]) - 4.0, indexing="ij")
    u = (u + (left - night.camera.width / 2) / step) / size - HEART[0]
    v = (v + (low - night.camera.height / 2) / step) / size - HEART[1]
    u = u + 0.055 * turbulence(4.2, 0.5) + 0.006 * turbulence(3.0, 0.06)
    v = v + 0.055 * turbulence(4.2, 0.5) + 0.006 * turbulence(3.0, 0.06)
    r = np.hypot(u, 1.2 * v)
    rim = np.where(r < 0.18, np.exp(-(((r - 0.18) / 0.065) ** 2)), np.exp(-(((r - 0.18) / 0.17) ** 2)))
    haze = 0.20 * np.exp(-((r / 0.42) ** 2))
    ridges = np.exp(-1.8 * np.abs(turbulence(3.0, 0.16))) + 0.5 * np.exp(-2.5 * np.abs(turbulence(2.9, 0.07)))
    lanes = np.exp(-((turbulence(3.6, 0.30) / 0.16) ** 2)) * np.clip(turbulence(3.4, 0.4) + 0.2, 0.0, 1.5)
    globules = np.clip(turbulence(3.8, 0.08) - 1.9, 0.0, 1.0)
    dust = np.exp(-1.3 * lanes - 2.0 * globules * np.exp(-((r / 0.3) ** 2)))
    hydrogen = (rim + haze) * np.exp(0.45 * turbulence(3.3, 0.3)) * (0.30 + ridges) * dust
    oxygen = (np.exp(-((r / 0.15) ** 2)) + 0.25 * rim) * np.exp(0.35 * turbulence(3.4, 0.2)) * dust**0.7
    peak = night.sky.nebula
    return Nebula(
        peak * hydrogen / np.percentile(hydrogen, 99.7),
        0.8 * peak * oxygen / np.percentile(oxygen, 99.7),
        np.array([left - 4.0 * step, low - 4.0 * step]),
    )


def _turbulence(
    rng: np.random.Generator, shape: tuple[int, int], size: float, slope: float, longest: float
) -> np.ndarray:
    # Gaussian noise of unit variance whose power falls as k^-slope below the wavelength `longest` (of `size` knots).
    noise = np.fft.rfft2(rng.standard_normal(shape))
    k = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    cut = 1.0 / (longest * size)
    plane = np.fft.irfft2(noise * (k**2 + cut**2) ** (-slope / 4.0) * (k > 0), s=shape)
    return plane / plane.std()
