"""Bad pixels of a detector: hot, warm, cold, dead, noisy, jumping, and lines of them; and the glow on its darks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from firstlight.io.frame import Frame
from firstlight.library.defects import flag_cold, flag_hot, stands_out
from firstlight.library.match import temperature_of
from firstlight.library.raw import adu_rows
from firstlight.model.flags import Flag, has
from firstlight.model.meta import Kind
from firstlight.ops.inspect.bad_lines import BadLine, find_bad_lines, mask_of
from firstlight.ops.inspect.glow import Glow, measure_glow
from firstlight.ops.inspect.telegraph import FEWEST, find_telegraph

if TYPE_CHECKING:
    from firstlight.pipeline.detector import _Bench

WARM_SIGMA = 5.0
"""Warm pixels stand this far above their neighbours, but not as far as hot ones."""
DEAD = 0.1
"""A dead pixel answers less than this fraction of its neighbours' light."""
STEPS = (0.1, 1.0, 10.0, 100.0)
"""e-/s above the neighbours, at which pixels are counted."""
BAND = 64
MOST = 64
"""Frames that telegraph noise is looked for in."""


@dataclass(frozen=True, eq=False)
class BadPixels:
    """Masks are boolean (channels, y, x)."""

    flags: np.ndarray
    """uint16: HOT and COLD, lines included."""
    warm: np.ndarray
    dead: np.ndarray
    noisy: np.ndarray | None
    """None: too few frames."""
    jumping: np.ndarray | None
    lines: tuple[tuple[str, BadLine], ...] = ()
    """With the master that shows it: bias, dark or flat."""
    excess: np.ndarray | None = None
    """Dark current above that of the neighbours, adu/s."""
    dark: tuple[Frame, ...] = ()
    """The darks that hot pixels were sought on."""
    counts: dict[float, int] = field(default_factory=dict)
    """Pixels above so many e-/s."""
    glow: Glow | None = None
    """adu/s."""
    dark_rate: np.ndarray | None = None
    """adu/s, (y, x), for the picture."""
    flat: np.ndarray | None = None

    @property
    def hot(self) -> np.ndarray:
        return has(self.flags, Flag.HOT)

    @property
    def cold(self) -> np.ndarray:
        return has(self.flags, Flag.COLD)


def find_bad_pixels(bench: _Bench, gain: float | None) -> BadPixels | None:
    """What the masters of the bench show; None without darks, flats and bias frames."""
    frames, cfa = bench.frames, bench.frames.meta.cfa
    step = 2 if cfa else 1
    shape = frames.shape
    flags = np.zeros(shape, np.uint16)
    warm, dead = np.zeros(shape, bool), np.zeros(shape, bool)
    lines: list[tuple[str, BadLine]] = []
    excess = glow = rate = None
    counts: dict[float, int] = {}
    dark = _best_dark(frames.darks)
    biases = max(frames.biases, key=len, default=())
    bias = bench.master(biases, Kind.BIAS)
    if bias is not None and len(biases) > 1:
        lines += [("bias", line) for line in find_bad_lines(bias[0], step)]
    if dark:
        master = bench.master(dark, Kind.DARK)
        base = bench.master(frames.bias_near(temperature_of(dark[0].meta)), Kind.BIAS)
        seconds = dark[0].meta.exposure or 1.0
        if master is not None:
            flags |= flag_hot(master, cfa)
            warm, above = stands_out(master, cfa, WARM_SIGMA)
            warm &= ~has(flags, Flag.HOT)
            excess = above / np.float32(seconds)
            if gain:
                sure = has(flags, Flag.HOT) | warm
                counts = {s: int(np.count_nonzero(sure & (excess * gain > s))) for s in STEPS}
            current = master if base is None else master - base
            glow = measure_glow(current[0] / np.float32(seconds))
            rate = current[0] / np.float32(seconds)
            lines += [("dark", line) for line in find_bad_lines(current[0], step)]
    flats = max(frames.flats, key=len, default=())
    flat = bench.master(flats, Kind.FLAT, frames.bias_near(temperature_of(flats[0].meta))) if flats else None
    if flat is not None:
        cold = flag_cold(flat, cfa)
        flags |= cold
        dead = has(cold, Flag.COLD) & (flat < DEAD)
        lines += [("flat", line) for line in find_bad_lines(flat[0], step)]
    for source, line in lines:
        bit = Flag.COLD if source == "flat" else Flag.HOT
        flags[0] |= np.where(mask_of([line], shape[1:]), np.uint16(bit), np.uint16(0))
    noisy, jumping = _telegraph(bench)
    if not (dark or flats or biases):
        return None
    return BadPixels(
        flags, warm, dead, noisy, jumping, tuple(lines), excess, dark, counts, glow, rate,
        None if flat is None else flat[0],
    )  # fmt: skip


