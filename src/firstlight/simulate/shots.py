"""The plan of a simulated night: every frame with the conditions it is taken under."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from firstlight.simulate.faults import plant
from firstlight.simulate.geometry import airmass, altitude, frame_transform, panel_transform, pointing
from firstlight.simulate.scene import FWHM_PER_SIGMA, sky_coefficients
from firstlight.simulate.settings import Night
from firstlight.simulate.truth import FrameTruth, Trail

FOLDERS = {"light": "Lights", "dark": "Darks", "bias": "Bias", "flat": "Flats", "dark flat": "DarkFlats"}
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def generator(night: Night, purpose: int, number: int = 0) -> np.random.Generator:
    """Random numbers of the night for one purpose and frame; SFC64 is the quickest of NumPy's."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(night.seed, spawn_key=(purpose, number))))


PLAN, DETECTOR, FIELD, NEBULA, RAYS, NOISE, FAULTS = range(7)


def plan_shots(night: Night) -> tuple[FrameTruth, ...]:
    """All frames in the order they are taken: lights, then darks and bias, flats at dawn and their darks."""
    rng = generator(night, PLAN)
    clock = _Clock(night)
    shots = _plan_lights(night, rng, clock)
    for exposure in night.exposures:
        for i in range(night.n_darks):
            shots.append(_plan_dark(night, rng, clock, "dark", f"dark_{exposure:g}s_{i + 1:04d}", exposure, len(shots)))
    for i in range(night.n_bias):
        shots.append(_plan_dark(night, rng, clock, "bias", f"bias_{i + 1:04d}", 0.0, len(shots)))
    for name in night.filters:
        for i in range(night.n_flats):
            shots.append(_plan_flat(night, rng, clock, name, f"flat_{name}_{i + 1:04d}", len(shots)))
    for i in range(night.n_dark_flats):
        file = f"darkflat_{night.flat_exposure:g}s_{i + 1:04d}"
        shots.append(_plan_dark(night, rng, clock, "dark flat", file, night.flat_exposure, len(shots)))
    return tuple(shots)


class _Clock:
    def __init__(self, night: Night) -> None:
        self.now = night.start
        self.pause = night.pause

    def take(self, exposure: float) -> datetime:
        start = self.now
        self.now = start + timedelta(seconds=exposure + self.pause)
        return start


def _plan_lights(night: Night, rng: np.random.Generator, clock: _Clock) -> list[FrameTruth]:
    sky, telescope = night.sky, night.telescope
    blocks = [(exposure, name) for exposure in night.exposures for name in night.filters]
    n = night.n_lights * len(blocks)
    if n == 0:
        return []
    seeing = _wander(rng, n, sky.seeing_spread)
    clear = 1.0 - np.abs(_wander(rng, n, sky.transparency_spread))
    cloud = _clouds(rng, n, sky.clouds)
    swell = _wander(rng, n, 0.15)
    first_angle = rng.uniform(0.0, 360.0)
    crossed = _chosen(rng, n, night.trails)
    bumped = _chosen(rng, n, night.bumps)
    ra, dec = pointing(night)
    total = sum(e + night.pause for e, _ in blocks) * night.n_lights
    half_diagonal = 0.5 * math.hypot(*night.shape)
    panels = night.panels or ((0.0, 0.0),)
    moods = [(1.0, 1.0, 0.0)] * len(panels)
    if night.panels:
        moods = [tuple(rng.uniform([1 - s, 1 - s / 2, 0], [1 + s, 1, 360])) for s in [night.panel_spread] * len(panels)]
    shots: list[FrameTruth] = []
    for exposure, name in blocks:
        for i in range(night.n_lights):
            k = len(shots)
            start = clock.take(exposure)
            middle = start + timedelta(seconds=exposure / 2)
            seconds = (middle - night.start).total_seconds()
            hours = (start - night.start).total_seconds() / 3600.0
            flipped = night.meridian_flip and 2 * k >= n
            dx, dy = rng.uniform(-night.dither, night.dither, 2) if k else (0.0, 0.0)
            turn = night.rotation * hours + (180.0 if flipped else 0.0)
            transform = frame_transform(night.shape, dx + night.drift * hours, dy, turn)
            panel = i * len(panels) // night.n_lights
            transform = transform.then(panel_transform(night, *panels[panel]))
            bright, clean, toward = moods[panel]
            mass = airmass(altitude(ra, dec, middle, telescope.latitude, telescope.longitude))
            air = sky.seeing / night.pixel_scale * (1.0 + seeing[k]) * mass**0.6
            error = telescope.guiding * rng.uniform(0.7, 1.3) + (2.0 if bumped[k] else 0.0)
            long = math.hypot(air, FWHM_PER_SIGMA * error / night.pixel_scale)
            dimming = clean * 10.0 ** (-0.4 * (sky.extinction * mass + 0.7 * cloud[k]))
            level = (
                bright * sky.background * (1.0 + sky.moon * (seconds / total) ** 2) * mass**0.5 * (1.0 + 0.6 * cloud[k])
            )
            slope = sky.gradient * (1.0 + swell[k])
            direction = first_angle + toward + sky.gradient_turn * hours + (180.0 if flipped else 0.0)
            trails = ()
            if crossed[k]:
                # Through a point near the centre, so that the trail really crosses the frame.
                x, y = np.array(night.shape[::-1]) / 2 + rng.uniform(-0.4, 0.4, 2) * half_diagonal
                light = night.sky.background * exposure * rng.lognormal(1.8, 0.6)
                swing = float(rng.uniform(0.0, 0.6)) if rng.random() < 0.4 else 0.0
                width = math.hypot(air, 2.0)
                trails = (
                    Trail(
                        float(x), float(y), float(rng.uniform(0, 180)), light, width, swing, float(rng.uniform(80, 400))
                    ),
                )
            shots.append(
                FrameTruth(
                    file=f"Lights/light_{name}_{exposure:g}s_{i + 1:04d}.fits",
                    kind="light",
                    number=k,
                    filter=name,
                    exposure=exposure,
                    start=start.isoformat(),
                    temperature=_temperature(night, rng),
                    matrix=tuple(tuple(float(v) for v in row) for row in transform.matrix),  # type: ignore[arg-type]
                    pier_side="WEST" if night.meridian_flip and not flipped else "EAST",
                    airmass=mass,
                    fwhm=math.sqrt(long * air),
                    ellipticity=1.0 - air / long,
                    angle=(-telescope.position_angle - turn) % 180.0,
                    transparency=float(clear[k] * dimming),
                    sky=tuple(sky_coefficients(level, slope, direction, 0.02).tolist()),
                    trails=trails,
                )
            )
    return plant(shots, night, generator(night, FAULTS)) if night.faults else shots


