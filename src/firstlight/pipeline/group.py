"""One group of lights to one stack: place, select, weigh, integrate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind, Meta
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform
from firstlight.model.stars import Quality
from firstlight.ops.align.grid import Grid, plan_grid
from firstlight.ops.inspect.stars import find_stars
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.common_noise import common_noise
from firstlight.pipeline.compare import compare_noise
from firstlight.pipeline.contribute import base_frame, contributions_of, weighs_by_light
from firstlight.pipeline.drizzle import Drizzler
from firstlight.pipeline.drizzle_report import header_of, history_of, noise_of, notes_of, summary_of
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.hotpixels import with_defects_of_lights
from firstlight.pipeline.integrate import Contribution, Engine, Stacked
from firstlight.pipeline.measure import Light
from firstlight.pipeline.mosaic import Colours
from firstlight.pipeline.panels import Panel
from firstlight.pipeline.plan import Group
from firstlight.pipeline.progress import Clock
from firstlight.pipeline.refine import refinement_notes
from firstlight.pipeline.register import Placed, place, placement_notes, rank_references
from firstlight.pipeline.rejected import rejection_notes
from firstlight.pipeline.select import reasons_after_registration, reasons_against
from firstlight.pipeline.settings import Settings
from firstlight.pipeline.tracking import attended
from firstlight.pipeline.uneven import unevenness

Placing = Callable[[Light, Light, Settings, Light | None], Placed]
"""As `firstlight.pipeline.register.place`."""


@dataclass(eq=False)
class Prepared:
    """A group whose frames are registered and selected."""

    group: Group
    reference: Light
    placed: list[Placed]
    measured: list[Light]
    set_aside: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    """Of a mosaic of the sky: its panels; ``placed`` are the lights of all of them."""


@dataclass(eq=False)
class GroupResult:
    """A finished stack."""

    prepared: Prepared
    engine: Engine
    stacked: Stacked
    image: Image
    quality: Quality
    single: Quality
    """The sharpest single frame, for comparison."""
    noise: float
    """Noise per pixel of the stack and of its reference frame on the same sky, adu (`firstlight.pipeline.compare`)."""
    single_noise: float
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    layer: str = ""
    """``stars``, ``comet`` or ``composite``, where a comet was followed."""
    drizzle: dict[str, Any] | None = None
    """How it was drizzled, if it was."""
    automatic: bool = False
    """The method was chosen by the number of frames and what is known of them."""

    @property
    def name(self) -> str:
        return self.prepared.group.name

    @property
    def n_frames(self) -> int:
        return len(self.prepared.placed)

    @property
    def scale(self) -> float:
        """Pixels of the stack per pixel of the frames, along an axis."""
        return self.drizzle["scale"] if self.drizzle else 1.0

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Each frame's part in it, by path: weight, scale, share of its samples that were rejected."""
        return {
            str(placed.light.frame.path): {"weight": c.weight, "scale": float(np.mean(c.gain)), "rejected": float(f)}
            for placed, c, f in zip(self.prepared.placed, self.engine.contributions, self.stacked.rejected_fraction)
        }

    def summary(self) -> dict[str, Any]:
        """What ``run.json`` says of this stack."""
        return {
            "name": self.name,
            "target": self.prepared.group.target,
            "filter": self.prepared.group.filter,
            "exposure_s": self.prepared.group.exposure,
            "frames": self.n_frames,
            "set_aside": len(self.prepared.set_aside),
            "reference": self.prepared.reference.name,
            "method": self.engine.combine.words,
            "rule": self.engine.combine.method,
            "is_level": self.engine.combine.is_level,
            "method_chosen_by": "auto" if self.automatic else "settings",
            "drizzle": self.drizzle,
            "total_exposure_s": self.image.meta.exposure,
            "fwhm_px": _number(self.quality.fwhm),
            "single_fwhm_px": _number(self.single.fwhm),
            "noise_adu": _number(self.noise),
            "single_noise_adu": _number(self.single_noise),
            "stars": self.quality.n_stars,
            "single_stars": self.single.n_stars,
            "notes": self.notes,
            "files": [path.name for path in self.files],
        }


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def prepare_group(
    group: Group,
    lights: list[Light],
    common: Light | None,
    settings: Settings,
    clock: Clock,
    executor: Executor,
    workers: int,
    placing: Placing = place,
) -> Prepared:
    """Select the good frames of a group and place them on a reference.

    That is the common one of the field where there is one and half of the frames can be placed on it; else the best
    frame of the group on which half of the others can be placed: a stray frame, however good, is not followed.
    ``placing`` registers one light.
    """
    set_aside: dict[str, str] = {}
    kept = []
    for light, reason in zip(lights, reasons_against(lights, settings.select)):
        if reason and light is not common:
            set_aside[str(light.frame.path)] = reason
        else:
            kept.append(light)
    candidates = ([] if common is None else [common]) + rank_references(kept, settings)
    if not candidates:
        return Prepared(group, lights[0], [], lights, set_aside, [])
    placed, failed, reference = [], {}, candidates[0]
    with clock.stage("register", len(kept), "lights") as stage:
        for candidate in candidates:
            found, lost = _place_all(kept, candidate, settings, executor, workers, placing)
            if len(found) > len(placed):
                placed, failed, reference = found, lost, candidate
            if 2 * len(placed) >= len(kept):
                break
        stage.advance(len(kept))
    notes = placement_notes(placed) + refinement_notes([(each.light.name, each.refinement) for each in placed])
    if common is not None and reference is not common:
        notes.append("not registered to the other filters: too few frames match their reference")
    if len(placed) == 1 < len(lights):
        notes.append("no other frame could be registered to this one: it stands alone")
    set_aside.update(failed)
    reasons = reasons_after_registration(placed, settings.select)
    set_aside.update({str(each.light.frame.path): reason for each, reason in zip(placed, reasons) if reason})
    clear = [each for each, reason in zip(placed, reasons) if not reason]
    return Prepared(group, reference, clear, lights, set_aside, notes)


