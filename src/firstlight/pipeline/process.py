"""A whole session: plan, masters, measure, register, select, integrate, products."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError
from firstlight.library.build import Master
from firstlight.pipeline import products
from firstlight.pipeline.at_hand import without
from firstlight.pipeline.calibration import compile_all
from firstlight.pipeline.clean import with_named
from firstlight.pipeline.crew import crew_of
from firstlight.pipeline.dark_scales import find_scales
from firstlight.pipeline.drizzle import check_first_pass
from firstlight.pipeline.executors import check_memory, memory_budget
from firstlight.pipeline.group import GroupResult, Prepared, prepare_group, stack_group
from firstlight.pipeline.grouping import split, without_time
from firstlight.pipeline.hotpixels import spread_over
from firstlight.pipeline.layers import stack_with_comet
from firstlight.pipeline.look import Look
from firstlight.pipeline.masters import MasterShelf
from firstlight.pipeline.measure import Light
from firstlight.pipeline.panels import Plane
from firstlight.pipeline.panorama import prepare_mosaic, stack_mosaics
from firstlight.pipeline.plan import Group, Plan, plan
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.record import Record, previous_record
from firstlight.pipeline.register import is_named
from firstlight.pipeline.room import check_room
from firstlight.pipeline.settings import Settings


@dataclass(frozen=True)
class Result:
    """What a run made."""

    plan: Plan
    output: Path
    stacks: tuple[GroupResult, ...] = ()
    masters: tuple[Master, ...] = ()
    set_aside: dict[str, str] = field(default_factory=dict)
    """File to reason."""
    unchanged: bool = False
    """Nothing had changed since the last run; its products stand."""
    record: dict[str, Any] = field(default_factory=dict)
    """What ``run.json`` holds."""


def process(
    session: str | Path,
    settings: Settings | None = None,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
    again: bool = False,
) -> Result:
    """Process a session: from raw frames to masters, one stack per target, filter and exposure, pictures and reports.

    Parameters
    ----------
    session : path
        A folder of raw frames. They are only read.
    settings : Settings, optional
    output : path, optional
        Default ``session/firstlight``.
    progress : Progress, optional
    again : bool
        Do the work even if nothing has changed since the last run.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        Nothing to work on, or no room on the disk; nothing has been written then.

    Notes
    -----
    A frame that cannot be used is set aside with its reason and the run goes on. The bytes of the stacks do not depend
    on ``settings.threads`` or ``settings.memory``.
    """
    settings = settings or Settings()
    clock = Clock(progress or Progress())
    target = Path(output) if output is not None else _default_output(Path(session))
    with clock.stage("plan"):
        todo = plan(session, settings, output=target, progress=clock.progress)
        earlier = previous_record(target)
        record = Record.of(todo)
        if earlier and not again and earlier.is_complete_for(record, target):
            return Result(todo, target, unchanged=True, record=earlier.content)
    needed = todo.disk_bytes + todo.scratch_bytes
    check_room(target, needed, "the run needs", "choose another folder with --output")
    check_memory(todo.memory_bytes, settings.memory)
    check_first_pass(settings.drizzle, settings.stack)
    target.mkdir(parents=True, exist_ok=True)
    budget = memory_budget(settings.memory)
    with crew_of(settings, target) as (executor, workers, scratch):
        run = _Run(todo, clock, executor, workers, budget, scratch)
        shelf = run.masters(earlier)
        run.find_dark_scales(shelf)
        todo = run.plan
        lights = run.measure(shelf)
        results = run.stacks(lights)
        with clock.stage("products", len(results), "stacks") as stage:
            for result in results:
                products.write_stack(result, todo, shelf, executor)
                stage.advance()
        content = record.finished(todo, shelf, results, run.set_aside, clock, executor)
        products.write_tables(todo, results, run.set_aside, content, run.prepared)
    return Result(todo, target, tuple(results), tuple(shelf.made), dict(run.set_aside), record=content)


def _default_output(session: Path) -> Path:
    from firstlight.pipeline.plan import OUTPUT

    return (session if session.is_dir() else session.parent) / OUTPUT


@dataclass(eq=False)
class _Run:
    """State shared by the stages of one run."""

    plan: Plan
    clock: Clock
    executor: Executor
    workers: int
    budget: int
    scratch: Path
    set_aside: dict[str, str] = field(default_factory=dict)
    prepared: list[Prepared] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.set_aside.update({str(path): reason for path, reason in self.plan.broken})

    def masters(self, earlier: Any) -> MasterShelf:
        """Build, or take from the last run, every master that a light of this session or a flat needs."""
        shelf = MasterShelf(self.plan, earlier)
        wanted = shelf.wanted()
        total = sum(len(m.frames) * m.like.shape[1] for m in wanted if not m.parts)
        with self.clock.stage("masters", total, "rows") as stage:
            while wanted:
                before = len(shelf.failed)
                for master in wanted:
                    try:
                        shelf.make(master, self.executor, self.workers, self.budget, self.scratch, stage.advance)
                    except FrameError as error:
                        stage.say(str(error))
                        shelf.failed[id(master)] = str(error)
                if len(shelf.failed) > before and self.plan.groups:
                    # Nothing goes on without a word and without the next best master.
                    notes = (*self.plan.notes, *list(shelf.failed.values())[before:])
                    self.plan = shelf.plan = replace(without(self.plan, set(shelf.failed)), notes=notes)
                wanted = [m for m in shelf.wanted() if shelf.get(m) is None and id(m) not in shelf.failed]
            shelf.finish()
        for made in shelf.made:
            self.set_aside.update({str(frame.path): reason for frame, reason in made.set_aside})
        return shelf

    def find_dark_scales(self, shelf: MasterShelf) -> None:
        """Where it is asked for: how much of the dark is in each light."""
        if self.plan.settings.calibrate.optimize_darks == "no":
            return
        lights = [a for group in self.plan.groups for a in group.assignments]
        with self.clock.stage("dark scales", len(lights), "lights"):
            found = find_scales(lights, shelf, self.executor, self.workers)
        groups = tuple(
            replace(g, assignments=tuple(found.get(id(a), a) for a in g.assignments)) for g in self.plan.groups
        )
        self.plan = shelf.plan = replace(self.plan, groups=groups)

    def measure(self, shelf: MasterShelf) -> dict[Path, Light]:
        """Look at every light once."""
        assignments = [a for group in self.plan.groups for a in group.assignments]
        calibrations = compile_all(assignments, shelf.get)
        settings = self.plan.settings
        calibrations = with_named(calibrations, settings.calibrate.bad_pixels)
        seekers = {a.light.path for group in self.plan.groups for a in spread_over(group.assignments)}
        look = Look(settings, self.scratch)
        lights: dict[Path, Light] = {}
        with self.clock.stage("measure", len(assignments), "lights") as stage:
            for path, light in look.all(assignments, calibrations, seekers, self.executor, self.workers):
                if isinstance(light, Light):
                    lights[path] = light
                else:
                    self.set_aside[str(path)] = light
                stage.advance()
        return lights

    def stacks(self, lights: dict[Path, Light]) -> list[GroupResult]:
        """Register, select and integrate every group, the groups of one target and geometry onto one reference."""
        results: list[GroupResult] = []
        settings = self.plan.settings
        if settings.group.wanted:
            dated, undated = without_time(list(lights.values()))
            lights = {light.frame.path: light for light in dated}
            self.set_aside.update(undated)
        for groups in self._fields():
            present = {g.name: [lights[a.light.path] for a in g.assignments if a.light.path in lights] for g in groups}
            largest = max(groups, key=lambda g: (len(present[g.name]), g.name))
            if not present[largest.name]:
                continue
            common = self._named_reference(lights)
            mosaic, plane = settings.registration.framing == "mosaic", Plane()
            ready: list[Prepared] = []
            for group in sorted(groups, key=lambda g: g is not largest):
                members = present[group.name]
                if not members:
                    continue
                tools = settings, self.clock, self.executor, self.workers
                if mosaic:
                    prepared, plane = prepare_mosaic(group, members, common, plane, *tools)
                else:
                    prepared = prepare_group(group, members, common, *tools)
                self.set_aside.update(prepared.set_aside)
                common = common or prepared.reference
                ready.append(prepared)
            self.prepared += ready
            if settings.output.stacks:
                results += self._stacks_of([prepared for prepared in ready if prepared.placed], common)
        return results

    def _stacks_of(self, ready: list[Prepared], common: Light | None) -> list[GroupResult]:
        """The stacks of registered groups of one field."""
        settings = self.plan.settings
        tools = settings, self.clock, self.executor, self.workers, self.budget
        if settings.registration.framing == "mosaic":
            return stack_mosaics(ready, *tools, self.scratch)
        if settings.comet.wanted and common is not None:
            return stack_with_comet(ready, common, *tools)
        return [stack_group(part, *tools) for prepared in ready for part in split(prepared, settings.group)]

    def _named_reference(self, lights: dict[Path, Light]) -> Light | None:
        name = self.plan.settings.registration.reference
        return next((light for light in lights.values() if name and is_named(light.frame, name)), None)

    def _fields(self) -> list[list[Group]]:
        """Groups that show the same target with the same geometry."""
        fields: dict[tuple[Any, ...], list[Group]] = {}
        for group in self.plan.groups:
            key = (group.target.casefold(), group.like.shape, group.like.meta.camera, group.like.meta.cfa)
            fields.setdefault(key, []).append(group)
        return list(fields.values())
