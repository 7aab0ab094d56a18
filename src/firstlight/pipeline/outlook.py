"""What a run would do now: each step, whether it stands, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firstlight.io.results import Results
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.pipeline.at_hand import needed_masters
from firstlight.pipeline.graph import FOLDER, RESULTS, Graph, Step
from firstlight.pipeline.graph_session import SessionSteps, light_name, stack_settings
from firstlight.pipeline.hotpixels import spread_over
from firstlight.pipeline.masters import MasterShelf
from firstlight.pipeline.plan import Plan, plan
from firstlight.pipeline.process import default_output
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.record import Record, previous_record
from firstlight.pipeline.settings import Settings

SHOWN = 6
"""Lights that are named one by one."""


@dataclass(frozen=True)
class Outlook:
    """The steps of a run and what would become of each."""

    output: Path
    steps: tuple[tuple[str, str, str], ...]
    """Kind, name, and why it would be done; empty where it stands."""
    unchanged: bool = False

    def lines(self) -> list[str]:
        """In words."""
        if self.unchanged:
            return [f"Nothing has changed since the last run: its products stand in {self.output}."]
        lines = []
        for kind in dict.fromkeys(kind for kind, _, _ in self.steps):
            mine = [(name, why) for each, name, why in self.steps if each == kind]
            todo = [(name, why) for name, why in mine if why]
            lines.append(f"{kind}: {len(todo)} to do, {len(mine) - len(todo)} kept")
            if len(todo) <= SHOWN:
                lines += [f"  {Path(name).name}: {why}" for name, why in todo]
            else:
                lines += [f"  {n}: {why}" for why, n in Counter(why for _, why in todo).most_common()]
        return [*lines, f"Products would go to {self.output}; nothing was written (--dry-run)."]


def outlook(
    session: str | Path, settings: Settings | None = None, *, output: str | Path | None = None, again: bool = False,
    start: str = "", progress: Progress | None = None,
) -> Outlook:  # fmt: skip
    """Look ahead; nothing is written but the index of headers, where there is a run folder.

    Whether a stack stands is told from its lights and settings; if one of its field's lights must be measured anew, it
    depends on where that will lie.
    """
    settings = settings or Settings()
    target = Path(output) if output is not None else default_output(Path(session))
    todo = plan(session, settings, output=target, progress=progress)
    earlier = previous_record(target)
    if earlier and not again and not start and earlier.is_complete_for(Record.of(todo), target):
        return Outlook(target, (), unchanged=True)
    graph = Graph(target, again=again, start=start)
    graph.look()
    if start:
        graph.check_start()
    graph.results = Results(target / FOLDER / RESULTS) if (target / FOLDER / RESULTS).exists() else Results.nowhere()
    try:
        return Outlook(target, tuple(_steps(todo, graph)))
    finally:
        graph.results.close()


def _steps(todo: Plan, graph: Graph) -> Iterator[tuple[str, str, str]]:
    shelf = MasterShelf(todo, graph)
    makers = SessionSteps(todo.settings, graph.results.hash_of)
    fresh: set[int] = set()
    for master in needed_masters(todo):
        step = shelf.planned(master)
        if not master.shared:
            why = _why(graph, step, graph.held(step) is not None)
            if why:
                fresh.add(id(master))
            yield step.kind, step.name, why
    scales = todo.settings.calibrate.optimize_darks != "no"
    touched: dict[str, bool] = {}
    for group in todo.groups:
        seekers = {id(a) for a in spread_over(group.assignments)}
        for assignment in group.assignments:
            why = _light(assignment, makers, shelf, graph, fresh, id(assignment) in seekers, scales)
            touched[group.name] = touched.get(group.name, False) or bool(why)
            yield "measure", light_name(assignment.light), why
    asked = stack_settings(todo.settings)
    for entry_name, why in _stacks(todo, graph, touched, asked):
        yield "stack", entry_name, why
        if todo.settings.output.pictures:
            step = None if why else graph.entry("stack", entry_name)
            names = [each["summary"]["name"] for each in step.facts] if step else [entry_name]
            for name in names:
                drawn = step and graph.held(makers.picture(step.step.key, name)) is not None
                yield "picture", name, "" if drawn else ("other steps" if step else "its stack is made")


def _light(
    assignment: Assignment, makers: SessionSteps, shelf: MasterShelf, graph: Graph, fresh: set[int],
    seeks_spikes: bool, scales: bool,
) -> str:  # fmt: skip
    if any(_rests_on(master, fresh) for master in assignment.masters):
        return "its masters are made anew"
    if graph.entry("measure", light_name(assignment.light)) is None:
        return "not measured yet"
    if scales and assignment.find_scale != "no":
        from firstlight.pipeline.graph_results import assignment_of_bytes

        content = graph.results.get(makers.scale(assignment, shelf.key).key)
        found = content and assignment_of_bytes(content, assignment)
        if not found:
            return "the scale of its dark is not known"
        assignment = found
    step = makers.measure(assignment, shelf.key, seeks_spikes)
    return _why(graph, step, graph.results.has(step.key))


def _rests_on(master: MasterPlan, fresh: set[int]) -> bool:
    return id(master) in fresh or any(
        m is not None and _rests_on(m, fresh) for m in (master.subtract, *(part for part, _ in master.parts))
    )


def _stacks(todo: Plan, graph: Graph, touched: dict[str, bool], asked: object) -> Iterator[tuple[str, str]]:
    if not todo.settings.output.stacks:
        return
    known = {name: entry for (kind, name), entry in graph.finished().items() if kind == "stack"}
    for group in todo.groups:
        mine = [
            (name, entry) for name, entry in known.items() if any(group.name in each["group"] for each in entry.facts)
        ]
        if not mine:
            yield group.name, "not made yet"
        for name, entry in mine:
            if touched[group.name]:
                yield name, "its lights are measured anew"
            elif any(touched.values()):
                yield name, "depends on the reference of its field"
            elif entry.step.params != asked:
                yield name, "other settings"
            else:
                yield name, _why(graph, entry.step, graph.held(entry.step) is not None)


def _why(graph: Graph, step: Step, stands: bool) -> str:
    if graph.is_wanted_anew(step):
        return "asked for"
    if stands:
        return ""
    entry = graph.entry(step.kind, step.name)
    if entry is None:
        return "not done yet"
    if entry.step.key == step.key:
        return "its file is gone or was changed"
    changed = [Path(f).name for f, word in step.inputs.items() if entry.step.inputs.get(f) not in (None, word)]
    if changed:
        return f"{changed[0]} has changed"
    if set(step.inputs) != set(entry.step.inputs):
        return "other frames"
    return "other settings, headers or version"
