"""Make masters: outlier-rejecting, band by band, with variance, flags and provenance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.checksum import verify_file
from firstlight.io.frame import Frame
from firstlight.library.check import odd_frames
from firstlight.library.defects import flag_cold, flag_hot
from firstlight.library.plans import MasterPlan
from firstlight.library.raw import adu_rows, calibrated_rows, coding_of, level_of, sampled
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind, Meta
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube

LOW_FLAT = 0.2
"""A flat below this fraction of its mean leaves mostly noise: flagged."""
TOO_BRIGHT = 0.05
"""A flat with more than this fraction of saturated pixels is not used."""


@dataclass(frozen=True, eq=False)
class Master:
    """A master image and what was left out of it."""

    plan: MasterPlan
    image: Image
    set_aside: tuple[tuple[Frame, str], ...] = ()
    notes: tuple[str, ...] = ()


Done = Callable[[int], None]
Room = Callable[[tuple[int, ...]], np.ndarray]
Band = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Mean, variance and what is saturated of some rows."""


def new_array(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.float32)


@dataclass(frozen=True, eq=False)
class Bands:
    """What the rows of a master are made of; it can be sent to another process."""

    frames: tuple[Frame, ...]
    under: np.ndarray | None
    """Subtracted from each frame: float32 (channels, y, x)."""
    settings: Combine
    terms: FrameTerms
    rows: int

    def at(self, top: int, room: Room = new_array) -> Band:
        """The rows from ``top`` on."""
        channels, height, width = self.frames[0].shape
        bottom = min(top + self.rows, height)
        cube = room((len(self.frames), channels, bottom - top, width))
        full = np.zeros(cube.shape[1:], np.int32)
        for i, frame in enumerate(self.frames):
            below = None if self.under is None else self.under[:, top:bottom]
            raw = frame.rows(top, bottom)
            coding = coding_of(frame, raw)
            if coding is not None:
                for channel, plane in enumerate(raw):
                    offset = None if below is None else below[channel]
                    ys, xs = calibrated_rows(frame, plane, coding, offset, None, cube[i, channel])
                    full[channel, ys, xs] += 1
                continue
            adu_rows(frame, top, bottom, out=cube[i])
            limit = frame.meta.saturation or np.inf
            if np.isfinite(limit):
                full += cube[i] >= limit
            if below is not None:
                cube[i] -= below
        result = combine_cube(cube, self.settings, self.terms, variance_from_scatter=True)
        return result.mean, result.variance, 2 * full > len(self.frames)


Spread = Callable[[Bands, Sequence[int]], Iterable[Band]]
"""Makes the bands that begin at these rows somewhere else."""


