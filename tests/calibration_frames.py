"""Small calibration frames on disk, as capture programs write them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from firstlight.io.fits_writer import write_raw_fits

START = datetime(2026, 1, 17, 18, 0)
CAMERA = {"INSTRUME": "QHY600M", "GAIN": 26, "OFFSET": 10, "SET-TEMP": -10.0, "XBINNING": 1, "YBINNING": 1}
SHAPE = (48, 64)
_TYPES = {"bias": "BIAS", "dark": "DARK", "flat": "FLAT", "light": "LIGHT", "dark flat": "DARKFLAT"}


def write_frames(folder: Path, kind: str, n: int, *, level=500.0, noise=5.0, shape=SHAPE, seed=0, days=0.0, **cards):
    """``n`` frames of one kind: a fixed pattern, read noise, and these cards (None leaves one out)."""
    folder.mkdir(parents=True, exist_ok=True)
    pattern = np.random.default_rng(99).normal(0, 3, shape)
    paths = []
    for i in range(n):
        pixels = level + pattern + np.random.default_rng([seed, i, len(kind)]).normal(0, noise, shape)
        path = folder / f"{kind.replace(' ', '')}_{i:03d}.fits"
        start = START + timedelta(days=days, minutes=i)
        write_frame(path, pixels, kind, **{"DATE-OBS": start.isoformat(), **cards})
        paths.append(path)
    return paths


def write_frame(path: Path, pixels: np.ndarray, kind: str, **cards) -> Path:
    """One frame of these pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"IMAGETYP": _TYPES[kind], **CAMERA, **cards}
    numbers = np.clip(np.round(pixels), 0, 65535).astype(np.uint16)
    write_raw_fits(path, numbers, [(k, v, "") for k, v in given.items() if v is not None])
    return path
