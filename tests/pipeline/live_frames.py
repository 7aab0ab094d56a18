"""Frames of a live session, and a session that runs beside the test."""

import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from firstlight.io.fits_writer import Unit, write_units
from firstlight.pipeline.live import live
from firstlight.pipeline.live_settings import LiveSettings
from firstlight.pipeline.settings import Output
from firstlight.pipeline.watch import Journal

START = datetime(2026, 1, 17, 22, tzinfo=UTC)
SHAPE = (140, 180)
QUICK = LiveSettings(output=Output(pictures=False), poll=0.05, settle=0.1, every=0.2, patience=0.5)
SKY, NOISE, GAIN = 300.0, 6.0, 1.0


def stars(shift=(0.0, 0.0), fwhm=3.0, seed=3, n=40):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.zeros(SHAPE)
    sigma = fwhm / 2.3548
    places = zip(rng.uniform(14, SHAPE[1] - 14, n), rng.uniform(14, SHAPE[0] - 14, n), 10 ** rng.uniform(3.3, 4.8, n))
    for x, y, flux in places:
        distance = (xx - x - shift[0]) ** 2 + (yy - y - shift[1]) ** 2
        image += flux / (2 * np.pi * sigma**2) * np.exp(-distance / 2 / sigma**2)
    return image


def frame(i, *, level=SKY, dimming=1.0, rays=True, **options):
    """One calibrated frame with noise of the sky and of light, cosmic rays, and a trail in every fourth."""
    rng = np.random.default_rng(100 + i)
    shift = (0.0, 0.0) if i == 0 else tuple(rng.uniform(-4, 4, 2))
    light = dimming * stars(shift, **options)
    data = level + light + rng.normal(0, NOISE, SHAPE) + rng.normal(0, 1, SHAPE) * np.sqrt(light / GAIN)
    if rays:
        for _ in range(10):
            y, x = rng.integers(2, SHAPE[0] - 3), rng.integers(2, SHAPE[1] - 3)
            data[y, x : x + 2] += rng.uniform(200, 4000)
        if i % 4 == 3:
            xx = np.arange(SHAPE[1])
            yy = (20 + 5 * i + 0.3 * xx) % SHAPE[0]
            for offset, share in ((-1, 0.3), (0, 1.0), (1, 0.3)):
                data[(yy.astype(int) + offset) % SHAPE[0], xx] += 80 * share
    return data.astype(np.float32)


def put(folder, i, data=None, name=None, **cards):
    folder.mkdir(parents=True, exist_ok=True)
    start = START + timedelta(seconds=35 * i)
    facts = {"IMAGETYP": "light", "OBJECT": "M 1", "FILTER": "L", "EXPTIME": 30.0, "EGAIN": GAIN,
             "DATE-OBS": start.strftime("%Y-%m-%dT%H:%M:%S"), "SATURATE": 60000.0} | cards  # fmt: skip
    path = folder / (name or f"light_{i:03d}.fits")
    write_units(path, [Unit([(k, v, "") for k, v in facts.items()], frame(i) if data is None else data)], False)
    return path


def stack_of(result):
    (path,) = (result.output / "stacks").glob("*.fits")
    return path


def running(folder, settings=QUICK):
    """A live session in a thread; returns what stops it and gives its result."""
    stop, results = threading.Event(), []
    thread = threading.Thread(target=lambda: results.append(live(folder, settings, stop=stop)))
    thread.start()

    def end():
        stop.set()
        thread.join(60)
        return results[0]

    return end


def wait_for(folder, n, seconds=60.0):
    """Until n frames have a state."""
    limit = time.monotonic() + seconds
    journal = folder / "firstlight" / "journal.jsonl"
    while time.monotonic() < limit:
        if journal.exists() and len(Journal(journal).states) >= n:
            return
        time.sleep(0.05)
    pytest.fail(f"{n} frames were expected; the journal has {len(Journal(journal).states)}")