def _place_all(
    lights: list[Light], reference: Light, settings: Settings, executor: Executor, workers: int, placing: Placing
) -> tuple[list[Placed], dict[str, str]]:
    guide = attended(reference, settings.registration)

    def attempt(light: Light) -> Placed | str:
        try:
            return placing(light, reference, settings, guide)
        except FrameError as error:
            return str(error)

    placed, failed = [], {}
    for light, outcome in zip(lights, ordered(executor, attempt, lights, 2 * workers)):
        if isinstance(outcome, Placed):
            placed.append(outcome)
        else:
            failed[str(light.frame.path)] = outcome
    return placed, failed


def stack_group(
    prepared: Prepared, settings: Settings, clock: Clock, executor: Executor, workers: int, budget: int
) -> GroupResult:
    """Integrate the placed frames of a group."""
    engine, notes = plan_engine(prepared, settings)
    height, width = engine.size
    with clock.stage("integrate", height * width, "px") as stage:
        stacked = first = engine.run(executor, workers, budget, stage.advance)
    drizzler = None
    if settings.drizzle.scale:
        drizzler = Drizzler.of(engine, first, settings.drizzle)
        height, width = drizzler.size
        with clock.stage("drizzle", height * width, "px") as stage:
            stacked = drizzler.run(executor, workers, budget, stage.advance)
        notes += notes_of(drizzler, stacked)
    return finish_stack(prepared, engine, stacked, settings, clock, notes, (), first, drizzler)


