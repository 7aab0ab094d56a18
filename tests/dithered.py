"""Dithered frames of a known field of stars, in memory, and what is measured on their drizzled stack."""

from dataclasses import replace

import numpy as np
from scipy.special import erf

from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.drizzle import Drizzler
from firstlight.pipeline.integrate import Contribution, Engine
from firstlight.pipeline.mosaic import Colours
from memory_frame import memory_frame

SHAPE = (120, 150)
SKY, NOISE, GAIN = 800.0, 10.0, 2.0
_RNG = np.random.default_rng(11)
STARS = [
    (x, y, flux)
    for (x, y), flux in zip(
        [(x + _RNG.uniform(-3, 3), y + _RNG.uniform(-3, 3)) for y in range(18, 110, 17) for x in range(18, 140, 17)],
        np.geomspace(3e3, 3e5, 48),
    )
]
COLOUR = (0.7, 1.0, 0.5)


def turned(degrees, x, y):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Transform(np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]]))


def dithers(n, seed=0, degrees=0.2, by=4.0):
    rng = np.random.default_rng(seed)
    return [turned(rng.uniform(-degrees, degrees), *rng.uniform(-by, by, 2)) for _ in range(n)]


def light_of(transform, fwhm=2.0, cfa=""):
    """What a camera sees, without noise: stars integrated over its pixels."""
    light = np.zeros(SHAPE)
    sigma = fwhm / 2.3548 * np.sqrt(2)
    ys, xs = (np.arange(n + 1) - 0.5 for n in SHAPE)
    colour = np.tile(np.asarray(COLOUR)[pattern_of(cfa)], (SHAPE[0] // 2, SHAPE[1] // 2)) if cfa else 1.0
    for (x, y), (_, _, flux) in zip(transform.inverse(np.array([star[:2] for star in STARS])), STARS):
        light += flux * np.outer(np.diff(erf((ys - y) / sigma)) / 2, np.diff(erf((xs - x) / sigma)) / 2)
    return SKY + light * colour


def frame_of(light, seed, *, noise=NOISE, gain=GAIN):
    rng = np.random.default_rng(seed)
    pixels = light + rng.standard_normal(SHAPE) * np.sqrt(noise**2 + np.maximum(light - SKY, 0) / gain)
    return memory_frame(f"light_{seed}", pixels.astype(np.float32), gain=gain)


def contribution(frame, transform, *, bad=None, **facts):
    bad = np.zeros(SHAPE, bool) if bad is None else bad
    one = np.ones(3)
    made = Contribution(
        frame, Calibration(defects=(Defects.of(bad),)), transform, one, SKY * one, NOISE * one, 1.0, GAIN, fwhm=2.0
    )
    return replace(made, **facts)


def engine_of(parts, *, cfa="", method="winsorized", grid=None, **more):
    return Engine(
        tuple(parts), grid or Grid(*SHAPE, Transform.identity()), np.full(3, SKY), Combine(method=method), "lanczos3",
        1.0, Colours(cfa, "bilinear") if cfa else None, **more,
    )  # fmt: skip


def run(engine, drizzle, executor, workers=2, budget=10**8):
    drizzler = Drizzler.of(engine, engine.run(executor, workers, budget), drizzle)
    return drizzler, drizzler.run(executor, workers, budget)


def photometry(plane, scale, radius=5.0):
    """Flux and place of every star, in the units of the frames."""
    found = []
    for x, y, _ in STARS:
        cx, cy = scale * np.array([x, y]) + 0.5 * (scale - 1)
        n = int(scale * (radius + 1))
        ys, xs = np.mgrid[int(cy) - n : int(cy) + n + 1, int(cx) - n : int(cx) + n + 1]
        distance = np.hypot(ys - cy, xs - cx) / scale
        inside = np.clip((radius - distance) * scale + 0.5, 0, 1)
        light = (plane[int(cy) - n : int(cy) + n + 1, int(cx) - n : int(cx) + n + 1].astype(float) - SKY) * inside
        near = light * (distance < 3)
        total = near.sum()
        found.append((light.sum() / scale**2, ((near * xs).sum() / total - cx) / scale,
                      ((near * ys).sum() / total - cy) / scale))  # fmt: skip
    return np.array(found)


FLUXES = np.array([flux for _, _, flux in STARS])
