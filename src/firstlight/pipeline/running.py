"""A stack that grows frame by frame, in memory that does not grow with it."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.kernels import running as kernels
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.align.grid import plan_grid
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.ops.stack.normalize import normalizing_line
from firstlight.pipeline.combined import combined_meta
from firstlight.pipeline.integrate import Contribution, Engine
from firstlight.pipeline.measure import Light
from firstlight.pipeline.mosaic import Colours
from firstlight.pipeline.register import Placed
from firstlight.pipeline.settings import Settings

FIRST = 7
"""Frames that are held and compared with one another before the running mean begins."""
LIMIT, CORE, WING = 4.0, 5.0, 2.0
"""Sigma: beyond the first a sample is rejected; beyond the last, next to one beyond the second."""
STEEP = 0.3
"""Share of the local range that seeing and registration may move a value on a star."""
TRUST = 8.0
"""Samples that the noise model counts for beside the scatter of the samples themselves."""
ROWS = 128


class Inline(Executor):
    """Does the work at once: what is handed to it runs in the thread that asks."""

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*args, **kwargs))
        return future


@dataclass(frozen=True)
class Entry:
    """A frame of a running stack, as its header needs it and its file remembers it."""

    file: str
    weight: float
    factor: float
    meta: Meta

    def as_record(self) -> dict[str, Any]:
        meta = self.meta
        return {
            "file": self.file, "weight": self.weight, "factor": self.factor, "exposure": meta.exposure,
            "start": _iso(meta.start), "end": _iso(meta.end), "middle": _iso(meta.middle), "gain": meta.gain,
            "read_noise": meta.read_noise, "n_combined": meta.n_combined, "calibrated": sorted(meta.calibrated),
            "saturation": meta.saturation,
        }  # fmt: skip

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Entry:
        facts = {k: v for k, v in record.items() if k not in ("file", "weight", "factor")}
        for name in ("start", "end", "middle"):
            facts[name] = None if facts[name] is None else datetime.fromisoformat(facts[name])
        facts["calibrated"] = frozenset(facts["calibrated"])
        return cls(record["file"], record["weight"], record["factor"], Meta(**facts))


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


@dataclass(eq=False)
class Planes:
    """State of the running mean, all (channels, y, x)."""

    mean: np.ndarray
    scatter: np.ndarray
    """Weighted sum of squares about the mean."""
    weight: np.ndarray
    count: np.ndarray
    """uint16: frames in each pixel."""
    rejected: np.ndarray
    saturated: np.ndarray
    """bool."""

    @classmethod
    def empty(cls, shape: tuple[int, int, int]) -> Planes:
        floats = [np.zeros(shape, np.float32) for _ in range(3)]
        return cls(*floats, np.zeros(shape, np.uint16), np.zeros(shape, np.uint16), np.zeros(shape, bool))


@dataclass(eq=False)
class Sample:
    """One frame, on the grid of the stack."""

    entry: Entry
    data: np.ndarray
    """float32 (channels, y, x), normalised; NaN where the frame has nothing."""
    saturated: np.ndarray
    noise: np.ndarray
    """Per channel: variance of the background times the weight."""
    photons: np.ndarray
    """Per channel: variance per unit of light times the weight."""


@dataclass(eq=False)
class RunningStack:
    """The mean of all frames so far.

    The first frames are held and compared with one another; then they, and each one after them, are judged by the mean
    and the scatter of those before (`firstlight.kernels.running`). The memory is that of six planes, and of the first
    frames while they are held.
    """

    name: str
    target: str
    reference: Light
    settings: Settings
    file: str
    """Of the reference."""
    planes: Planes | None = None
    held: list[Sample] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    """Frames in ``planes``."""
    hits: dict[str, float] = field(default_factory=dict)
    """Share of each frame's samples that were rejected."""
    noise: np.ndarray | None = None
    """Per channel: variance of the background of a frame of weight 1, as resampled."""
    photons: np.ndarray | None = None

    @property
    def n_frames(self) -> int:
        return len(self.entries) + len(self.held)

    @property
    def colours(self) -> Colours | None:
        cfa = self.reference.frame.meta.cfa
        return Colours(cfa, self.settings.calibrate.debayer) if cfa else None

    def add(self, file: str, placed: Placed) -> float:
        """Take in a frame; returns the share of its pixels that was rejected (0 while frames are held).

        Raises
        ------
        FrameError
            Its pixels cannot be read, or it does not cover the reference at all.
        """
        sample = self._sample(file, placed)
        if self.planes is None:
            self.held.append(sample)
            self.noise, self.photons = (
                np.mean([getattr(s, n) for s in self.held], axis=0) for n in ("noise", "photons")
            )
            if len(self.held) >= FIRST:
                self._begin()
            return 0.0
        share = self._absorb(sample, self.planes)
        self.entries.append(sample.entry)
        self.hits[file] = share
        return share

    def _sample(self, file: str, placed: Placed) -> Sample:
        light, ours, registration = placed.light, self.reference, self.settings.registration
        transform = placed.registration.transform
        mode = self.settings.normalize.mode
        factor, summand = normalizing_line(
            mode, placed.flux_ratio / transform.scale**2, light.level, ours.level, light.name
        )
        contribution = Contribution(
            light.frame, light.calibration, transform, factor, light.level, light.noise, 1.0,
            light.frame.meta.gain or 0.0, summand,
        )  # fmt: skip
        engine = Engine(
            (contribution,), plan_grid(ours.frame.shape[1:], [], "reference"), ours.level, Combine(method="mean"),
            registration.kernel, registration.clamp if registration.clamp < 1000 else 0.0, self.colours,
        )  # fmt: skip
        result = engine.run(Inline(), 1, 2**62)
        seen = result.coverage > 0
        if not seen.any(axis=(1, 2)).all():
            raise FrameError(f"{light.name}: shows nothing of the reference frame's field")
        data = np.where(seen, result.mean, np.float32(np.nan))
        forwards = engine.forwards()
        noise = np.array([float(engine.terms_of(channel, forwards).noise[0]) for channel in range(engine.channels)])
        before = np.maximum((factor * light.noise) ** 2, 1e-20)
        electrons = light.frame.meta.gain
        photons = factor * noise / before / electrons if electrons else np.zeros(len(noise))
        weight = 1.0
        if self.settings.normalize.weights == "noise":
            # Of the frame as it was taken: what resampling smooths away it only hides.
            weight = float(np.mean(ours.noise**2) / np.mean(before))
        meta = light.frame.meta
        white = None
        if meta.saturation:
            white = (meta.saturation - light.calibration.pedestal) * float(factor.mean()) + float(summand.mean())
        done = meta.calibrated | light.calibration.applied
        facts = Meta(
            exposure=meta.exposure, start=meta.start, end=meta.end, middle=meta.middle, gain=meta.gain,
            read_noise=meta.read_noise, n_combined=meta.n_combined, calibrated=frozenset(done), saturation=white,
        )  # fmt: skip
        entry = Entry(file, weight, float(factor.mean()), facts)
        return Sample(entry, data, (result.flags & np.uint16(Flag.SATURATED)) != 0, weight * noise, weight * photons)

    def _begin(self) -> None:
        """The held frames, compared with one another, become the running mean."""
        planes = Planes.empty(self.held[0].data.shape)  # type: ignore[arg-type]
        start = self._compared()
        for sample in self.held:
            self.hits[sample.entry.file] = self._absorb(sample, planes, start)
            self.entries.append(sample.entry)
        self.planes, self.held = planes, []

    def _compared(self) -> Planes:
        """What the held frames agree on; a few rows at a time."""
        n, shape = len(self.held), self.held[0].data.shape
        weights = np.array([s.entry.weight for s in self.held], np.float32)
        agreed = Planes.empty(shape)  # type: ignore[arg-type]
        for channel in range(shape[0]):
            one, zero = np.ones(n, np.float32), np.zeros(n, np.float32)
            terms = FrameTerms(
                one, zero, weights, (self.noise[channel] / weights).astype(np.float32),  # type: ignore[index]
                one * np.float32(self.photons[channel]), level=float(self.reference.level[channel]),  # type: ignore[index]
            )  # fmt: skip
            for top in range(0, shape[1], ROWS):
                rows = np.s_[top : top + ROWS]
                cube = np.stack([s.data[channel, rows] for s in self.held])
                combined = combine_cube(cube, Combine(), terms, variance_from_scatter=n > 2)
                kept = combined.kept
                agreed.mean[channel, rows] = np.nan_to_num(combined.mean)
                agreed.count[channel, rows] = kept
                agreed.rejected[channel, rows] = combined.rejected_low + combined.rejected_high
                agreed.weight[channel, rows] = kept * weights.mean()
                spread = np.nan_to_num(combined.variance) * kept * np.maximum(kept - 1, 0) * weights.mean()
                agreed.scatter[channel, rows] = spread if n > 2 else 0.0
        agreed.saturated |= np.logical_or.reduce([s.saturated for s in self.held])
        return agreed

    def _absorb(self, sample: Sample, planes: Planes, judge: Planes | None = None) -> float:
        """Judge a sample by ``judge`` (else by the mean so far) and take it into the planes."""
        judge = judge or planes
        own = np.float32(sample.entry.weight)
        off = np.empty(sample.data.shape[1:], np.float32)
        hits = 0
        for channel, data in enumerate(sample.data):
            kernels.deviations(
                data, judge.mean[channel], judge.scatter[channel], judge.weight[channel], judge.count[channel],
                own, *self._model(channel), np.float32(TRUST), np.float32(STEEP), off,
            )  # fmt: skip
            hits += kernels.absorb(
                data, off, own, np.float32(LIMIT), np.float32(CORE), np.float32(WING), planes.mean[channel],
                planes.scatter[channel], planes.weight[channel], planes.count[channel], planes.rejected[channel],
            )  # fmt: skip
        planes.saturated |= sample.saturated
        return hits / max(int(np.isfinite(sample.data).sum()), 1)

    def _model(self, channel: int) -> tuple[np.float32, np.float32, np.float32]:
        return (
            np.float32(self.noise[channel]),  # type: ignore[index]
            np.float32(self.photons[channel]),  # type: ignore[index]
            np.float32(self.reference.level[channel]),
        )

    def image(self) -> tuple[Image, Planes]:
        """The stack as it is now, and the planes it was made from."""
        planes = self.planes or self._compared()
        variance = np.empty_like(planes.mean)
        for channel in range(len(variance)):
            kernels.settle(
                planes.mean[channel], planes.scatter[channel], planes.weight[channel], planes.count[channel],
                *self._model(channel), np.float32(TRUST), variance[channel],
            )  # fmt: skip
        flags = np.where(planes.count > 0, np.uint16(0), np.uint16(Flag.NO_DATA))
        flags |= np.where(planes.saturated & (planes.count > 0), np.uint16(Flag.SATURATED), np.uint16(0))
        how = f"{self.n_frames} frames in a running mean: rejection beyond {LIMIT:g} sigma"
        history = (f"calibrated, registered to {self.reference.name}", how)
        return Image(planes.mean, flags, variance, meta=self._meta(), history=history), planes

    def _meta(self) -> Meta:
        entries = [*self.entries, *(s.entry for s in self.held)]
        weights, factors = (np.array([getattr(e, name) for e in entries]) for name in ("weight", "factor"))
        like = self.reference.frame.meta
        meta = combined_meta(like, [e.meta for e in entries], weights, factors)
        levels = [e.meta.saturation for e in entries if e.meta.saturation]
        step = self.colours.shrink if self.colours else 1
        return replace(
            meta,
            target=self.target,
            saturation=min(levels) if levels else None,
            cfa=None,
            binning=(like.binning[0] * step, like.binning[1] * step),
            pixel_size=like.pixel_size * step if like.pixel_size else None,
        )
