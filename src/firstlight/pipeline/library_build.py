"""Build the calibration library: which masters stand, which are missing, which have new frames; and make them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.io.copies import without_copies
from firstlight.io.frame import Frame
from firstlight.io.index import Index
from firstlight.io.read import find_files, open_frames, read
from firstlight.io.scratch import Scratch
from firstlight.io.write import write
from firstlight.library.assign import Chooser, plan_calibrations
from firstlight.library.build import Master
from firstlight.library.check import against_last
from firstlight.library.classify import Sighting, classify
from firstlight.library.describe import key_words
from firstlight.library.match import NEEDS, compare, spent
from firstlight.library.plans import MasterPlan, Rules, wanted
from firstlight.library.store import REFUSED, Entry, Library, group_identity, identity_of, input_of, is_changed
from firstlight.library.superbias import superbias
from firstlight.model.meta import Kind
from firstlight.ops.registry import Params
from firstlight.ops.stack.rules import Combine
from firstlight.pipeline.executors import memory_budget, thread_count, thread_pool
from firstlight.pipeline.masters import combine_frames, provenance_of
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.record import fingerprint_of
from firstlight.units import Days

HEADERS = "headers.sqlite"
CALIBRATION = (Kind.BIAS, Kind.DARK, Kind.DARK_FLAT, Kind.FLAT)


class BuildSettings(Params):
    """How a library is built."""

    refresh: bool = False
    """Remake masters that have new or changed frames."""
    accept: bool = False
    """Take new masters although they differ from the last one of their kind, those that were refused before too."""
    fewest: Annotated[int, Field(ge=1)] = 1
    """Frames that a master needs at least; masters of few frames are made, with a remark."""
    epoch: Annotated[Days, Field(gt=0)] = 30.0
    """A pause this long begins a new master; the older one stays."""
    superbias: bool = False
    """Take noise out of master biases: what columns, rows and large areas share is averaged, what a pixel has of its
    own is kept as far as it stands above the noise. Good for masters of few frames."""
    sky_flats: bool = False
    """Make flats of the lights among the sources, where no flat fits them."""
    stack: Combine = Combine()
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker threads; 0: one per core."""
    memory: Annotated[int, Field(ge=0)] = 0
    """Memory to use, MB; 0: half of what is free."""


