"""Many stacks out of the lights of one group: for what moves, brightens or passes in front of a star."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from firstlight.ops.registry import Params
from firstlight.units import Unit

if TYPE_CHECKING:
    from firstlight.pipeline.group import Prepared
    from firstlight.pipeline.measure import Light

UNDATED = "its header tells no time (DATE-OBS is missing or cannot be read), and the stacks go by time"


class Grouping(Params):
    """Consecutive lights of one target, filter and exposure into many stacks, in order of time.

    All stacks of a target share one registration: a star has the same place in each. Frames are counted after the poor
    ones have been set aside. A light without a time is set aside.
    """

    frames: Annotated[int, Field(ge=0)] = 0
    """Frames of each stack (the last may have fewer); 0: not by number of frames."""
    stacks: Annotated[int, Field(ge=0)] = 0
    """Number of stacks of each target, filter and exposure, as equal as can be; 0: not so."""
    minutes: Annotated[float, Field(ge=0), Unit("min")] = 0.0
    """Time that each stack spans, from the start of its first frame; 0: not by time."""

    @model_validator(mode="after")
    def _one_way(self) -> Grouping:
        if sum(value > 0 for value in (self.frames, self.stacks, self.minutes)) > 1:
            raise ValueError("frames, stacks and minutes exclude one another; give one of them")
        return self

    @property
    def wanted(self) -> bool:
        return bool(self.frames or self.stacks or self.minutes)


def cut(starts: Sequence[datetime], grouping: Grouping) -> list[slice]:
    """Consecutive runs of frames in order of time.

    >>> from datetime import UTC
    >>> starts = [datetime(2026, 1, 1, 22, m, tzinfo=UTC) for m in (0, 2, 4, 20, 22)]
    >>> [(s.start, s.stop) for s in cut(starts, Grouping(minutes=5))]
    [(0, 3), (3, 5)]
    >>> [(s.start, s.stop) for s in cut(starts, Grouping(frames=2))]
    [(0, 2), (2, 4), (4, 5)]
    >>> [(s.start, s.stop) for s in cut(starts, Grouping(stacks=2))]
    [(0, 2), (2, 5)]
    """
    n = len(starts)
    if grouping.frames:
        edges = [*range(0, n, grouping.frames), n]
    elif grouping.stacks:
        k = min(grouping.stacks, n)
        edges = [i * n // k for i in range(k + 1)] if n else [0]
    elif grouping.minutes:
        edges, span = [], timedelta(minutes=grouping.minutes)
        for i, start in enumerate(starts):
            if not edges or start >= starts[edges[-1]] + span:
                edges.append(i)
        edges.append(n)
    else:
        edges = [0, n]
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


def without_time(lights: Sequence[Light]) -> tuple[list[Light], dict[str, str]]:
    """Lights that can be put in order of time, and the others with the reason."""
    undated = {str(light.frame.path): f"{light.name}: {UNDATED}" for light in lights if light.frame.meta.start is None}
    return [light for light in lights if light.frame.meta.start is not None], undated


def split(prepared: Prepared, grouping: Grouping) -> list[Prepared]:
    """The parts of a registered group, each ready to become a stack of its own; names get a number."""
    if not grouping.wanted or not prepared.placed:
        return [prepared]
    ready = _with_common_defects(prepared)
    placed = sorted(ready.placed, key=lambda p: (p.light.frame.meta.start, p.light.name))
    runs = cut([p.light.frame.meta.start for p in placed], grouping)  # type: ignore[misc]
    edges = [placed[run.start].light.frame.meta.start for run in runs[1:]]
    parts = []
    for number, run in enumerate(runs, 1):
        members = placed[run]
        measured = [light for light in ready.measured if _part_of(light, edges) == number]
        paths = {str(light.frame.path) for light in measured}
        group = replace(
            ready.group,
            name=f"{ready.group.name}_{number:0{max(3, len(str(len(runs))))}d}",
            part_of=ready.group.name,
            assignments=tuple(p.light.assignment for p in members),
        )
        parts.append(
            replace(
                ready,
                group=group,
                placed=members,
                measured=measured,
                set_aside={path: why for path, why in ready.set_aside.items() if path in paths},
                notes=list(ready.notes),
            )
        )
    return parts


def _part_of(light: Light, edges: Sequence[Any]) -> int:
    start = light.frame.meta.start
    return 1 + sum(start >= edge for edge in edges) if start is not None else 1


def _with_common_defects(prepared: Prepared) -> Prepared:
    """The same lights, with the bad pixels that all of them together show: a few frames would not tell."""
    from firstlight.pipeline.hotpixels import with_defects_of_lights

    notes = list(prepared.notes)
    calibrations = with_defects_of_lights(prepared.placed, notes)
    new: dict[int, Light] = {}

    def known(light: Light) -> Light:
        if id(light) not in new:
            calibration = calibrations.get(id(light), light.calibration)
            new[id(light)] = replace(light, calibration=calibration, spikes=None)
        return new[id(light)]

    return replace(
        prepared,
        reference=known(prepared.reference),
        placed=[replace(p, light=known(p.light)) for p in prepared.placed],
        measured=[known(light) for light in prepared.measured],
        notes=notes,
    )
