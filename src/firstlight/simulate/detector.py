"""The fixed faults of a camera and the making of raw numbers from light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firstlight.kernels import scene as kernels
from firstlight.simulate.settings import Camera, Telescope

CHANNELS = "RGB"
BAND_ROWS = 64
"""Rows made at once: a band and its random numbers stay in the cache."""


@dataclass(frozen=True, eq=False)
class Detector:
    """The true maps of a camera behind its telescope; all planes float32 (y, x)."""

    camera: Camera
    bias: np.ndarray
    """adu."""
    dark: np.ndarray
    """e-/s at the set temperature, hot pixels and amp glow included."""
    flat: np.ndarray
    """Relative answer to light; the mean over the frame is 1."""
    hot: np.ndarray
    """Flat pixel numbers (row * width + column) of the hot pixels, sorted."""
    cell: np.ndarray
    """(2, 2) channel of each pixel of the CFA cell; zeros for a mono sensor."""

    @property
    def n_channels(self) -> int:
        return 3 if self.camera.cfa else 1

    def expose(
        self,
        rng: np.random.Generator,
        exposure: float,
        *,
        light: np.ndarray | None = None,
        sky: np.ndarray | None = None,
        tint: np.ndarray | None = None,
        temperature: float | None = None,
        rays: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """One raw frame, uint16 (y, x).

        Parameters
        ----------
        exposure
            s; 0 for a bias frame.
        light
            e-/s falling on each pixel before vignetting and dust, float32 (y, x).
        sky
            Coefficients of `sky_coefficients`, e-/s; ``tint`` is its factor for each pixel of the CFA cell.
        temperature
            Of the sensor, degrees C; None for the set temperature.
        rays
            Flat pixel numbers and charge (e-) of cosmic rays, as of `cosmic_rays`.
        """
        camera = self.camera
        height, width = camera.height, camera.width
        out = np.empty((height, width), np.uint16)
        light = np.zeros((height, width), np.float32) if light is None else light
        sky = np.zeros(6) if sky is None else np.asarray(sky, dtype=np.float64)
        tint = np.ones((2, 2)) if tint is None else np.asarray(tint, dtype=np.float64)
        warmth = 1.0 if temperature is None else 2.0 ** ((temperature - camera.temperature) / 6.0)
        dark = self.dark if warmth == 1.0 else self.dark * np.float32(warmth)
        rows = (camera.banding * rng.standard_normal(height)).astype(np.float32)
        where, charge = rays if rays is not None else (np.zeros(0, np.int64), np.zeros(0, np.float32))
        band = np.empty((BAND_ROWS, width), np.float32)
        normal = np.empty_like(band)
        uniform = np.empty_like(band)
        for first in range(0, height, BAND_ROWS):
            n = min(BAND_ROWS, height - first)
            electrons = band[:n]
            kernels.expected_electrons(light, first, sky, tint, self.flat, dark, float(exposure), electrons)
            rng.standard_normal(dtype=np.float32, out=normal[:n])
            low = bool(exposure > 0 and electrons.min() < kernels.POISSON_EXACT_BELOW)
            if low:
                rng.random(dtype=np.float32, out=uniform[:n])
            kernels.add_noise(electrons, normal[:n], uniform[: n if low else 0], camera.read_noise)
            start, stop = np.searchsorted(where, [first * width, (first + n) * width])
            electrons.reshape(-1)[where[start:stop] - first * width] += charge[start:stop]
            kernels.digitise(electrons, first, self.bias, rows, camera.gain, camera.full_well, camera.top, out)
        return out


def make_detector(camera: Camera, telescope: Telescope, rng: np.random.Generator) -> Detector:
    """A camera with faults drawn from ``rng``."""
    shape = (camera.height, camera.width)
    dark, hot = _dark(camera, rng)
    cell = np.zeros((2, 2), np.int64)
    if camera.cfa:
        cell = np.array([CHANNELS.index(c) for c in camera.cfa]).reshape(2, 2)
    return Detector(camera, _bias(camera, rng), dark, _flat(camera, telescope, rng, shape), hot, cell)


def _bias(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    height, width = camera.height, camera.width
    columns = camera.column_pattern * rng.standard_normal(width)
    rows = camera.row_pattern * rng.standard_normal(height)
    # The first rows after the reset settle slowly.
    rows += 6.0 * camera.row_pattern * np.exp(-np.arange(height) / 12.0)
    plane = rng.standard_normal((height, width), dtype=np.float32)
    plane *= np.float32(camera.pixel_pattern)
    plane += (camera.bias_level + columns)[None, :].astype(np.float32)
    plane += rows[:, None].astype(np.float32)
    return plane


def _dark(camera: Camera, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    height, width = camera.height, camera.width
    # Dark current differs from pixel to pixel; a lognormal law fits measured sensors.
    plane = rng.standard_normal((height, width), dtype=np.float32)
    np.exp(plane * np.float32(0.3) - np.float32(0.045), out=plane)
    plane *= np.float32(camera.dark_current)
    v, u = np.ogrid[-0.5 : 0.5 : height * 1j, 0 : 1 : width * 1j]
    from_edge = 1.02 - u
    reach = np.hypot(from_edge, 0.9 * (v - 0.08))
    rays = 1.0 + 0.35 * np.cos(9.0 * np.arctan2(v - 0.08, from_edge)) * np.clip(reach / 0.1, 0, 1)
    glow = np.exp(-reach / 0.11) * rays + 0.35 * np.exp(-np.hypot(from_edge, v + 0.5) / 0.06)
    plane += (camera.amp_glow * glow / glow.max()).astype(np.float32)
    n_hot = rng.binomial(height * width, camera.hot_fraction)
    hot = np.sort(rng.choice(height * width, n_hot, replace=False))
    faint, bright = 0.2**-0.9, 500.0**-0.9
    rates = (faint - rng.random(n_hot) * (faint - bright)) ** (-1.0 / 0.9)
    plane.reshape(-1)[hot] += rates.astype(np.float32)
    return plane, hot


def _flat(camera: Camera, telescope: Telescope, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    height, width = shape
    diagonal = 0.5 * math.hypot(height, width)
    rows, columns = np.ogrid[:height, :width]
    # The optical axis is never quite in the middle of the sensor.
    off = rng.normal(0.0, 0.03, 2) * diagonal
    r2 = ((columns - width / 2 - off[0]) ** 2 + (rows - height / 2 - off[1]) ** 2) / diagonal**2
    plane = (1.0 - telescope.vignetting * (0.55 * r2 + 0.45 * r2 * r2)).astype(np.float32)
    for _ in range(telescope.dust):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        outer = rng.uniform(0.012, 0.04) * diagonal * rng.choice([0.6, 1.0, 1.5])
        inner = 0.45 * outer
        depth = rng.uniform(0.02, 0.08) / (1.0 + outer / (0.03 * diagonal))
        edge = 0.1 * outer
        left, right = max(0, int(x - 2 * outer)), min(width, int(x + 2 * outer) + 1)
        low, high = max(0, int(y - 2 * outer)), min(height, int(y + 2 * outer) + 1)
        r = np.hypot(columns[:, left:right] - x, rows[low:high] - y)
        ring = 0.5 * (np.tanh((outer - r) / edge) - np.tanh((inner - r) / edge))
        plane[low:high, left:right] *= (1.0 - depth * ring).astype(np.float32)
    response = rng.standard_normal(shape, dtype=np.float32)
    plane *= np.float32(1.0) + np.float32(camera.pixel_response) * response
    cold = rng.choice(height * width, rng.binomial(height * width, camera.cold_fraction), replace=False)
    plane.reshape(-1)[cold] *= rng.uniform(0.05, 0.6, len(cold)).astype(np.float32)
    np.maximum(plane, np.float32(0.01), out=plane)
    plane /= np.float32(plane.mean(dtype=np.float64))
    return plane