@dataclass(eq=False)
class BuildResult:
    """What a build came to."""

    library: Path
    made: list[tuple[str, str]] = field(default_factory=list)
    """New masters and a sentence on each."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Masters that are too unlike the last one of their kind: kept, and not used."""
    standing: list[str] = field(default_factory=list)
    """Masters that were there already."""
    waiting: list[tuple[str, str]] = field(default_factory=list)
    """Masters whose frames have changed, or become more; `refresh` remakes them."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Sets of too few frames, or of nobody's."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    """Frames that were left out, and why."""
    odd: list[str] = field(default_factory=list)
    """What was odd in the sources and the library."""
    n_frames: int = 0
    """Calibration frames among the sources."""


def read_sources(
    sources: Sequence[Path], library: Library, executor: Executor, progress: Progress
) -> tuple[list[Sighting], list[tuple[Path, str]]]:
    """What each file below the sources is; and those that cannot be used. Headers that are known are not read again."""
    files: dict[Path, None] = {}
    own = f"{library.path.resolve()}{os.sep}"
    for source in sources:
        if not source.exists():
            raise InputError(f"{source}: there is no such file or folder; give folders of calibration frames")
        files |= dict.fromkeys(f for f in find_files(source.resolve()) if not str(f).startswith(own))
    index = Index(library.path / HEADERS)
    progress.begin("reading headers", len(files), "files")
    frames, broken = index.open_all(list(files), lambda done, total: progress.advance(1), executor)
    progress.end()
    frames, copies = without_copies(frames)
    broken += copies
    sightings = []
    for frame in frames:
        try:
            sightings.append(classify(frame))
        except FrameError as error:
            broken.append((frame.path, str(error)))
    return sightings, broken


def build_library(
    library: Library,
    sources: Sequence[str | Path],
    settings: BuildSettings | None = None,
    progress: Progress | None = None,
) -> BuildResult:
    """Make the masters that are missing.

    Parameters
    ----------
    library : Library
    sources : folders (searched with all below them) or files
    settings : BuildSettings, optional
    progress : Progress, optional

    Returns
    -------
    BuildResult
        A set of frames that fails is told of and does not stop the others.

    Raises
    ------
    InputError
        A source does not exist, or the library's folder cannot be written to.

    Notes
    -----
    A master is written whole or not at all, and none is ever deleted or overwritten by another set of frames: a build
    may be killed at any moment, and the next one makes what is missing. One process builds at a time; others wait, and
    then find the masters made.
    """
    settings = settings or BuildSettings()
    progress = progress or Progress()
    result = BuildResult(library.path)
    places = [Path(s) for s in sources]
    with library.lock(progress.say), thread_pool(settings.threads) as executor:
        library.clean()
        sightings, broken = read_sources(places, library, executor, progress)
        result.set_aside.update({str(path): reason for path, reason in broken})
        kinds = {*CALIBRATION, Kind.LIGHT} if settings.sky_flats else set(CALIBRATION)
        wanted = [s for s in sightings if s.kind in kinds]
        result.n_frames = sum(s.kind in CALIBRATION for s in wanted)
        with Scratch(library.path) as scratch:
            build = _Build(library, settings, progress, executor, scratch, result)
            build.run(wanted)
        if result.n_frames:
            library.remember_sources([p for p in places if p.is_dir()])
        library.entries()
    return result


@dataclass(eq=False)
class _Build:
    library: Library
    settings: BuildSettings
    progress: Progress
    executor: Executor
    scratch: Path
    result: BuildResult
    entries: list[Entry] = field(default_factory=list)
    done: dict[int, Path] = field(default_factory=dict)
    """The file of each plan that has one."""
    _of_frame: dict[str, list[Entry]] = field(default_factory=dict)
    """Masters that a frame was looked at for, by its identity."""
    _under: tuple[Path, Master] | None = None

    def run(self, sightings: Sequence[Sighting]) -> None:
        self.workers = thread_count(self.settings.threads)
        self.budget = memory_budget(self.settings.memory)
        for entry in self.library.entries():
            self._add(entry)
        self.result.odd += [f"{reason}; not used" for _, reason in self.library.damaged]
        rules = Rules(epoch=self.settings.epoch, sky_flats=self.settings.sky_flats)
        shelf = [plan for plan, _ in self.library.shelf()]
        planned = [m for m in plan_calibrations(sightings, rules, shelf).masters if not m.ready]
        chooser = Chooser([*(m for m in planned if m.kind is not Kind.FLAT), *shelf], rules)
        todo = [(plan, self._standing(plan)) for plan in planned]
        total = sum(len(plan.frames) * plan.like.shape[1] for plan, (path, _) in todo if path is None)
        self.progress.begin("masters", total, "rows")
        try:
            for plan, (path, _) in todo:
                if path is not None:
                    self.done[id(plan)] = path
                    self.result.standing.append(path.stem)
                    continue
                if len(plan.frames) < self.settings.fewest:
                    words = f"{len(plan.frames)} frames, {self.settings.fewest} are asked for"
                    self.result.skipped.append((plan.name, words))
                    continue
                if reasons := spent(plan.kind, plan.like.meta):
                    self.result.skipped.append((plan.name, f"{len(plan.frames)} frames: {reasons[0]}"))
                    continue
                if plan.like.meta.camera is None:
                    words = f"{len(plan.frames)} frames whose headers name no camera: a library could not tell whose"
                    self.result.skipped.append((plan.name, words))
                    continue
                plan = self._with_under(plan, chooser)
                try:
                    self._make(plan)
                except FrameError as error:
                    self.result.failed.append((plan.name, str(error)))
        finally:
            self.progress.end()

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        for identity in entry.record.get("considered", entry.inputs):
            self._of_frame.setdefault(identity, []).append(entry)

    def _with_under(self, plan: MasterPlan, chooser: Chooser) -> MasterPlan:
        """A flat whose dark or bias could not be made, or was refused, gets the next best."""
        while plan.subtract is not None and not plan.subtract.shared and id(plan.subtract) not in self.done:
            lost = plan.subtract
            for masters in chooser.masters.values():
                masters[:] = [m for m in masters if m is not lost]
            plan = chooser.with_under(replace(plan, subtract=None))
        return plan

    def _standing(self, plan: MasterPlan) -> tuple[Path | None, str]:
        """The file of the master that these frames have already; None where one is to be made."""
        ids = {identity_of(f): f for f in plan.frames}
        sharing = {id(e): e for i in ids for e in self._of_frame.get(i, ())}
        for entry in sharing.values():
            if not _kin(entry.kind, plan.kind) or (entry.refused and self.settings.accept):
                continue
            inputs = entry.inputs
            more = set(ids) - set(entry.record.get("considered", inputs))
            changed = [f for i, f in ids.items() if i in inputs and is_changed(f, inputs[i])]
            if not more and not changed:
                return entry.frame.path, ""
            words = " and ".join(
                filter(None, (f"{len(more)} new frames" if more else "", f"{len(changed)} changed" if changed else ""))
            )
            if not self.settings.refresh:
                self.result.waiting.append((entry.name, words))
                return entry.frame.path, words
        return None, ""

    def _make(self, plan: MasterPlan) -> None:
        under = self._read_under(plan.subtract)
        considered = sorted(map(identity_of, plan.frames))
        inputs = dict(zip((str(f.path) for f in plan.frames), self.executor.map(_input_or_reason, plan.frames)))
        master = combine_frames(
            plan, under, self.executor, self.workers, self.budget, self.scratch, self.progress.advance,
            None if plan.sky else self.settings.stack,
        )  # fmt: skip
        if plan.kind is Kind.BIAS and self.settings.superbias:
            master = replace(master, image=superbias(master.image), notes=(*master.notes, "superbias"))
        left_out = {str(f.path) for f, _ in master.set_aside}
        self.result.set_aside.update({str(f.path): reason for f, reason in master.set_aside})
        used = [given for name, given in inputs.items() if name not in left_out and isinstance(given, dict)]
        below = None if under is None or plan.subtract is None else self._file(plan.subtract)
        identity = group_identity(considered, below.name if below else None)
        record = provenance_of(master, fingerprint_of(identity, self.settings.stack.model_dump()), below, used)
        last = self._last(plan)
        verdict = None
        if last is not None:
            try:
                verdict = against_last(master.image, read(last.frame.path), last.name)
            except FrameError as error:
                self.result.odd.append(f"{error}; the new {plan.name} was compared with nothing")
        bad = verdict is not None and verdict.bad and not self.settings.accept
        words = "" if verdict is None else verdict.words
        record |= {"considered": considered, "verdict": words, REFUSED: words if bad else ""}
        record["settings"] = self.settings.stack.model_dump()
        path = self.library.place(plan, identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, master.image, provenance=record)
        self._add(Entry(open_frames(path)[0], json.loads(json.dumps(record, default=str))))
        sentence = _sentence(master, words)
        if bad:
            self.result.refused.append((path.stem, sentence))
        else:
            self.done[id(plan)] = path
            self.result.made.append((path.stem, sentence))

    def _file(self, plan: MasterPlan) -> Path:
        return plan.like.path if plan.shared else self.done[id(plan)]

    def _read_under(self, plan: MasterPlan | None) -> Master | None:
        if plan is None:
            return None
        path = self._file(plan)
        if self._under is None or self._under[0] != path:
            self._under = (path, Master(plan, read(path)))
        return self._under[1]

    def _last(self, plan: MasterPlan) -> Entry | None:
        """The newest usable master of the same settings, that these frames are compared with."""
        need = replace(NEEDS[plan.kind], oldest=float("inf"))
        alike = []
        for entry in self.entries:
            if not entry.usable or not _kin(entry.kind, plan.kind):
                continue
            if plan.kind is not Kind.FLAT and entry.frame.meta.calibrated != plan.like.meta.calibrated:
                continue
            fit = compare(plan.like, entry.frame, need)
            if fit.usable and not fit.warnings:
                alike.append(entry)
        return max(alike, key=lambda e: (e.frame.meta.start is not None, e.frame.meta.start, e.name), default=None)


def _kin(a: Kind, b: Kind) -> bool:
    """Of one kind; a dark flat is a dark."""
    darks = (Kind.DARK, Kind.DARK_FLAT)
    return a is b or (a in darks and b in darks)


def _input_or_reason(frame: Frame) -> dict[str, Any] | str:
    try:
        return input_of(frame)
    except OSError as error:
        return str(error)


def _sentence(master: Master, verdict: str) -> str:
    n, aside = master.image.meta.n_combined, len(master.set_aside)
    words = ["1 frame" if n == 1 else f"{n} frames"]
    words += [f"{aside} set aside"] if aside else []
    few = [note for note in master.plan.notes if note.startswith("only ")]
    words += ["few" if few else "", *(note for note in master.plan.notes if note not in few), *master.notes]
    words = list(filter(None, words))
    return "; ".join([*words, verdict] if verdict else words)


def describe_sources(library: Library, sources: Sequence[Path], progress: Progress | None = None) -> str:
    """The sets that the frames of the sources fall into, what decided each kind, and whether the library has them."""
    progress = progress or Progress()
    with thread_pool() as executor:
        sightings, broken = read_sources(sources, library, executor, progress)
    how = Counter((s.kind.value, s.how) for s in sightings)
    lines = [f"{len(sightings)} frames"]
    lines += [f"  {number:5d} {kind:<11s} by {reason}" for (kind, reason), number in sorted(how.items())]
    entries = library.entries()
    known = {i: e.name for e in entries for i in e.record.get("considered", e.inputs)}
    planned = plan_calibrations([s for s in sightings if s.kind in CALIBRATION], Rules(epoch=BuildSettings().epoch))
    for plan in planned.masters:
        lines.append(f"{wanted(plan.kind, plan.like.meta)}: {len(plan.frames)} frames, {key_words(plan.like)}")
        have = Counter(known[i] for f in plan.frames if (i := identity_of(f)) in known)
        lines += [f"    {number} of them are in {name}" for name, number in have.items()]
        lines += [f"    {note}" for note in plan.notes]
        lines += [f"    {f.path}" for f in plan.frames]
    if broken:
        lines.append(f"Cannot be used ({len(broken)}):")
        lines += [f"  {reason}" for _, reason in broken]
    return "\n".join(lines)
