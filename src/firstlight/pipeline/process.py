"""A whole session: plan, masters, measure, register, select, integrate, products."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.io.targets import check_folder
from firstlight.library.build import Master
from firstlight.pipeline import products
from firstlight.pipeline.crew import crew_of
from firstlight.pipeline.drizzle import check_first_pass
from firstlight.pipeline.executors import check_memory, memory_budget
from firstlight.pipeline.graph import Graph
from firstlight.pipeline.group import GroupResult
from firstlight.pipeline.kept import KeptStack
from firstlight.pipeline.plan import OUTPUT, Plan, plan
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.record import Record, previous_record
from firstlight.pipeline.report import REPORT, write_report
from firstlight.pipeline.room import check_room
from firstlight.pipeline.session import Session
from firstlight.pipeline.settings import Settings


@dataclass(frozen=True)
class Result:
    """What a run made."""

    plan: Plan
    output: Path
    stacks: tuple[GroupResult | KeptStack, ...] = ()
    masters: tuple[Master, ...] = ()
    set_aside: dict[str, str] = field(default_factory=dict)
    """File to reason."""
    unchanged: bool = False
    """Nothing had changed since the last run; its products stand."""
    record: dict[str, Any] = field(default_factory=dict)
    """What ``run.json`` holds."""

    def came_to_nothing(self) -> bool:
        """Whether no frame could be read, or a group of lights has no stack, or one frame of three or more."""
        if self.unchanged:
            return False
        if not self.plan.sightings:
            return True
        if not self.plan.settings.output.stacks:
            return False
        frames: dict[str, int] = {}
        for stack in self.stacks:
            if stack.layer in ("stars", "comet"):
                continue
            whole = stack.prepared.group.part_of or stack.name
            frames[whole] = frames.get(whole, 0) + stack.n_frames
        return any(frames.get(g.name, 0) < min(2, (len(g.assignments) + 1) // 2) for g in self.plan.groups)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Each stack with its preview and numbers, for notebooks."""
        from firstlight.pipeline.notebook import result_bundle

        return result_bundle(self)

    def as_record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"output": str(self.output), "unchanged": self.unchanged, **self.record}


def process(
    session: str | Path,
    settings: Settings | None = None,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
    again: bool = False,
    start: str = "",
    only: Collection[Path] | None = None,
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
    start : str
        Do this step anew, and those after it: one of `firstlight.pipeline.graph.KINDS`, or one and the name of what it
        makes (``stack M31_R_60s``).
    only : paths, optional
        Files of the session to take; others are not looked at.

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
    on ``settings.threads`` or ``settings.memory``. Steps that are finished, by this run or an earlier one that was
    killed, are not done again; what a run leaves is the same as if it had begun with nothing.
    """
    settings = settings or Settings()
    clock = Clock(progress or Progress())
    target = Path(output) if output is not None else default_output(Path(session))
    check_folder(target)
    with clock.stage("plan"):
        todo = plan(session, settings, output=target, progress=clock.progress, only=only)
        earlier = previous_record(target)
        record = Record.of(todo)
        if earlier and not again and not start and earlier.is_complete_for(record, target):
            if settings.output.report and not (target / REPORT).exists():
                write_report(target)
            return Result(todo, target, unchanged=True, record=earlier.content)
    needed = todo.disk_bytes + todo.scratch_bytes
    check_room(target, needed, "the run needs", "choose another folder with --output")
    check_memory(todo.memory_bytes, settings.memory)
    check_first_pass(settings.drizzle, settings.stack)
    target.mkdir(parents=True, exist_ok=True)
    budget = memory_budget(settings.memory)
    with (
        Graph(target, again=again, start=start, waiting=clock.progress.say) as graph,
        crew_of(settings, target) as (executor, workers, scratch),
    ):
        graph.check_start()
        run = Session(todo, graph, clock, executor, workers, budget, scratch)
        shelf = run.masters()
        run.find_dark_scales()
        results = run.stacks(run.measure())
        content = record.finished(run.plan, shelf, results, run.set_aside, clock, executor, graph)
        graph.settle()
        products.write_tables(run.plan, results, run.set_aside, content, run.prepared)
    if settings.output.report:
        # After all else: it tells of a run that is whole.
        write_report(target)
    return Result(run.plan, target, tuple(results), tuple(shelf.made), dict(run.set_aside), record=content)


def default_output(session: Path) -> Path:
    """Where the products of a session go unless told otherwise."""
    return (session if session.is_dir() else session.parent) / OUTPUT