def build_master(
    plan: MasterPlan,
    under: Master | None,
    executor: Executor,
    *,
    rows: int,
    settings: Combine | None = None,
    done: Done = lambda n: None,
    room: Room = new_array,
    spread: Spread | None = None,
) -> Master:
    """Combine the frames of a plan.

    Parameters
    ----------
    plan : MasterPlan
    under : Master or None
        For flats: the master subtracted from each frame before it is scaled.
    executor : Executor
        Bands of ``rows`` rows are handed to it; the result does not depend on it.
    rows : int
        Rows of a band; memory is about ``frames * rows * width * 8`` bytes a worker.
    done : callable
        Told the number of frame rows finished, for progress.
    room : callable
        Gives an array of a shape, float32, whatever is in it; asked in the thread that will fill it.
    spread : callable, optional
        Takes the bands in place of the executor.

    Returns
    -------
    Master
        Bias and dark in adu (a dark made of raw frames still holds the bias). A flat is normalised so that its mean
        over the whole frame (per CFA colour) is 1. The variance is that of the mean, from the scatter of the frames.
        Flags: HOT on darks, COLD and LOW_FLAT on flats, SATURATED where half of the frames are.
    """
    if plan.ready:
        return _ready(plan)
    is_flat = plan.kind == Kind.FLAT
    frames, samples, gain, set_aside, notes = _belonging(plan, under, executor)
    channels, height, width = plan.like.shape
    settings = (settings or _method(plan)).resolved(len(frames))
    terms = replace(FrameTerms.equal(len(frames), noise=_noise_between(samples) ** 2), gain=gain)
    mean = np.empty((channels, height, width), np.float32)
    variance = np.empty_like(mean)
    saturated = np.zeros(mean.shape, bool)
    bands = Bands(tuple(frames), None if under is None else under.image.data, settings, terms, rows)
    tops = range(0, height, rows)
    if spread is None:
        made: Iterable[Band] = (f.result() for f in [executor.submit(bands.at, top, room) for top in tops])
    else:
        made = spread(bands, tops)
    for top, band in zip(tops, made):
        bottom = min(top + rows, height)
        mean[:, top:bottom], variance[:, top:bottom], saturated[:, top:bottom] = band
        done((bottom - top) * len(frames))
    flags = saturated.astype(np.uint16)
    flags *= np.uint16(Flag.SATURATED)
    if is_flat:
        normalise(mean, variance, plan.like.meta.cfa)
        flags |= flag_cold(mean, plan.like.meta.cfa)
        flags |= np.where(mean < LOW_FLAT, np.uint16(Flag.LOW_FLAT), np.uint16(0))
    elif plan.kind == Kind.DARK:
        flags |= flag_hot(mean, plan.like.meta.cfa)
    image = Image(
        mean,
        flags,
        variance if len(frames) > 1 else None,
        unit=PixelUnit.NORMALISED if is_flat else PixelUnit.ADU,
        meta=_master_meta(plan, frames),
        history=(f"{plan.kind} master of {len(frames)} frames, {settings.method}",),
    )
    return Master(plan, image, tuple(set_aside), tuple(notes))


def _method(plan: MasterPlan) -> Combine:
    # Stars stand in every light: only what most frames agree on is sky.
    return Combine(method="median") if plan.sky else Combine()


def _belonging(
    plan: MasterPlan, under: Master | None, executor: Executor
) -> tuple[list[Frame], list[np.ndarray], np.ndarray, list[tuple[Frame, str]], list[str]]:
    """Frames that belong into the master, some of the pixels of each, their factors; those set aside, and remarks.

    Only a small part of each frame is read for it.
    """
    frames, set_aside, notes = list(plan.frames), [], []
    samples = list(executor.map(sampled, frames))
    gain = np.ones(len(frames), np.float32)
    if plan.kind == Kind.FLAT:
        below = None if under is None else sampled(_as_frame(plan.like, under.image))
        used, gain, set_aside, notes = _flat_levels(frames, samples, below)
        frames = [frames[i] for i in used]
        samples = [(samples[i] - (0 if below is None else below)) * factor for i, factor in zip(used, gain)]
    # The sky flat's frames differ by their stars, and are meant to.
    odd, remarks = ({}, []) if plan.sky else odd_frames(plan.kind, samples)
    set_aside += [(frames[i], reason) for i, reason in sorted(odd.items())]
    kept = [i for i in range(len(frames)) if i not in odd]
    return [frames[i] for i in kept], [samples[i] for i in kept], gain[kept], set_aside, [*notes, *remarks]


def _as_frame(like: Frame, image: Image) -> Frame:
    return like.replace(source=_Pixels(image.data), dtype=image.data.dtype, scale=1.0, zero=0.0)


@dataclass(frozen=True, eq=False)
class _Pixels:
    """Pixels in memory where a frame is asked for."""

    pixels: np.ndarray

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return self.pixels[:, top:bottom]

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None


def _noise_between(samples: list[np.ndarray]) -> float:
    """Noise of one frame, adu after the gain: what two frames differ by where nothing but noise makes them differ.

    It keeps the limits of rejection from being too tight by chance, see `firstlight.kernels.combine`.
    """
    if len(samples) < 2:
        return 0.0
    steps = samples[0] - samples[1]
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2.0))