def _plan_dark(
    night: Night, rng: np.random.Generator, clock: _Clock, kind: str, file: str, exposure: float, number: int
) -> FrameTruth:
    return FrameTruth(
        file=f"{FOLDERS[kind]}/{file}.fits",
        kind=kind,
        number=number,
        filter="",
        exposure=exposure,
        start=clock.take(exposure).isoformat(),
        temperature=_temperature(night, rng),
        matrix=_IDENTITY,
        pier_side="",
        airmass=0.0,
        fwhm=0.0,
        ellipticity=0.0,
        angle=0.0,
        transparency=0.0,
        sky=(0.0,) * 6,
    )


def _plan_flat(night: Night, rng: np.random.Generator, clock: _Clock, name: str, file: str, number: int) -> FrameTruth:
    camera = night.camera
    electrons = night.flat_level * (camera.saturation - camera.bias_level) * camera.gain
    lamp = electrons / night.flat_exposure * (1.0 + 0.03 * float(np.clip(rng.standard_normal(), -2, 2)))
    dark = _plan_dark(night, rng, clock, "flat", file, night.flat_exposure, number)
    return FrameTruth(**{**dark.__dict__, "filter": name, "sky": (lamp, 0.0, 0.0, 0.0, 0.0, 0.0)})


def _temperature(night: Night, rng: np.random.Generator) -> float:
    return round(night.camera.temperature + night.camera.temperature_spread * rng.standard_normal(), 2)


def _wander(rng: np.random.Generator, n: int, spread: float) -> np.ndarray:
    # A first-order autoregressive walk of this standard deviation, cut at twice it.
    memory = 0.8
    steps = rng.standard_normal(n)
    walk = np.empty(n)
    for k in range(n):
        walk[k] = steps[k] if k == 0 else memory * walk[k - 1] + math.sqrt(1 - memory**2) * steps[k]
    return spread * np.clip(walk, -2.0, 2.0)


def _clouds(rng: np.random.Generator, n: int, fraction: float) -> np.ndarray:
    # One bank of cloud, thick in its middle, 0 to 1.
    depth = np.zeros(n)
    length = round(fraction * n)
    if length:
        first = int(rng.integers(1, max(2, n - length + 1)))
        depth[first : first + length] = np.sin(np.pi * (np.arange(length) + 0.5) / length)[: n - first]
    return depth


def _chosen(rng: np.random.Generator, n: int, fraction: float) -> np.ndarray:
    # An exact share of the frames, so that a preset promises what it holds; never the first, the reference.
    chosen = np.zeros(n, bool)
    count = min(round(fraction * n), n - 1)
    chosen[1 + rng.permutation(n - 1)[:count]] = True
    return chosen
