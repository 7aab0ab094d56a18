"""A mosaic of the sky from files that are calibrated already: stacks of its panels, or single frames."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstlight.errors import InputError
from firstlight.model.registration import Registration, Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.stack.combine import Combine
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
from firstlight.pipeline.combine_files import FileEngine, Part
from firstlight.pipeline.integrate import Stacked
from firstlight.pipeline.measure import Light
from firstlight.pipeline.members import Member
from firstlight.pipeline.panels import Panel, Plane, place_panels
from firstlight.pipeline.progress import Clock
from firstlight.pipeline.register import Placed, is_named
from firstlight.pipeline.scale import defects_of

if TYPE_CHECKING:
    from firstlight.pipeline.stack_settings import StackSettings


@dataclass(frozen=True, eq=False)
class JoinedFiles:
    """A finished mosaic of files."""

    engine: FileEngine
    stacked: Stacked
    reference: Member
    """Without its plate where it lies bent on the plane of the mosaic: that would not say how the sky lies there."""
    grid: Grid
    set_aside: dict[str, str]
    notes: list[str]


def join_files(
    looked: Sequence[tuple[Member, Light]], settings: StackSettings, clock: Clock, executor: Executor, workers: int,
    budget: int, scratch: Path,
) -> JoinedFiles:  # fmt: skip
    """Put panels together, each a file that is resampled once; the files need not have one size.

    Raises
    ------
    InputError
        Fewer than two files can be joined.
    """
    rule = settings.registration
    panels = [Panel(light, [Placed(light, Registration(Transform.identity()), 1.0)]) for _, light in looked]
    named = next((light for _, light in looked if rule.reference and is_named(light.frame, rule.reference)), None)
    with clock.stage("place panels"):
        reference, _, notes = place_panels(panels, named, Plane(), settings.match)
    set_aside = {
        str(panel.hub.frame.path): f"{panel.hub.name}: shares too few stars with the others, and has no plate (WCS) "
        "that would place it"
        for panel in panels
        if panel.to_plane is None
    }
    joined = [(panel, member) for panel, (member, _) in zip(panels, looked) if panel.to_plane is not None]
    if len(joined) < 2:
        raise InputError(
            f"{looked[0][1].name} and {len(looked) - 1} more: no two of them share enough stars, or have plates (WCS) "
            "that tell how they lie; a mosaic needs panels that overlap by about 10 % of a side"
        )
    grid = plan_mosaic([panel for panel, _ in joined])
    done = []
    with clock.stage("resample panels", len(joined), "files") as stage:
        for panel, member in joined:
            part, top, left = window_of(panel, grid)
            forward = panel.placed[0].registration.transform.then(part.from_reference)
            engine = _engine([_part(member, forward)], (part.height, part.width), member, settings)
            stacked = engine.run(executor, workers, budget)
            done.append(stacked_panel(panel, engine, stacked, (top, left), member.covered, settings.stars, scratch))
            stage.advance()
    first = next((k for k, (panel, _) in enumerate(joined) if panel.hub is reference), 0)
    with clock.stage("even out panels"):
        evenings = even_out([each.cells for each in done], flux_ratios(done), first)
    with clock.stage("blend", grid.height, "rows") as stage:
        blended = blend_panels(done, evenings, (grid.height, grid.width), executor, budget, scratch, stage.advance)
    member = joined[first][1]
    parts = [_evened(each, evening) for each, evening in zip(done, evenings)]
    engine = _engine(parts, (grid.height, grid.width), member, settings)
    forward = parts[first].forward or Transform.identity()
    if not forward.is_affine:
        member = replace(member, frame=member.frame.replace(plate=None))
    grid = Grid(grid.height, grid.width, forward)
    return JoinedFiles(engine, blended, member, grid, set_aside, [*notes, *mosaic_words(done, evenings)])


def _part(member: Member, forward: Transform) -> Part:
    channels = member.frame.shape[0]
    return Part(member, np.ones(channels), np.zeros(channels), 1.0, forward, defects_of(member))


def _engine(parts: Sequence[Part], size: tuple[int, int], like: Member, settings: StackSettings) -> FileEngine:
    clamp = settings.registration.clamp
    return FileEngine(
        tuple(parts), size, like.level, Combine(method="mean"), None, False, settings.registration.kernel,
        clamp if clamp < 1000 else 0.0,
    )  # fmt: skip


def _evened(each: StackedPanel, evening: Evening) -> Part:
    """What a file is in the whole mosaic, for its header and its record."""
    part: Part = each.engine.parts[0]  # type: ignore[union-attr]
    noise = float(np.mean(each.cells.noise)) * evening.factor
    here = part.forward or Transform.identity()
    return replace(
        part, gain=part.gain * evening.factor, zero=evening.coefficients[:, 0], weight=1.0 / noise**2,
        forward=here.then(Transform.of_shift(each.left, each.top)),
    )  # fmt: skip