def _ready(plan: MasterPlan) -> Master:
    if plan.shared:
        verify_file(plan.like.path)
    image = plan.like.read()
    if plan.shared:
        return Master(plan, image, notes=("of the library",))
    cfa = image.meta.cfa
    if plan.kind == Kind.FLAT:
        data, variance = image.data.copy(), None if image.variance is None else image.variance.copy()
        normalise(data, variance, cfa)
        image = image.replace(data=data, variance=variance, unit=PixelUnit.NORMALISED)
        image = image.replace(flags=image.flags | flag_cold(data, cfa))
    elif plan.kind == Kind.DARK:
        image = image.replace(flags=image.flags | flag_hot(image.data, cfa))
    return Master(plan, image, notes=("used as given",))


def _flat_levels(
    frames: list[Frame], samples: list[np.ndarray], below: np.ndarray | None
) -> tuple[list[int], np.ndarray, list[tuple[Frame, str]], list[str]]:
    """Frames that can be used, the factor that brings each to level 1, those set aside, and notes."""
    used, factors, set_aside, notes = [], [], [], []
    pedestal = 0.0 if below is None else float(np.nanmedian(below))
    for i, frame in enumerate(frames):
        white = frame.meta.saturation
        level, full = level_of(samples[i], white)
        signal = level - pedestal
        if full > TOO_BRIGHT:
            set_aside.append(
                (frame, f"{100 * full:.0f} % of its pixels are saturated; at most {100 * TOO_BRIGHT:.0f} %")
            )
        elif signal <= 0:
            set_aside.append(
                (frame, f"its level of {level:.0f} adu is not above the dark or bias of {pedestal:.0f} adu")
            )
        else:
            used.append(i)
            factors.append(1.0 / signal)
            if white and level > 0.9 * white:
                notes.append(f"{frame.path.name}: level {level:.0f} adu is above 90 % of saturation")
    if not used:
        raise FrameError(f"master flat: none of {len(frames)} frames can be used; the first: {set_aside[0][1]}")
    return used, np.array(factors, np.float32), set_aside, notes


def normalise(mean: np.ndarray, variance: np.ndarray | None, cfa: str | None) -> None:
    """Divide by the mean over the whole frame, of each CFA colour apart, in place."""
    for where in _colours(cfa):
        level = np.mean(mean[where], dtype=np.float64)
        if not np.isfinite(level):
            level = np.nanmean(mean[where], dtype=np.float64)
        if not level > 0:
            raise FrameError(f"master flat: its mean is {level:.3g}; it must be above 0; look at its frames")
        mean[where] /= np.float32(level)
        if variance is not None:
            variance[where] /= np.float32(level) ** 2


def _colours(cfa: str | None) -> list[tuple[slice, ...] | tuple[object, ...]]:
    """Index of the pixels of each colour: of the four positions of a CFA cell, or of everything."""
    if not cfa:
        return [(slice(None), slice(None), slice(None))]
    return [(slice(None), slice(j, None, 2), slice(i, None, 2)) for j in (0, 1) for i in (0, 1)]


def _master_meta(plan: MasterPlan, frames: list[Frame]) -> Meta:
    meta = plan.like.meta
    kinds = {
        Kind.BIAS: Kind.MASTER_BIAS,
        Kind.DARK: Kind.MASTER_DARK,
        Kind.DARK_FLAT: Kind.MASTER_DARK,
        Kind.FLAT: Kind.MASTER_FLAT,
    }
    calibrated = meta.calibrated
    if plan.subtract is not None:
        calibrated = calibrated | {"bias"} | ({"dark"} if plan.subtract.kind != Kind.BIAS else set())
    starts = sorted(f.meta.start for f in frames if f.meta.start)
    return meta.replace(
        kind=kinds[plan.kind],
        n_combined=len(frames),
        calibrated=frozenset(calibrated),
        start=starts[0] if starts else None,
        middle=starts[len(starts) // 2] if starts else None,
        pedestal=None,
        target=None,
        cards=(),
        notes=(),
    )
