"""The stages of a session; each of their steps is looked up in the graph of the run before it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError
from firstlight.io.frame import file_of
from firstlight.library.plans import Assignment
from firstlight.pipeline import products
from firstlight.pipeline.at_hand import without
from firstlight.pipeline.calibration import compile_all
from firstlight.pipeline.clean import with_named
from firstlight.pipeline.dark_scales import find_scale
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.graph import Graph
from firstlight.pipeline.graph_lights import KnownLights
from firstlight.pipeline.graph_results import (
    assignment_as_bytes,
    assignment_of_bytes,
    placed_as_bytes,
    placed_of_bytes,
)
from firstlight.pipeline.graph_session import SessionSteps
from firstlight.pipeline.group import GroupResult, Prepared, prepare_group, stack_group
from firstlight.pipeline.grouping import split, without_time
from firstlight.pipeline.hotpixels import spread_over
from firstlight.pipeline.kept import KeptStack, facts_of, kept_stacks
from firstlight.pipeline.layers import stack_with_comet
from firstlight.pipeline.look import Look
from firstlight.pipeline.masters import MasterShelf
from firstlight.pipeline.measure import Light
from firstlight.pipeline.panels import Plane
from firstlight.pipeline.panorama import prepare_mosaic, stack_mosaics
from firstlight.pipeline.plan import Group, Plan
from firstlight.pipeline.progress import Clock
from firstlight.pipeline.register import Placed, is_named, place
from firstlight.pipeline.settings import Settings
from firstlight.pipeline.solve_stacks import with_solved_plate


@dataclass(eq=False)
class Session:
    """State shared by the stages of one run."""

    plan: Plan
    graph: Graph
    clock: Clock
    executor: Executor
    workers: int
    budget: int
    scratch: Path
    set_aside: dict[str, str] = field(default_factory=dict)
    prepared: list[Prepared] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.set_aside.update({str(path): reason for path, reason in self.plan.broken})
        self.steps = SessionSteps(self.plan.settings, self.graph.results.hash_of)
        self.shelf = MasterShelf(self.plan, self.graph)

    def masters(self) -> MasterShelf:
        """Build, or take from the last run, every master that a light of this session or a flat needs."""
        shelf = self.shelf
        wanted = shelf.wanted()
        # Read once by all workers; the frames then lie in memory when they are combined.
        files = list(dict.fromkeys(file_of(f) for m in wanted if not m.parts for f in m.frames))
        with self.clock.stage("hash inputs"):
            list(self.executor.map(self.graph.results.hash_of, files))
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

    def find_dark_scales(self) -> None:
        """Where it is asked for: how much of the dark is in each light."""
        if self.plan.settings.calibrate.optimize_darks == "no":
            return
        lights = [a for group in self.plan.groups for a in group.assignments]
        wanted = [a for a in lights if a.find_scale != "no" and a.dark is not None and a.bias is not None]

        def look(assignment: Assignment) -> tuple[int, Assignment]:
            step, began = self.steps.scale(assignment, self.shelf.key), time.time()
            content = self.graph.held_result(step)
            found = content and assignment_of_bytes(content, assignment)
            if not found:
                found = find_scale(assignment, self.shelf)
                self.graph.finish(step, began=began, result=assignment_as_bytes(found))
            return id(assignment), found

        with self.clock.stage("dark scales", len(lights), "lights"):
            scales = dict(ordered(self.executor, look, wanted, self.workers + 1))
        groups = tuple(
            replace(g, assignments=tuple(scales.get(id(a), a) for a in g.assignments)) for g in self.plan.groups
        )
        self.plan = self.shelf.plan = replace(self.plan, groups=groups)

    def measure(self) -> dict[Path, Light]:
        """Look at every light once."""
        assignments = [a for group in self.plan.groups for a in group.assignments]
        calibrations = compile_all(assignments, self.shelf.get)
        settings = self.plan.settings
        calibrations = with_named(calibrations, settings.calibrate.bad_pixels)
        seekers = {a.light.path for group in self.plan.groups for a in spread_over(group.assignments)}
        look = KnownLights(self.graph, self.steps, self.shelf.key, Look(settings, self.scratch))
        lights: dict[Path, Light] = {}
        with self.clock.stage("measure", len(assignments), "lights") as stage:
            for path, light in look.all(assignments, calibrations, seekers, self.executor, self.workers):
                if isinstance(light, Light):
                    lights[path] = light
                else:
                    self.set_aside[str(path)] = light
                stage.advance()
        return lights

    def _place(self, light: Light, reference: Light, settings: Settings, guide: Light | None = None) -> Placed:
        """Register a light, or take where it was found to lie."""
        if light is reference:
            return place(light, reference, settings, guide)
        step, began = self.steps.place(light, reference), time.time()
        content = self.graph.held_result(step)
        placed = content and placed_of_bytes(content, light)
        if placed:
            return placed
        outcome: Placed | str
        try:
            outcome = place(light, reference, settings, guide)
        except FrameError as error:
            outcome = str(error)
        result = placed_as_bytes(outcome)
        if result is not None:
            self.graph.finish(step, began=began, result=result)
        if isinstance(outcome, str):
            raise FrameError(outcome)
        return outcome

    def stacks(self, lights: dict[Path, Light]) -> list[GroupResult | KeptStack]:
        """Register, select and integrate every group, the groups of one target and geometry onto one reference; each
        stack is written when it is made."""
        results: list[GroupResult | KeptStack] = []
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
                tools = settings, self.clock, self.executor, self.workers, self._place
                if mosaic:
                    prepared, plane = prepare_mosaic(group, members, common, plane, *tools)
                else:
                    prepared = prepare_group(group, members, common, *tools)
                self.set_aside.update(prepared.set_aside)
                common = common or (prepared.reference if prepared.placed else None)
                ready.append(prepared)
            self.prepared += ready
            if settings.output.stacks:
                results += self._stacks_of([prepared for prepared in ready if prepared.placed], common)
        return results

    def _stacks_of(self, ready: list[Prepared], common: Light | None) -> list[GroupResult | KeptStack]:
        """The stacks of registered groups of one field."""
        settings = self.plan.settings
        tools = settings, self.clock, self.executor, self.workers, self.budget
        if settings.registration.framing == "mosaic":
            return self._made(ready, ready, lambda: stack_mosaics(ready, *tools, self.scratch))
        if settings.comet.wanted and common is not None:
            return self._made(ready, ready, lambda: stack_with_comet(ready, common, *tools))
        results: list[GroupResult | KeptStack] = []
        for prepared in ready:
            for part in split(prepared, settings.group):
                results += self._made([part], [prepared], lambda part=part: [stack_group(part, *tools)])
        return results

    def _made(
        self, ready: Sequence[Prepared], whole: Sequence[Prepared], make: Callable[[], list[GroupResult]]
    ) -> list[GroupResult | KeptStack]:
        """The stacks of one step, with their pictures: as they stand, or made and written."""
        if not ready:
            return []
        step, began = self.steps.stack(ready, whole, lambda light: self.shelf.names_of(light.assignment)), time.time()
        held = self.graph.held(step)
        if held is not None:
            kept = kept_stacks(held.facts, ready, self.plan.output)
            for each in kept:
                self._pictures(each, step.key, lambda each=each: each.image)
            return list(kept)
        results = [self._solved(result) for result in make()]
        with self.clock.stage("products", len(results), "stacks") as stage:
            paths = []
            for result in results:
                writing = self.executor.submit(products.write_stack, result, self.plan, self.shelf)
                pictures = self._draw(result.name, result.image) if self.plan.settings.output.pictures else []
                result.files.append(writing.result())
                paths += result.files
                result.files += pictures
                stage.advance()
        self.graph.finish(step, paths, facts_of(results), began)
        for result in results:
            if self.plan.settings.output.pictures:
                self.graph.finish(self.steps.picture(step.key, result.name), result.files[1:], began=began)
        return list(results)

    def _solved(self, result: GroupResult) -> GroupResult:
        image, notes = with_solved_plate(result.name, result.image, self.plan.settings.solve, self.clock)
        return replace(result, image=image, notes=[*result.notes, *notes])

    def _pictures(self, stack: KeptStack, stack_key: str, image: Callable[[], Any]) -> None:
        """The pictures of a stack that stands."""
        if not self.plan.settings.output.pictures:
            return
        step, began = self.steps.picture(stack_key, stack.name), time.time()
        held = self.graph.held(step)
        if held is None:
            with self.clock.stage("products", 1, "stacks"):
                paths = self._draw(stack.name, image())
            held = self.graph.finish(step, paths, began=began)
        stack.files += [self.plan.output / name for name in held.products]

    def _draw(self, name: str, image: Any) -> list[Path]:
        return products.write_pictures(name, image, self.plan, self.executor)

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