def _best_dark(groups: Sequence[tuple[Frame, ...]]) -> tuple[Frame, ...]:
    """The longest exposure of at least 3 darks, else the longest; of the warmest sensor."""
    many = [g for g in groups if len(g) >= 3] or list(groups)
    return max(many, key=lambda g: (g[0].meta.exposure or 0, temperature_of(g[0].meta) or 0, len(g)), default=())


def _telegraph(bench: _Bench) -> tuple[np.ndarray | None, np.ndarray | None]:
    groups = [*bench.frames.biases, *bench.frames.darks]
    group = max(groups, key=len, default=())[:MOST]
    if len(group) < FEWEST:
        return None, None
    shape = bench.frames.shape
    noisy, jumping = np.zeros(shape, bool), np.zeros(shape, bool)

    def band(top: int) -> None:
        bottom = min(top + BAND, shape[1])
        cube = np.stack([adu_rows(frame, top, bottom) for frame in group])
        for channel in range(shape[0]):
            noisy[channel, top:bottom], jumping[channel, top:bottom] = find_telegraph(cube[:, channel])

    tops = range(0, shape[1], BAND)
    bench.progress.begin("telegraph noise", len(tops), "bands")
    for future in [bench.executor.submit(band, top) for top in tops]:
        future.result()
        bench.progress.advance(1)
    bench.progress.end()
    return noisy, jumping


def hot_growth(bench: _Bench, bad: BadPixels) -> list[tuple[float, float, float]]:
    """Temperature, rate (relative) and error of the hot pixels at each temperature: medians of their ratios."""
    if not bad.dark or bad.excess is None:
        return []
    white = bench.saturation or np.inf
    by_temperature: dict[int, tuple[Frame, ...]] = {}
    for group in bench.frames.darks:
        temperature = temperature_of(group[0].meta)
        if temperature is None or not group[0].meta.exposure:
            continue
        key = round(temperature)
        if key not in by_temperature or _weight(group) > _weight(by_temperature[key]):
            by_temperature[key] = group
    found = []
    own = bench.master(bad.dark, Kind.DARK)
    for temperature, group in by_temperature.items():
        master = bench.master(group, Kind.DARK)
        if master is None or own is None:
            continue
        above = stands_out(master, bench.frames.meta.cfa, WARM_SIGMA)[1] / np.float32(group[0].meta.exposure)
        usable = bad.hot & (master < 0.8 * white) & (own < 0.8 * white)
        # The median of ratios: faint hot pixels alone would be drowned by noise, so the brighter half speaks.
        limit = np.median(bad.excess[usable]) if usable.any() else 0.0
        ratios = above[usable & (bad.excess > limit)] / bad.excess[usable & (bad.excess > limit)]
        if len(ratios) >= 20:
            error = 1.2533 * 1.4826 * float(np.median(np.abs(ratios - np.median(ratios)))) / np.sqrt(len(ratios))
            found.append((float(temperature), float(np.median(ratios)), max(error, 1e-4)))
    return found


def _weight(group: Sequence[Frame]) -> float:
    return (group[0].meta.exposure or 0.0) * len(group) ** 0.5