def finish_stack(
    prepared: Prepared, engine: Engine, stacked: Stacked, settings: Settings, clock: Clock, notes: list[str],
    steps: tuple[str, ...] = (), first: Stacked | None = None, drizzler: Drizzler | None = None,
    compared: tuple[Engine, Stacked] | None = None,
) -> GroupResult:  # fmt: skip
    """The image of a stack, with its header and history (``steps`` are added), and what is measured on it.

    ``first`` is the stack before it was drizzled; ``compared`` the one whose noise is held against that of a
    frame, where it is not this one.
    """
    notes += rejection_notes([placed.light.name for placed in prepared.placed], stacked.rejected_fraction)
    with clock.stage("measure stack"):
        meta, history = stack_meta(prepared, engine), (*_history(prepared, engine, settings), *steps)
        if drizzler:
            reference = engine.contributions[base_frame(prepared.placed, prepared.reference)].frame
            meta = header_of(drizzler, meta, reference.meta)
        image = Image(
            stacked.mean, stacked.flags, stacked.variance,
            # Signal over noise: 1 where there is nothing.
            PixelUnit.NORMALISED if engine.combine.method == "chi2" else prepared.reference.frame.unit,
            plate=_plate(prepared, engine, settings), meta=meta, history=history,
        )  # fmt: skip
        quality = _measure(image, settings)
        noise, single_noise = _compared(prepared, *(compared or (engine, first or stacked)))
        if drizzler:
            noise = noise_of(drizzler, stacked)
            # Noise that neighbours share, more in some places than in others, looks like faint stars.
            plain = Image(first.mean, first.flags, None, image.unit, meta=stack_meta(prepared, engine))
            quality = replace(quality, n_stars=_measure(plain, settings).n_stars)
    best = max((p.light.quality for p in prepared.placed), key=lambda q: -q.fwhm if np.isfinite(q.fwhm) else -1e9)
    return GroupResult(
        prepared, engine, stacked, image, quality, best, noise, single_noise, [*prepared.notes, *notes],
        drizzle=summary_of(drizzler, stacked) if drizzler else None, automatic=settings.stack.method == "auto",
    )  # fmt: skip


def _plate(prepared: Prepared, engine: Engine, settings: Settings) -> Plate | None:
    """That of the reference, moved; None where it has none or is bent."""
    transforms = [p.registration.transform for p in prepared.placed if p.light is prepared.reference]
    if any(not transform.is_identity for transform in transforms):
        return None
    return engine.grid.plate(prepared.reference.frame.plate, settings.drizzle.scale or 1.0 / engine.shrink)


def _compared(prepared: Prepared, engine: Engine, stacked: Stacked) -> tuple[float, float]:
    frames = {id(contribution.frame) for contribution in engine.contributions}
    mine = [placed for placed in prepared.placed if id(placed.light.frame) in frames]
    return compare_noise(engine, engine.contributions[base_frame(mine, prepared.reference)], stacked)


def plan_engine(
    prepared: Prepared, settings: Settings, grid: Grid | None = None, calibrations: dict[int, Calibration] | None = None
) -> tuple[Engine, list[str]]:
    """Scale factors, weights, grid (unless it is given) and colours of a stack.

    ``calibrations`` (by ``id`` of the light) know the bad pixels that the lights themselves show, if that is known.
    """
    reference, placed = prepared.reference, prepared.placed
    notes: list[str] = []
    if calibrations is None:
        calibrations = with_defects_of_lights(placed, notes)
    like = reference.frame
    colours = Colours(like.meta.cfa, settings.calibrate.debayer) if like.meta.cfa else None
    transforms = [p.registration.transform for p in placed]
    grid = grid or plan_grid(like.shape[1:], transforms, settings.registration.framing)
    contributions, words = contributions_of(placed, reference, calibrations, grid, colours, settings.normalize)
    notes += words
    if not like.meta.gain:
        words = "the variance holds the noise of the sky, not that of the stars' light; --calibrate-gain gives it"
        notes.append(f"gain (e-/adu) is not known: {words}")
    registration = settings.registration
    engine = Engine(
        contributions, grid, contributions[base_frame(placed, reference)].background,
        settings.stack.resolved(len(contributions), noise_known=bool(like.meta.gain)),
        registration.kernel,
        registration.clamp if registration.clamp < 1000 else 0.0,
        colours, weighs_by_light(placed, settings.normalize),
    )  # fmt: skip
    engine = replace(engine, uneven=unevenness(engine), common=common_noise(engine))
    return engine, notes + engine.combine.warnings(len(contributions))


