"""Know a detector: gain, read noise, full well, linearity, dark current and bad pixels, from its own frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.io.frame import Frame
from firstlight.library.build import Master, build_master
from firstlight.library.match import temperature_of
from firstlight.library.plans import MasterPlan
from firstlight.model.meta import Kind
from firstlight.ops.inspect.dark_current import (
    DarkLevel,
    DarkRate,
    dark_rate,
    doubling_temperature,
    typical_level,
)
from firstlight.ops.inspect.linearity import Level, fit_correction, fit_line
from firstlight.ops.inspect.transfer import (
    Points,
    breaking_point,
    clipped_noise,
    fit_transfer,
    pair_gain,
    transfer_points,
)
from firstlight.ops.registry import Params
from firstlight.pipeline.detector_frames import DetectorFrames, colours_of, forget_pixels, gather, pixels
from firstlight.pipeline.detector_numbers import Colour, Measured, ReadNoise, mean_of
from firstlight.pipeline.detector_pixels import BadPixels, find_bad_pixels, hot_growth
from firstlight.pipeline.executors import memory_budget, ordered, thread_count, thread_pool
from firstlight.pipeline.progress import Progress
from firstlight.units import Adu, Seconds

PAIRS = 24
"""Pairs of one group that are looked at: more add little."""
BRIGHT = 0.95
"""Flats above this share of saturation take no part in the linearity."""
CORRELATED = 0.02
"""Noise of neighbouring pixels that is more alike than this makes the gain too large."""


class DetectorSettings(Params):
    """Choices of `firstlight detector`."""

    saturation: Annotated[Adu, Field(ge=0)] = 0.0
    """Level of full pixels; 0: as the header says, or as the frames show."""
    shortest: Annotated[Seconds, Field(ge=0)] = 0.0
    """Flats of a shorter exposure take no part in the linearity (slow shutters)."""
    longest: Annotated[Seconds, Field(ge=0)] = 0.0
    """Flats of a longer exposure take no part in the linearity; 0: no limit."""
    clip: bool = True
    """Leave differences beyond 4 sigma (cosmic rays, telegraph noise) out of the read noise."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker threads; 0: one per core."""
    memory: Annotated[int, Field(ge=0)] = 0
    """Memory that the masters may use, MB; 0: half of what is free."""


def measure_detectors(
    sources: Sequence[str | Path], settings: DetectorSettings | None = None, progress: Progress | None = None
) -> list[Measured]:
    """Measure every detector and setting whose frames are among the sources (files or folders).

    Raises
    ------
    InputError
        No bias frames, darks or flats among them.
    """
    settings, progress = settings or DetectorSettings(), progress or Progress()
    found = gather([Path(source) for source in sources], progress)
    with thread_pool(settings.threads) as executor:
        return [_Bench(frames, settings, executor, progress).measure() for frames in found]


