"""A mosaic of the sky from raw frames: every panel stacked on one grid, all brought together.

One panel at a time goes through the streaming engine and waits in the scratch folder; the mosaic is then put together
in bands of rows. Memory holds one panel and the result, or, of a result that is too large, what is being worked on.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np

from firstlight.ops.align.grid import Grid
from firstlight.ops.stack.seams import Evening, even_out
from firstlight.pipeline.blend import (
    StackedPanel,
    blend_panels,
    flux_ratios,
    mosaic_words,
    plan_mosaic,
    stacked_panel,
    window_of,
)
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.group import GroupResult, Placing, Prepared, finish_stack, plan_engine, prepare_group
from firstlight.pipeline.hotpixels import with_defects_of_lights
from firstlight.pipeline.integrate import Engine
from firstlight.pipeline.measure import Light
from firstlight.pipeline.panels import Panel, Plane, part_by_panel, place_panels
from firstlight.pipeline.plan import Group
from firstlight.pipeline.progress import Clock
from firstlight.pipeline.register import place
from firstlight.pipeline.settings import Settings


def prepare_mosaic(
    group: Group, lights: list[Light], common: Light | None, plane: Plane, settings: Settings, clock: Clock,
    executor: Executor, workers: int, placing: Placing = place,
) -> tuple[Prepared, Plane]:  # fmt: skip
    """Part the lights of a group by panel, select the good ones of each, and place all panels on one plane.

    ``common`` is the reference of the field, and ``plane`` what other filters have told of it.
    """
    with clock.stage("find panels", len(lights), "lights") as stage:
        parts = part_by_panel(lights, settings.match, stage.advance)
    set_aside: dict[str, str] = {}
    panels, notes = [], []
    for part in parts:
        one = prepare_group(
            group, part, common if common in part else None, settings, clock, executor, workers, placing
        )
        set_aside.update(one.set_aside)
        if one.placed:
            panels.append(Panel(one.reference, one.placed))
    if panels:
        with clock.stage("place panels"):
            common, plane, notes = place_panels(panels, common, plane, settings.match)
    for panel in panels:
        if panel.to_plane is None:
            set_aside |= {
                str(placed.light.frame.path): f"{placed.light.name}: its panel ({len(panel.placed)} lights) shares too "
                "few stars with the others, and has no plate (WCS) that would place it"
                for placed in panel.placed
            }
    panels = [panel for panel in panels if panel.to_plane is not None]
    placed = [placed for panel in panels for placed in panel.placed]
    return Prepared(group, common or lights[0], placed, lights, set_aside, notes, panels), plane


def stack_mosaics(
    field: Sequence[Prepared], settings: Settings, clock: Clock, executor: Executor, workers: int, budget: int,
    scratch: Path,
) -> list[GroupResult]:  # fmt: skip
    """The mosaics of a field, one for each group, on one grid."""
    if not field:
        return []
    grid = plan_mosaic([panel for prepared in field for panel in prepared.panels])
    tools = settings, clock, executor, workers, budget, scratch
    return [stack_mosaic(prepared, grid, *tools) for prepared in field]


def stack_mosaic(
    prepared: Prepared, grid: Grid, settings: Settings, clock: Clock, executor: Executor, workers: int, budget: int,
    scratch: Path,
) -> GroupResult:  # fmt: skip
    """Stack every panel, bring all to one level and scale, and blend them."""
    calibrations_notes: list[str] = []
    everyone = [placed for panel in prepared.panels for placed in panel.placed]
    calibrations = with_defects_of_lights(everyone, calibrations_notes)
    done: list[StackedPanel] = []
    notes: list[str] = []
    for panel in prepared.panels:
        stacked, words = _stack_panel(
            panel, prepared, grid, calibrations, settings, clock, executor, workers, budget, scratch
        )
        done.append(stacked)
        notes += [word for word in words if word not in notes]
    reference = _index_of_reference(done, prepared)
    with clock.stage("even out panels"):
        evenings = even_out([each.cells for each in done], flux_ratios(done), reference)
    step = done[0].engine.colours.shrink if done[0].engine.colours else 1
    size = grid.height // step, grid.width // step
    with clock.stage("blend", size[0], "rows") as stage:
        blended = blend_panels(done, evenings, size, executor, budget, scratch, stage.advance)
    engine = _whole(done, evenings, grid, reference)
    one = done[reference]
    return finish_stack(
        replace(prepared, placed=[placed for each in done for placed in each.panel.placed]), engine, blended, settings,
        clock, [*calibrations_notes, *notes, *mosaic_words(done, evenings)],
        (f"mosaic of {len(done)} panels: brought to one level and scale, blended where they overlap",),
        compared=(one.engine, one.stacked),
    )  # fmt: skip


def _index_of_reference(done: Sequence[StackedPanel], prepared: Prepared) -> int:
    for k, each in enumerate(done):
        if any(placed.light is prepared.reference for placed in each.panel.placed):
            return k
    return int(np.argmax([len(each.panel.placed) for each in done]))


def _stack_panel(
    panel: Panel, prepared: Prepared, grid: Grid, calibrations: dict[int, Calibration], settings: Settings,
    clock: Clock, executor: Executor, workers: int, budget: int, scratch: Path,
) -> tuple[StackedPanel, list[str]]:  # fmt: skip
    part, top, left = window_of(panel, grid)
    own = replace(prepared, reference=panel.hub, placed=panel.placed, notes=[])
    engine, notes = plan_engine(own, settings, grid=part, calibrations=calibrations)
    with clock.stage("integrate panel", engine.size[0] * engine.size[1], "px") as stage:
        stacked = engine.run(executor, workers, budget, stage.advance)
    step = engine.colours.shrink if engine.colours else 1
    place = top // step, left // step
    return stacked_panel(panel, engine, stacked, place, len(panel.placed), settings.stars, scratch), notes


def _whole(done: Sequence[StackedPanel], evenings: Sequence[Evening], grid: Grid, reference: int) -> Engine:
    """What the mosaic is made of, in one record."""
    contributions = tuple(
        replace(
            c,
            gain=c.gain * evening.factor,
            summand=None if c.summand is None else c.summand * evening.factor + evening.coefficients[:, 0],
            weight=c.weight / evening.factor**2,
            surface=None,
        )
        for each, evening in zip(done, evenings)
        for c in each.engine.contributions
    )
    largest = max(done, key=lambda each: len(each.panel.placed))
    return replace(done[reference].engine, contributions=contributions, grid=grid, combine=largest.engine.combine)
