"""The stages of a session, each as a function of its own: for schedulers that want to see, retry and time them.

Every stage may be run alone and again: what is finished stands in the journal of the run folder and is not done twice.
All that goes in and comes out is small and JSON can hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from firstlight.errors import SpecError
from firstlight.pipeline.crew import crew_of
from firstlight.pipeline.executors import memory_budget
from firstlight.pipeline.graph import Graph
from firstlight.pipeline.measure import Light
from firstlight.pipeline.plan import Group, Plan, plan
from firstlight.pipeline.process import default_output, process
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.record import Record
from firstlight.pipeline.session import Session
from firstlight.pipeline.settings import Settings

Facts = dict[str, Any]


def settings_of(values: Mapping[str, Any] | None) -> Settings:
    """Settings from what JSON holds.

    Raises
    ------
    SpecError
        One does not exist or is out of bounds.
    """
    try:
        return Settings(**dict(values or {}))
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(
            f"settings: {'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"
        ) from None


def plan_session(session: str, settings: Mapping[str, Any] | None = None, output: str | None = None) -> Facts:
    """What there is and what will be made of it."""
    todo = _planned(session, settings, output)
    return {
        "session": str(todo.session),
        "output": str(todo.output),
        "fingerprint": Record.of(todo).fingerprint,
        "frames": dict(todo.counts()),
        "fields": {name: [g.name for g in groups] for name, groups in _fields(todo).items()},
        "lights": sum(len(group.assignments) for group in todo.groups),
        "broken": {str(path): reason for path, reason in todo.broken},
        "notes": list(todo.notes),
    }


def make_masters(session: str, settings: Mapping[str, Any] | None = None, output: str | None = None) -> Facts:
    """Every master that the session needs."""
    with _session(session, settings, output) as run:
        shelf = run.masters()
        return {
            "masters": [
                {"file": shelf.files[id(m.plan)].name, "frames": m.plan.n_frames, "notes": list(m.plan.notes)}
                for m in shelf.made
            ],
            "set_aside": dict(run.set_aside),
        }


def measure_lights(session: str, settings: Mapping[str, Any] | None = None, output: str | None = None) -> Facts:
    """Every light calibrated in memory and measured."""
    with _session(session, settings, output) as run:
        run.masters()
        run.find_dark_scales()
        lights = run.measure()
        return {"lights": [_told(light) for light in lights.values()], "set_aside": dict(run.set_aside)}


def stack_field(
    session: str, field: str, settings: Mapping[str, Any] | None = None, output: str | None = None
) -> Facts:
    """The stacks and pictures of one field: the groups of one target and geometry, which share a reference."""
    with _session(session, settings, output) as run:
        run.masters()
        fields = _fields(run.plan)
        if field not in fields:
            raise SpecError(f"field {field!r}: the session has {', '.join(fields) or 'none'}")
        # The masters know the whole session, so that their names are those of the whole.
        run.plan = run.shelf.plan = replace(run.plan, groups=tuple(fields[field]))
        run.find_dark_scales()
        results = run.stacks(run.measure())
        return {
            "stacks": [{**r.summary(), "files": [str(p) for p in r.files]} for r in results],
            "set_aside": dict(run.set_aside),
        }


def finish_session(session: str, settings: Mapping[str, Any] | None = None, output: str | None = None) -> Facts:
    """All that is left to do: tables, record, report. Alone it does a whole session."""
    result = process(session, settings_of(settings), output=output)
    return {
        "output": str(result.output.resolve()),
        "unchanged": result.unchanged,
        "frames": len(result.plan.sightings),
        "came_to_nothing": result.came_to_nothing(),
        "stacks": list(result.record.get("stacks", [])),
        "set_aside": dict(result.record.get("set_aside", {})),
        "timings": dict(result.record.get("timings", {})),
    }


def _planned(session: str, settings: Mapping[str, Any] | None, output: str | None) -> Plan:
    return plan(session, settings_of(settings), output=output or default_output(Path(session)))


@contextmanager
def _session(session: str, settings: Mapping[str, Any] | None, output: str | None) -> Iterator[Session]:
    todo = _planned(session, settings, output)
    todo.output.mkdir(parents=True, exist_ok=True)
    clock = Clock(Progress())
    budget = memory_budget(todo.settings.memory)
    with Graph(todo.output) as graph, crew_of(todo.settings, todo.output) as (executor, workers, scratch):
        yield Session(todo, graph, clock, executor, workers, budget, scratch)


def _fields(todo: Plan) -> dict[str, list[Group]]:
    """Groups by what they show, in the order of the plan; a second of the same target is numbered."""
    found: dict[tuple[Any, ...], list[Group]] = {}
    for group in todo.groups:
        like = group.like
        found.setdefault((group.target.casefold(), like.shape, like.meta.camera, like.meta.cfa), []).append(group)
    named: dict[str, list[Group]] = {}
    for groups in found.values():
        name, number = groups[0].target or "session", 1
        while name in named:
            number += 1
            name = f"{groups[0].target} ({number})"
        named[name] = groups
    return named


def _told(light: Light) -> Facts:
    quality = light.quality
    return {
        "file": light.name, "stars": quality.n_stars, "fwhm": round(float(quality.fwhm), 3),
        "background": round(float(light.level.mean()), 2), "noise": round(float(light.noise.mean()), 3),
    }  # fmt: skip