class _Bench:
    """One detector being measured."""

    def __init__(
        self, frames: DetectorFrames, settings: DetectorSettings, executor: Executor, progress: Progress
    ) -> None:
        self.frames, self.settings, self.executor, self.progress = frames, settings, executor, progress
        self.places = colours_of(frames.meta.cfa, frames.shape[0])
        self.workers = thread_count(settings.threads)
        self.notes: list[str] = list(frames.broken)
        self._masters: dict[int, Master] = {}

    def measure(self) -> Measured:
        frames = self.frames
        self.saturation, self.saturation_from = self._saturation()
        noises, histogram, row_noise = self._bias_pairs()
        best = max(frames.biases, key=len, default=())
        master = self.master(best, Kind.BIAS)
        level = None if master is None else clipped_noise(master)[0]
        pattern = self._bias_pattern(best, master, noises)
        reading = noises.get(id(best), {})
        flats, correlation = self._flat_pairs(reading)
        fitted = {}
        for name in self.places:
            points, gains = flats.get(name, (None, []))
            noise = reading.get(name)
            variance = noise.adu**2 if noise else None
            limit = None if self.saturation is None else self.saturation - (level or 0.0)
            breaks = None if points is None else breaking_point(points)
            fit = None if points is None else fit_transfer(points, variance, breaks or limit)
            pair = float(np.median(gains)) if gains else math.nan
            error = (
                float(np.std(gains) / math.sqrt(len(gains)))
                if len(gains) > 1
                else (fit.gain_error if fit else math.nan)
            )
            fitted[name] = Colour(noise, pair, error, points, fit, breaks)
        breaks = [c.breaks_at for c in fitted.values() if c.breaks_at]
        full = min(
            [(level or 0.0) + each for each in breaks] + ([self.saturation] if self.saturation else []), default=np.inf
        )
        levels = self._levels(BRIGHT * full)
        colours = {n: replace(c, levels=levels[n], linearity=fit_line(levels[n])) for n, c in fitted.items()}
        gain = mean_of([c.gain for c in colours.values()])
        bad, rates = self._darks(gain, master, level)
        measured = Measured(
            frames, colours, level, pattern, row_noise, correlation,
            {temperature_of(g[0].meta): float(np.mean([n.adu for n in noises[id(g)].values()])) for g in frames.biases
             if id(g) in noises},
            histogram, self.saturation, self.saturation_from, fit_correction([c.levels for c in colours.values()]),
            rates, bad=bad,
        )  # fmt: skip
        doubling, how = self._doubling(rates, bad)
        forget_pixels()
        self._advise(measured)
        return replace(measured, doubling=doubling, doubling_from=how, notes=tuple(self.notes))

    def master(self, group: Sequence[Frame], kind: Kind, under: Sequence[Frame] = ()) -> np.ndarray | None:
        """Master of a group, adu (flats: mean 1), float32 (channels, y, x); None of an empty or unusable one."""
        made = self.built(group, kind, under)
        return None if made is None else made.image.data

    def built(self, group: Sequence[Frame], kind: Kind, under: Sequence[Frame] = ()) -> Master | None:
        if not group:
            return None
        if id(group) not in self._masters:
            channels, _, width = self.frames.shape
            rows = memory_budget(self.settings.memory) // max(1, self.workers * 12 * channels * width * len(group))
            below = self.built(under, Kind.BIAS) if under else None
            plan = MasterPlan(kind, tuple(group), below.plan if below else None)
            try:
                made = build_master(plan, below, self.executor, rows=int(max(8, min(128, rows))))
            except FrameError as error:
                self.notes.append(str(error))
                return None
            self._masters[id(group)] = made
        return self._masters[id(group)]

    def _saturation(self) -> tuple[float | None, str]:
        if self.settings.saturation:
            return self.settings.saturation, "as given"
        tops: dict[float, int] = {}
        for group in (*self.frames.flats, *self.frames.darks):
            values = pixels(group[-1])
            top = float(values.max())
            tops[top] = tops.get(top, 0) + int(np.count_nonzero(values == top))
        top = max(tops, default=0.0)
        # Noise never piles up on its highest number; full pixels do.
        if tops and tops[top] >= 20:
            return top, "as the frames show"
        known = self.frames.meta.saturation
        return (known, "as the header says") if known else (None, "")

    def _bias_pairs(
        self,
    ) -> tuple[dict[int, dict[str, ReadNoise]], tuple[np.ndarray, np.ndarray, float] | None, float | None]:
        """Read noise of each bias group and colour, by ``id`` of the group."""
        found: dict[int, dict[str, ReadNoise]] = {}
        histogram, rows = None, []
        total = sum(max(len(g) - 1, 0) for g in self.frames.biases)
        self.progress.begin("bias pairs", total, "pairs")
        for group in sorted(self.frames.biases, key=len):
            if len(group) < 2:
                self.notes.append(f"{group[0].name}: one bias frame alone tells no read noise; two or more do")
                continue
            sigmas: dict[str, list[float]] = {name: [] for name in self.places}
            pairs = list(pairwise(group))[:PAIRS]
            for difference in ordered(self.executor, _difference, pairs, self.workers):
                for name, places in self.places.items():
                    values = np.concatenate([difference[place].ravel() for place in places])
                    sigma = clipped_noise(values)[1] if self.settings.clip else float(values.std(dtype=np.float64))
                    sigmas[name].append(sigma)
                rows.append(_row_noise(difference[0], np.mean([s[-1] for s in sigmas.values()])))
                self.progress.advance(1)
            sigma = float(np.mean([np.median(s) for s in sigmas.values()]))
            histogram = _histogram(difference, sigma)
            found[id(group)] = {
                name: ReadNoise(
                    float(np.median(s)),
                    float(max(np.std(s) / math.sqrt(len(s)), s[0] / math.sqrt(2.0 * difference.size))),
                    len(s), temperature_of(group[0].meta),
                )
                for name, s in sigmas.items()
            }  # fmt: skip
        self.progress.end()
        return found, histogram, (float(np.median(rows)) if rows else None)

    def _bias_pattern(
        self, group: Sequence[Frame], master: np.ndarray | None, noises: dict[int, dict[str, ReadNoise]]
    ) -> float | None:
        if master is None or id(group) not in noises:
            return None
        noise = np.mean([n.adu for n in noises[id(group)].values()])
        scatter = clipped_noise(master)[1] ** 2 - noise**2 / len(group)
        return math.sqrt(max(scatter, 0.0))

    def _flat_pairs(self, reading: dict[str, ReadNoise]) -> tuple[dict[str, tuple[Points, list[float]]], float | None]:
        """Tiles of all pairs of flats and the gain of each pair, by colour; and how alike neighbours' noise is."""
        work = []
        for group in self.frames.flats:
            offset = self._offset(group)
            work += [(one, two, offset) for one, two in list(pairwise(group))[:PAIRS]]
        self.progress.begin("flat pairs", len(work), "pairs")
        parts: dict[str, list[Points]] = {name: [] for name in self.places}
        gains: dict[str, list[float]] = {name: [] for name in self.places}
        alike = []
        for points, correlation in ordered(self.executor, self._pair, work, self.workers):
            alike.append(correlation)
            for name, mine in points.items():
                parts[name].append(mine)
                if name in reading and len(mine.signal):
                    gain = pair_gain(mine, reading[name].adu ** 2)
                    # Bright flats alone: on dim ones read noise is most of the noise.
                    if math.isfinite(gain) and np.median(mine.variance) > 4 * reading[name].adu ** 2:
                        gains[name].append(gain)
            self.progress.advance(1)
        self.progress.end()
        joined = {name: (Points.join(p), gains[name]) for name, p in parts.items() if p}
        return joined, (float(np.median(alike)) if alike else None)

    def _offset(self, group: Sequence[Frame]) -> np.ndarray | None:
        """What flats stand on: the bias nearest in temperature, else a dark of their exposure."""
        bias = self.frames.bias_near(temperature_of(group[0].meta)) or max(self.frames.biases, key=len, default=())
        if bias:
            return self.master(bias, Kind.BIAS)
        exposure = group[0].meta.exposure
        darks = [d for d in self.frames.darks if d[0].meta.exposure == exposure and exposure is not None]
        return self.master(darks[0], Kind.DARK) if darks else None

    def _pair(self, work: tuple[Frame, Frame, np.ndarray | None]) -> tuple[dict[str, Points], float]:
        one, two, offset = work
        a, b = pixels(one), pixels(two)
        limit = self.saturation if self.saturation is not None else np.inf
        found = {}
        for name, places in self.places.items():
            found[name] = Points.join(
                [transfer_points(a[p], b[p], 0.0 if offset is None else offset[p], limit) for p in places]
            )
        place = next(iter(self.places.values()))[0]
        difference = np.subtract(a[place], b[place], dtype=np.float64)
        return found, _correlation(difference)

    def _levels(self, limit: float) -> dict[str, tuple[Level, ...]]:
        """Mean signal of each exposure, by colour, of the filter with most exposures; full are pixels at ``limit``."""
        by_filter: dict[str, list[tuple[Frame, ...]]] = {}
        for group in self.frames.flats:
            exposure = group[0].meta.exposure
            if not exposure or exposure < self.settings.shortest:
                continue
            if self.settings.longest and exposure > self.settings.longest:
                continue
            by_filter.setdefault(group[0].meta.filter or "", []).append(group)
        groups = max(by_filter.values(), key=len, default=[])
        levels: dict[str, list[Level]] = {name: [] for name in self.places}
        for group in groups:
            offset = self._offset(group)
            means = list(ordered(self.executor, lambda f, o=offset: self._signals(f, o, limit), group, self.workers))
            for name in self.places:
                signals = [m[name][0] for m in means]
                full = any(m[name][1] for m in means)
                levels[name].append(Level(float(group[0].meta.exposure), float(np.mean(signals)), full))
        return {name: tuple(sorted(mine, key=lambda level: level.exposure)) for name, mine in levels.items()}

    def _signals(self, frame: Frame, offset: np.ndarray | None, limit: float) -> dict[str, tuple[float, bool]]:
        values = pixels(frame)
        found = {}
        for name, places in self.places.items():
            raw = np.concatenate([values[p].ravel() for p in places])
            base = 0.0 if offset is None else np.concatenate([offset[p].ravel() for p in places])
            found[name] = (float(np.mean(raw - base, dtype=np.float64)), bool(np.mean(raw >= limit) > 1e-3))
        return found

    def _darks(
        self, gain: float | None, bias: np.ndarray | None, level: float | None
    ) -> tuple[BadPixels | None, tuple[DarkRate, ...]]:
        ladders: dict[float | None, list[DarkLevel]] = {}
        self.progress.begin("darks", len(self.frames.darks), "groups")
        for group in self.frames.darks:
            master = self.master(group, Kind.DARK)
            temperature = temperature_of(group[0].meta)
            base = self.master(self.frames.bias_near(temperature), Kind.BIAS)
            self.progress.advance(1)
            if master is None or not group[0].meta.exposure:
                continue
            typical, error = typical_level(master if base is None else master - base)
            key = None if temperature is None else round(temperature)
            if base is None and sum(abs((temperature_of(g[0].meta) or 0) - (temperature or 0)) < 1
                                    for g in self.frames.darks) < 3:  # fmt: skip
                self.notes.append(f"{group[0].name}: no bias of its temperature: its dark current is not known")
                continue
            ladders.setdefault(key, []).append(DarkLevel(group[0].meta.exposure, typical, error))
        self.progress.end()
        rates = [dark_rate(ladder, gain or math.nan, temperature) for temperature, ladder in ladders.items()]
        known = sorted((r for r in rates if r is not None), key=lambda r: (r.temperature is None, r.temperature or 0.0))
        bad = find_bad_pixels(self, gain)
        return bad, tuple(known)

    def _doubling(self, rates: Sequence[DarkRate], bad: BadPixels | None) -> tuple[tuple[float, float] | None, str]:
        """From the typical pixel where it is warm enough, otherwise from the hot ones."""
        typical = doubling_temperature([(r.temperature, r.rate, r.error) for r in rates if r.temperature is not None])
        if typical is not None and typical[1] < 0.05 * typical[0]:
            return typical, "typical pixels"
        hot = doubling_temperature(hot_growth(self, bad)) if bad is not None else None
        if hot is not None and (typical is None or hot[1] < typical[1]):
            return hot, "hot pixels"
        return typical, "typical pixels" if typical else ""

    def _advise(self, measured: Measured) -> None:
        if measured.gain is None:
            self.notes.append("no gain: it takes two or more flats of one exposure and two or more bias frames")
        if measured.correlation is not None and abs(measured.correlation) > CORRELATED:
            self.notes.append(
                f"the noise of neighbouring pixels is alike ({measured.correlation:+.3f}): the frames were smoothed or "
                "interpolated, and the gain is too large"
            )
        for name, c in measured.colours.items():
            if c.transfer and c.by_curve and math.isfinite(c.pair_gain) and abs(c.pair_gain / c.gain - 1) > 0.05:
                self.notes.append(f"{name}: pairs alone give {c.pair_gain:.3f} e-/adu, the curve {c.gain:.3f}")
        header = self.frames.meta.gain
        if header and measured.gain and abs(measured.gain / header - 1) > 0.03:
            self.notes.append(f"the header says {header:.4g} e-/adu, measured are {measured.gain:.4g}")