def stack_meta(prepared: Prepared, engine: Engine) -> Meta:
    """Header facts of the stack; each rule is stated here and tested.

    Exposure is the sum; the middle is weighted by weight and exposure; gain is e-/adu of the weighted mean (N times
    that of one frame for equal weights; each frame with the gain of its own header), read noise that of the sum of N
    frames (sqrt(N) times); saturation is the lowest level at which a frame, as calibrated and normalised, saturates.
    Altitude, Moon and the like are those of the middle, the airmass is the weighted mean.
    """
    from firstlight.ops.meta.observing import observed

    like = prepared.reference.frame.meta
    metas = [c.frame.meta for c in engine.contributions]
    weights = np.array([c.weight for c in engine.contributions])
    factors = np.array([float(np.mean(c.gain)) for c in engine.contributions])
    exposures = [m.exposure for m in metas]
    total = float(sum(exposures)) if all(e is not None for e in exposures) else None  # type: ignore[arg-type]
    starts = [m.start for m in metas]
    ends = [m.end or (m.start + timedelta(seconds=m.exposure or 0.0) if m.start else None) for m in metas]
    gain = read_noise = None
    if all(m.gain for m in metas):
        electrons = np.array([m.gain for m in metas], np.float64)
        gain = float(weights.sum() ** 2 / np.sum(weights**2 * factors / electrons))
        if all(m.read_noise for m in metas):
            noises = np.array([m.read_noise for m in metas], np.float64) / electrons
            read_noise = float(np.sqrt(np.sum((weights * factors * noises) ** 2)) / weights.sum() * gain)
    levels = [
        (c.frame.meta.saturation - c.calibration.pedestal) * f
        + np.mean([c.zero(i, engine.level) for i in range(len(c.gain))])
        for c, f in zip(engine.contributions, factors)
        if c.frame.meta.saturation
    ]
    done = frozenset.intersection(*(_applied(c) for c in engine.contributions))
    step = engine.colours.shrink if engine.colours else 1
    stack = like.replace(
        kind=Kind.STACK,
        target=prepared.group.target,
        # The reference may be of another filter.
        filter=prepared.group.filter,
        exposure=total,
        start=min(starts) if all(starts) else None,  # type: ignore[type-var]
        end=max(ends) if all(ends) else None,  # type: ignore[type-var]
        middle=_weighted_middle(metas, weights),
        gain=gain,
        read_noise=read_noise,
        saturation=float(min(levels)) if levels else None,
        pedestal=None,
        cfa=None,
        binning=(like.binning[0] * step, like.binning[1] * step),
        pixel_size=like.pixel_size * step if like.pixel_size else None,
        calibrated=done,
        n_combined=int(sum(m.n_combined for m in metas)),
        notes=(),
    )
    return observed(stack, metas, list(map(float, weights)))


def _applied(contribution: Contribution) -> frozenset[str]:
    done = set(contribution.frame.meta.calibrated)
    return frozenset(done | contribution.calibration.applied)


def _weighted_middle(metas: Sequence[Meta], weights: np.ndarray) -> datetime | None:
    times = [m.mid_time for m in metas]
    if not all(times):
        return None
    seconds = np.array([t.timestamp() for t in times])  # type: ignore[union-attr]
    shares = weights * np.array([m.exposure or 1.0 for m in metas])
    return datetime.fromtimestamp(float(np.sum(seconds * shares) / shares.sum()), tz=UTC)


def _history(prepared: Prepared, engine: Engine, settings: Settings) -> tuple[str, ...]:
    combine, rule = engine.combine, settings.normalize
    tile = f":tile={rule.tile}" if rule.mode == "local" else ""
    formula = f" {rule.formula}" if rule.weights == "formula" else ""
    registered = f"calibrated, registered to {prepared.reference.name}"
    normalized = f"normalized: {rule.mode}{tile}; weights: {rule.weights}{formula}"
    combined = f"{len(prepared.placed)} frames combined: {combine.words}"
    if settings.drizzle.scale:
        judge = f"held against, and holes filled from, a stack resampled with {engine.kernel}: {combine.words}"
        return registered, normalized, f"{len(prepared.placed)} frames {history_of(settings.drizzle)}", judge
    return f"{registered}, resampled with {engine.kernel}", normalized, combined


def _measure(image: Image, settings: Settings) -> Quality:
    excluded = ~image.good.all(axis=0)
    plane = image.data.mean(axis=0) if image.shape[0] > 1 else image.data[0]
    _, quality = find_stars(
        np.ascontiguousarray(plane), settings.stars, excluded=excluded if excluded.any() else None,
        saturation=0.98 * (image.meta.saturation or np.inf), gain=image.meta.gain,
    )  # fmt: skip
    return quality


def matrix_of(transform: Transform) -> list[float]:
    """m00 m01 m02 m10 m11 m12 of a transform, as ``frames.csv`` lists them."""
    return [float(v) for v in transform.matrix[:2].ravel()]
