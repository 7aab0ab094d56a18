"""Combine files that are calibrated and (unless asked otherwise) registered: frames, resampled images, stacks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.content import QUICK_HASH, known_hash
from firstlight.io.copies import without_copies
from firstlight.io.frame import file_of
from firstlight.io.read import open_frame
from firstlight.io.scratch import Scratch
from firstlight.io.write import write
from firstlight.library.plans import Assignment
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid, plan_grid
from firstlight.ops.stack.normalize import normalizing_line
from firstlight.ops.stack.weights import METRICS, frame_weights
from firstlight.pipeline.combine_files import FileEngine, Part
from firstlight.pipeline.combined import as_numbers, combined_meta, common_history
from firstlight.pipeline.drizzle import check_first_pass
from firstlight.pipeline.drizzle_files import check_drizzle, drizzler_of
from firstlight.pipeline.drizzle_report import header_of, history_of, notes_of
from firstlight.pipeline.executors import check_memory, memory_budget, ordered, thread_count, thread_pool
from firstlight.pipeline.frame_noise import told_by_each_other
from firstlight.pipeline.integrate import Stacked
from firstlight.pipeline.measure import Light, measure_light
from firstlight.pipeline.members import FLATS, PATTERNS, Member, check_alike, choose_reference, files_of, open_members
from firstlight.pipeline.mosaic_files import join_files
from firstlight.pipeline.output_folder import besides_result
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.refine import refinement_notes
from firstlight.pipeline.register import Placed, place, placement_notes, rank_references
from firstlight.pipeline.rejected import rejection_notes
from firstlight.pipeline.room import MAPS_PER_PIXEL, PER_PIXEL, check_room, n_pixels, scratch_bytes
from firstlight.pipeline.scale import compare_stars, defects_of
from firstlight.pipeline.solve_stacks import with_solved_plate
from firstlight.pipeline.stack_settings import StackSettings
from firstlight.pipeline.story import versions
from firstlight.pipeline.tracking import attended

MASTERS = {Kind.BIAS: Kind.MASTER_BIAS, Kind.DARK: Kind.MASTER_DARK, Kind.FLAT: Kind.MASTER_FLAT,
           Kind.DARK_FLAT: Kind.MASTER_DARK}  # fmt: skip


@dataclass(eq=False)
class FilesResult:
    """A finished combination of files."""

    path: Path
    image: Image
    engine: FileEngine
    stacked: Stacked
    set_aside: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    timings: dict[str, dict[str, float]] = field(default_factory=dict)
    automatic: bool = False
    """The method was chosen by the number of files and what is known of them."""

    @property
    def n_files(self) -> int:
        return len(self.engine.parts)


def stack_files(
    files: Sequence[str | Path],
    output: str | Path,
    settings: StackSettings | None = None,
    *,
    progress: Progress | None = None,
) -> FilesResult:
    """Combine files into one FITS file.

    Parameters
    ----------
    files : paths
        Calibrated (and, with ``registration.method`` none, registered) images of one size: frames of any program, or
        our own stacks, whose variance, flags, coverage, exposure and number of frames are carried on. A folder stands
        for the images in it.
    output : path
        A FITS file: SCI, VAR, DQ, COVERAGE, provenance.
    settings : StackSettings, optional
    progress : Progress, optional

    Returns
    -------
    FilesResult
        Files that could not be used are named in ``set_aside`` with the reason.

    Raises
    ------
    InputError
        Nothing that can be combined; files of different sizes, units, targets or filters.

    Notes
    -----
    Pixels whose flags say that they mean nothing do not take part; in files without flags, so do exact zeros far off
    the background (the border that other programs leave when they resample). Files of bias and dark frames are
    combined as they are, flats are brought to one level by a factor.
    """
    settings = settings or StackSettings()
    clock = Clock(progress or Progress())
    output = Path(output)
    paths, notes = files_of(files)
    paths, left_out = besides_result(paths, output)
    if not paths:
        where = f"{Path(files[0])}: " if files else ""
        raise InputError(f"{where}no files to combine; give the paths of images, or folders that hold some")
    if output.suffix.lower() not in (".fits", ".fit", ".fts"):
        raise InputError(f"{output}: the stack is written as FITS; give a name that ends in .fits")
    workers, budget = thread_count(settings.threads), memory_budget(settings.memory)
    _check_room(paths, output, settings)
    with thread_pool(settings.threads) as executor, Scratch(output.parent) as scratch:
        run = _Run(settings, clock, executor, workers, budget, notes=notes + left_out)
        with clock.stage("open", len(paths), "files") as stage:
            members, run.set_aside = open_members(paths, scratch, executor, workers, stage.advance)
        frames, copies = without_copies([member.frame for member in members])
        members = [member for member in members if any(member.frame is frame for frame in frames)]
        run.set_aside.update({str(path): reason for path, reason in copies})
        if not members:
            raise InputError(f"none of {len(paths)} files can be used; the first: {next(iter(run.set_aside.values()))}")
        mosaic = settings.registration.framing == "mosaic"
        check_alike(members, settings.mix, mosaic, moved=mosaic or not settings.registration.leaves_alone)
        if mosaic and settings.drizzle.scale:
            raise InputError("a mosaic is not drizzled; leave out --drizzle-scale or --registration-framing mosaic")
        if settings.drizzle.scale:
            check_drizzle(members, settings.registration.method)
            check_first_pass(settings.drizzle, settings.stack)
            pixels = int(np.prod(members[0].frame.shape))
            check_memory(settings.drizzle.bytes_needed(pixels, len(members)), settings.memory)
        return run.finish(members, output, scratch)


def _check_room(paths: Sequence[Path], output: Path, settings: StackSettings) -> None:
    """The first file that can be read speaks for all: they have one size."""
    for path in paths:
        try:
            frame = open_frame(path)
        except (FrameError, InputError):
            continue
        maps = MAPS_PER_PIXEL * settings.rejection_maps
        pixels = n_pixels(frame) * max(settings.drizzle.scale, 1.0) ** 2
        needed = int((PER_PIXEL + maps) * pixels) + len(paths) * scratch_bytes([frame])
        check_room(output.parent, needed, "the stack and its scratch files need", "write it elsewhere with --output")
        return


@dataclass(eq=False)
class _Run:
    settings: StackSettings
    clock: Clock
    executor: Executor
    workers: int
    budget: int
    set_aside: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    grid: Grid = field(default_factory=lambda: Grid(0, 0, Transform.identity()))
    """Of registered files."""

    def finish(self, members: list[Member], output: Path, scratch: Path) -> FilesResult:
        drizzle = self.settings.drizzle
        if self.settings.registration.framing == "mosaic":
            engine, stacked, reference = self._joined(members, scratch)
        else:
            engine, reference = self._plan(members)
            height, width = engine.size
            with self.clock.stage("combine", height * width, "px") as stage:
                stacked = engine.run(self.executor, self.workers, self.budget, stage.advance)
        meta, step = self._meta(engine, reference), self._step(engine)
        if drizzle.scale:
            drizzler = drizzler_of(engine, stacked, self.grid, drizzle)
            with self.clock.stage("drizzle", drizzler.size[0] * drizzler.size[1], "px") as stage:
                stacked = drizzler.run(self.executor, self.workers, self.budget, stage.advance)
            self.notes += notes_of(drizzler, stacked)
            meta = header_of(drizzler, meta, reference.frame.meta)
            step = f"{len(engine.parts)} files {history_of(drizzle)}; held against, and holes filled from: {step}"
        self.notes += rejection_notes([part.member.name for part in engine.parts], stacked.rejected_fraction)
        with self.clock.stage("write"):
            # Side by side: the provenance asks for one after the other.
            for _ in self.executor.map(known_hash, {file_of(part.member.frame) for part in engine.parts}):
                pass
            image = Image(
                stacked.mean, stacked.flags, stacked.variance, reference.frame.unit,
                plate=self.grid.plate(reference.frame.plate, drizzle.scale or 1.0), meta=meta,
                history=(*common_history([p.member.frame.history for p in engine.parts]), step),
            )  # fmt: skip
            image, notes = with_solved_plate(output.name, image, self.settings.solve, self.clock)
            self.notes += notes
            result = FilesResult(
                output, image, engine, stacked, self.set_aside, self.notes, self.clock.timings,
                self.settings.stack.method == "auto",
            )  # fmt: skip
            maps = (stacked.rejected_low, stacked.rejected_high) if self.settings.rejection_maps else None
            write(
                output, image, coverage=stacked.coverage, rejection=maps, extra=stacked.beside(),
                provenance=self._provenance(result),
            )  # fmt: skip
        return result

    def _joined(self, members: list[Member], scratch: Path) -> tuple[FileEngine, Stacked, Member]:
        """A mosaic of the files."""
        tools = self.clock, self.executor, self.workers, self.budget
        joined = join_files(self._measured(members), self.settings, *tools, scratch)
        self.set_aside.update(joined.set_aside)
        self.notes += joined.notes
        self.grid = joined.grid
        return joined.engine, joined.stacked, joined.reference

    def _plan(self, members: list[Member]) -> tuple[FileEngine, Member]:
        kinds = {m.frame.meta.kind for m in members}
        mode, name = self.settings.normalize.mode, self.settings.registration.reference
        is_pattern, is_flat = kinds <= PATTERNS, kinds <= FLATS
        transforms: list[Transform] | None = None
        reference, seeing = choose_reference(members, name), None
        scales = np.ones(len(members))
        if mode == "local":
            raise InputError("local normalisation needs raw frames (firstlight process); take additive+scale here")
        if not self.settings.registration.leaves_alone:
            members, placed, reference = self._register(members)
            transforms = [p.registration.transform for p in placed]
            seeing = np.array([p.light.quality.fwhm for p in placed])
            # Resampling keeps surface brightness: stars of another scale fill more or fewer pixels.
            scales = np.array([p.flux_ratio / t.scale**2 for p, t in zip(placed, transforms)])
        if mode == "additive+scale" and (is_pattern or is_flat):
            mode = "none" if is_pattern else "multiplicative"
            how = "combined as they are" if is_pattern else "brought to one level by a factor"
            self.notes.append(f"the files are {'flats' if is_flat else 'bias or dark frames'}: {how}")
        elif transforms is None and len(members) > 1 and not (is_pattern or is_flat):
            with self.clock.stage("compare stars", len(members), "files") as stage:
                scales, seeing, notes = compare_stars(
                    members, reference, self.settings.stars, self.executor, self.workers, stage.advance
                )
            self.notes += notes
        parts = self._parts(members, members[reference], mode, scales, seeing)
        size: tuple[int, int] = members[reference].frame.shape[1:]
        if transforms is not None:
            grid = plan_grid(size, transforms, self.settings.registration.framing)
            self.grid, size = grid, (grid.height, grid.width)
            parts = [
                replace(p, forward=t.then(grid.from_reference), calibration=defects_of(p.member))
                for p, t in zip(parts, transforms)
            ]
        told = all(m.beside.variance is not None or m.frame.meta.gain for m in members)
        scatter = (is_pattern or is_flat) and len(parts) > 1
        if not told and not scatter:
            self.notes.append(
                "neither variance nor gain (e-/adu) is known of every file: the variance holds the noise of the sky, "
                "not that of the stars' light"
            )
        clamp = self.settings.registration.clamp
        engine = FileEngine(
            tuple(parts), size, members[reference].level, self.settings.stack, None, scatter,
            self.settings.registration.kernel, clamp if clamp < 1000 else 0.0,
            maps=bool(self.settings.rejection_maps or self.settings.drizzle.scale),
        )  # fmt: skip
        known = seeing is not None and engine.terms(0).noise_known
        rule = self.settings.stack.resolved(len(parts), noise_known=known)
        if rule.method == "median" and self.settings.stack.method == "auto" and all(m.covered > 1 for m in members):
            # Stacks have lost their outliers already: the median of a few would only add noise.
            rule = rule.model_copy(update={"method": "mean"})
        self.notes += rule.warnings(len(parts))
        if seeing is not None and rule.guards(len(parts)):
            engine = replace(engine, seeing=seeing.astype(np.float32))
        return replace(engine, combine=rule), members[reference]

    def _parts(
        self, members: list[Member], ours: Member, mode: str, scales: np.ndarray, seeing: np.ndarray | None
    ) -> list[Part]:
        """Factor, summand and weight of each file."""
        rule = self.settings.normalize
        lines = [
            normalizing_line(mode, scale, m.level, ours.level, m.name)  # type: ignore[arg-type]
            for m, scale in zip(members, scales)
        ]
        of_sky = not {m.frame.meta.kind for m in members} <= PATTERNS | FLATS
        members = told_by_each_other(members, lines if of_sky and self.settings.registration.leaves_alone else None)
        names, metas = [m.name for m in members], [m.frame.meta for m in members]
        factors = np.array([factor for factor, _ in lines])
        noise = np.array([m.noise for m in members])
        metrics = {name: np.full(len(members), np.nan) for name in METRICS}
        metrics |= {
            "noise": noise.mean(axis=1),
            "scaled_noise": np.sqrt(np.mean((factors * noise) ** 2, axis=1)),
            "background": np.array([m.level.mean() for m in members]),
            "scale": scales,
            "exposure": as_numbers(meta.exposure for meta in metas),
            "airmass": as_numbers(meta.airmass for meta in metas),
            "gain": as_numbers(meta.gain for meta in metas),
        }
        if seeing is not None:
            metrics["fwhm"] = seeing
        if rule.weights in ("header", "csv"):
            raise InputError(f"weights {rule.weights}: only for raw frames (firstlight process); take noise or equal")
        weights, notes = frame_weights(rule.weights, metrics, names, rule.formula)
        self.notes += notes
        return [
            Part(m, factor, summand, float(weight)) for m, (factor, summand), weight in zip(members, lines, weights)
        ]

    def _measured(self, members: list[Member]) -> list[tuple[Member, Light]]:
        """Members with their stars; those without are set aside."""

        def look(member: Member) -> Light | str:
            try:
                return measure_light(Assignment(member.frame), defects_of(member), self.settings.stars)
            except FrameError as error:
                return str(error)

        lights: list[tuple[Member, Light]] = []
        with self.clock.stage("measure", len(members), "files") as stage:
            for member, light in zip(members, ordered(self.executor, look, members, self.workers + 1)):
                stage.advance()
                if isinstance(light, Light):
                    lights.append((member, light))
                else:
                    self.set_aside[str(member.frame.path)] = light
        return lights

    def _register(self, members: list[Member]) -> tuple[list[Member], list[Placed], int]:
        """Members that can be placed, how, and which of them is the reference."""
        lights = self._measured(members)
        best: list[tuple[Member, Placed]] = []
        failed: dict[str, str] = {}
        with self.clock.stage("register", len(lights), "files"):
            for candidate in rank_references([light for _, light in lights], self.settings):  # type: ignore[arg-type]
                found, lost = [], {}
                guide = attended(candidate, self.settings.registration)
                for member, light in lights:
                    try:
                        found.append((member, place(light, candidate, self.settings, guide)))  # type: ignore[arg-type]
                    except FrameError as error:
                        lost[str(member.frame.path)] = str(error)
                if len(found) > len(best):
                    best, failed, chosen = found, lost, candidate
                if 2 * len(best) >= len(lights):
                    break
        if not best:
            raise InputError("none of the files can be registered; look at them, or combine them as they are")
        self.set_aside.update(failed)
        if len(best) == 1 < len(members):
            self.notes.append("no other file could be registered to this one: it stands alone")
        self.notes += placement_notes([placed for _, placed in best])
        self.notes += refinement_notes([(placed.light.name, placed.refinement) for _, placed in best])
        return (
            [member for member, _ in best],
            [placed for _, placed in best],
            next(i for i, (_, placed) in enumerate(best) if placed.light is chosen),
        )

    def _meta(self, engine: FileEngine, reference: Member) -> Meta:
        metas = [p.member.frame.meta for p in engine.parts]
        weights = np.array([p.weight for p in engine.parts])
        factors = np.array([float(p.gain.mean()) for p in engine.parts])
        meta = combined_meta(reference.frame.meta, metas, weights, factors)
        levels = [m.saturation * f + float(p.zero.mean()) for m, f, p in zip(metas, factors, engine.parts)
                  if m.saturation]  # fmt: skip
        kinds = {MASTERS.get(m.kind, m.kind) for m in metas}
        if len(kinds) == 1 and (kind := kinds.pop()) in MASTERS.values():
            # The exposure of a master is that of one of its frames: darks are matched by it.
            meta = meta.replace(kind=kind, exposure=reference.frame.meta.exposure)
        for what in ("target", "filter"):
            if len({(getattr(m, what) or "").casefold() for m in metas}) > 1:
                meta = meta.replace(**{what: None})
        cfa = reference.frame.meta.cfa if all(p.forward is None for p in engine.parts) else None
        return meta.replace(saturation=float(min(levels)) if levels else None, cfa=cfa)

    def _step(self, engine: FileEngine) -> str:
        placed = "as they lay" if engine.parts[0].forward is None else f"registered, resampled with {engine.kernel}"
        return f"{len(engine.parts)} files combined, {placed}: {engine.combine.words}"

    def _provenance(self, result: FilesResult) -> dict[str, Any]:
        return {
            "made_by": "stack",
            "program": "firstlight",
            "versions": versions(),
            "settings": self.settings.model_dump(exclude={"threads", "memory"}),
            "inputs": [
                {
                    "file": str(part.member.frame.path),
                    QUICK_HASH: known_hash(file_of(part.member.frame)),
                    "frames": part.member.frame.meta.n_combined,
                    "weight": round(part.weight, 6),
                    "scale": round(float(part.gain.mean()), 6),
                    "rejected": round(float(fraction), 6),
                }
                for part, fraction in zip(result.engine.parts, result.stacked.rejected_fraction)
            ],
            "method": result.engine.combine.words,
            "method_chosen_by": "auto" if result.automatic else "settings",
            "set_aside": self.set_aside,
            "notes": self.notes,
        }
