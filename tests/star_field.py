"""Small frames of stars whose light is known, for photometry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from firstlight.io.fits_writer import write_raw_fits


def light_of(shape, x, y, flux, fwhm=3.0, beta=None):
    """Light of stars integrated over pixels (by 5 x 5 samples a pixel), in the unit of ``flux``."""
    height, width = shape
    plane = np.zeros(shape)
    sub = (np.arange(5) - 2) / 5
    reach = int(np.ceil((8 if beta else 3) * fwhm))
    for cx, cy, light in zip(x, y, np.broadcast_to(flux, np.shape(x))):
        ys = np.arange(max(int(cy) - reach, 0), min(int(cy) + reach + 1, height))
        xs = np.arange(max(int(cx) - reach, 0), min(int(cx) + reach + 1, width))
        if not len(ys) or not len(xs):
            continue
        yy, xx = (np.add.outer(axis, sub).ravel() - centre for axis, centre in ((ys, cy), (xs, cx)))
        r2 = yy[:, None] ** 2 + xx[None] ** 2
        if beta:
            alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
            profile = (beta - 1) / (np.pi * alpha2) * (1 + r2 / alpha2) ** -beta
        else:
            sigma2 = (fwhm / 2.3548) ** 2
            profile = np.exp(-r2 / (2 * sigma2)) / (2 * np.pi * sigma2)
        cells = profile.reshape(len(ys), 5, len(xs), 5).mean(axis=(1, 3))
        plane[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1] += light * cells
    return plane


def expose(light, rng, sky=200.0, gain=1.5, read_noise=4.0, bias=300.0):
    """A frame of numbers from electrons: photons of stars and sky, reading, rounding. adu, float64."""
    electrons = rng.poisson(light + sky) + rng.normal(0, read_noise, light.shape)
    return np.rint(electrons / gain + bias)


def scattered(rng, n, shape, apart=34.0, margin=20.0):
    """Positions on a grid that is shaken: neighbours keep at least ``apart`` less two px."""
    height, width = shape
    columns, rows = (max(int((size - 2 * margin) / apart), 1) for size in (width, height))
    if columns * rows < n:
        raise ValueError(f"{n} stars do not fit on {columns} x {rows} places")
    place = rng.permutation(columns * rows)[:n]
    x, y = margin + apart * (place % columns + 0.5), margin + apart * (place // columns + 0.5)
    return x + rng.uniform(-1, 1, n), y + rng.uniform(-1, 1, n)


def write_series(folder: Path, n=100, shape=(180, 200), depth=0.005, seed=11, extra=1.0, drift=0.05):
    """A night of frames of ten stars that drift; the first star has a transit in its middle third. Truth comes back."""
    rng = np.random.default_rng(seed)
    x, y = scattered(rng, 14, shape, 34.0, 20.0)
    flux = np.concatenate([[1.2e6], rng.uniform(0.7e6, 2.5e6, 9), rng.uniform(0.5e5, 2e5, 4)])
    start = datetime(2026, 1, 17, 20, tzinfo=UTC)
    phase = np.arange(n) / n
    inside = (phase > 1 / 3) & (phase < 2 / 3)
    for i in range(n):
        clouds = 1 - 0.1 * np.sin(7 * phase[i]) ** 2
        now = flux * clouds
        now[0] *= 10 ** (-0.4 * depth * inside[i])
        if extra != 1.0 and i == n // 10:
            now[0] *= extra
        frame = expose(light_of(shape, x + drift * i, y + 0.3 * drift * i, now, 3.4 + 0.3 * np.sin(i)), rng, gain=8.0)
        time = start + timedelta(seconds=60 * i)
        cards = [
            ("DATE-OBS", time.strftime("%Y-%m-%dT%H:%M:%S"), ""), ("EXPTIME", 30.0, ""), ("OBJECT", "Test b", ""),
            ("FILTER", "V", ""), ("GAIN", 8.0, "[e-/adu]"), ("EGAIN", 8.0, ""), ("RDNOISE", 4.0, ""),
            ("IMAGETYP", "light", ""), ("RA", 150.0, ""), ("DEC", 20.0, ""), ("SITELAT", 48.0, ""),
            ("SITELONG", 11.0, ""), ("INSTRUME", "Test camera", ""), ("OBSCODE", "TSTA", ""),
        ]  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        write_raw_fits(folder / f"light_{i:03d}.fits", np.clip(frame, 0, 65535).astype(np.uint16), cards)
    return x, y, flux, inside