def _difference(pair: tuple[Frame, Frame]) -> np.ndarray:
    """Half-noise difference (adu): its standard deviation is that of one frame."""
    difference = np.subtract(pixels(pair[0]), pixels(pair[1]), dtype=np.float32)
    return (difference - np.float32(difference.mean(dtype=np.float64))) / np.float32(math.sqrt(2))


def _histogram(difference: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Classes as wide as whole numbers of the steps that the values come in: others would look like a comb."""
    values = np.unique(difference[:, :64])
    step = float(np.median(np.diff(values))) if len(values) > 1 else 1.0
    width = step * max(1, round(sigma / 6 / step))
    middle = float(values[np.argmin(np.abs(values))])
    n = int(8 * sigma / width) + 1
    edges = middle + (np.arange(-n, n + 2) - 0.5) * width
    return np.histogram(difference, edges)[0], edges, sigma


def _row_noise(difference: np.ndarray, sigma: float) -> float:
    """adu: scatter of the row means beyond what the noise of their pixels makes."""
    rows = np.median(difference, axis=1)
    white = 1.5708 * sigma**2 / difference.shape[1]
    excess = float(np.var(rows)) - white
    # The variance of so many rows is itself uncertain.
    return math.sqrt(excess) if excess > 3 * math.sqrt(2 / len(rows)) * white else 0.0


def _correlation(difference: np.ndarray) -> float:
    values = difference - np.median(difference)
    limit = 4 * 1.4826 * float(np.median(np.abs(values)))
    values = np.clip(values, -limit, limit)
    # Light that changed over the field is no noise: neighbours' differences far apart share it.
    near = float(np.mean(values[:, 1:] * values[:, :-1]))
    far = float(np.mean(values[:, 9:] * values[:, :-9])) if values.shape[1] > 20 else 0.0
    return (near - far) / max(float(np.mean(values**2)), 1e-12)
