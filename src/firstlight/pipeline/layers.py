"""Stars and comet from the same lights: two layers that move against each other.

The comet is stacked first, registered on itself, as a median: stars pass each pixel in few frames only. Its light,
moved to where it was, is taken off every light, and what is left is stacked on the stars. That stack, moved likewise,
is taken off every light, and what is left is stacked on the comet; then the stars once more. Both layers hold the mean
of linear numbers, and their sum at the time of the reference is the composite: no star under the coma is lost, no
mask is painted by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.ops.calibrate import surface
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.comet import Track, find_track
from firstlight.pipeline.group import GroupResult, Prepared, finish_stack, plan_engine, stack_group
from firstlight.pipeline.integrate import Contribution, Engine, Stacked
from firstlight.pipeline.layer import Layer
from firstlight.pipeline.local import SPACING
from firstlight.pipeline.measure import Light
from firstlight.pipeline.progress import Clock
from firstlight.pipeline.settings import Settings

SMOOTHEST_TILE = 1024
"""px: smaller tiles of local normalisation would follow the coma."""
SMOOTH = 6.0
"""px (sigma): the comet's extent is judged in this smoothness."""
CLEAR = 4.0
"""Sigma of the smoothed noise above which light belongs to the comet."""
RIM = 24
"""px that are added around it."""
FADE = 24
"""px over which it fades out beyond."""
CELLS = 64
"""Along the longer side: the sky is told from the rest in so many cells."""
WINDOW = 96
"""px around its place in which the comet's brightest spot is looked for, where only its motion is known."""


@dataclass(frozen=True, eq=False)
class Layers:
    """Both layers on one grid."""

    stars: Stacked
    comet: Stacked
    light: np.ndarray
    """float32 (channels, y, x): the comet without the sky; 0 where it is not."""


def stack_with_comet(
    field: Sequence[Prepared], reference: Light, settings: Settings, clock: Clock, executor: Executor, workers: int,
    budget: int,
) -> list[GroupResult]:  # fmt: skip
    """Three stacks of each group of a field; of a group that could not be placed on the reference, one.

    All filters see the comet move alike.
    """
    tools = settings, clock, executor, workers, budget
    together = [prepared for prepared in field if prepared.reference is reference]
    track = find_track([p for prepared in together for p in prepared.placed], reference, settings.comet)
    results = []
    for prepared in field:
        if prepared.reference is reference:
            results += stack_layers(prepared, track, *tools)
        else:
            results.append(stack_group(prepared, *tools))
    return results


def stack_layers(
    prepared: Prepared, track: Track, settings: Settings, clock: Clock, executor: Executor, workers: int, budget: int
) -> list[GroupResult]:
    """Three stacks of a group: stars, comet, and both together, in this order.

    Raises
    ------
    InputError
        Too few lights, or no comet where the track leads.
    """
    undated = [p.light.name for p in prepared.placed if p.light.frame.meta.mid_time is None]
    if undated:
        raise InputError(f"comet: {undated[0]} has no time (DATE-OBS); take it out of the session")
    if len(prepared.placed) < 3:
        raise InputError(
            f"comet: {prepared.group.name} has {len(prepared.placed)} registered lights; at least 3 needed"
        )
    rule = settings.normalize
    rule = rule.model_copy(update={"tile": max(rule.tile, SMOOTHEST_TILE)})
    engine, notes = plan_engine(prepared, settings.model_copy(update={"normalize": rule}))
    offsets = _offsets(prepared, track, engine)
    height, width = engine.size
    with clock.stage("integrate stars and comet", 4 * height * width, "px") as stage:

        def run(engine: Engine) -> Stacked:
            return engine.run(executor, workers, budget, stage.advance)

        layers = separate(engine, offsets, _place_on_grid(track, engine), run)
    return _results(prepared, engine, layers, offsets, track, settings, clock, notes)


def _offsets(prepared: Prepared, track: Track, engine: Engine) -> np.ndarray:
    """(frames, 2): where the comet was in each light against the reference's time, px of the grid's planes."""
    step = engine.colours.shrink if engine.colours else 1
    return np.array([track.offset(p.light.frame.meta.mid_time) for p in prepared.placed]) / step  # type: ignore[arg-type]


def _place_on_grid(track: Track, engine: Engine) -> np.ndarray | None:
    if track.position is None:
        return None
    cell = engine.colours.cell if engine.colours else Transform.identity()
    return engine.grid.from_reference.then(cell)(track.position[None])[0]


def separate(engine: Engine, offsets: np.ndarray, place: np.ndarray | None, run: Callable[[Engine], Stacked]) -> Layers:
    """Both layers; ``run`` makes a stack of an engine, four times. ``place`` of the comet is on the grid."""
    on_comet = follow(engine, offsets)
    median = Combine(method="median", guard=0)
    rough = run(replace(on_comet, combine=median))
    coma = above_sky(rough)
    comet = Layer(coma * extent(rough, coma, place), Transform.identity())
    stars = run(without(engine, comet, offsets))
    trails = Layer(above_sky(stars), Transform.identity())
    fine = run(without(on_comet, trails, -offsets))
    coma = above_sky(fine)
    coma *= extent(fine, coma, place)
    stars = run(without(engine, Layer(coma, Transform.identity()), offsets))
    return Layers(stars, fine, coma)


def follow(engine: Engine, offsets: np.ndarray) -> Engine:
    """The same frames registered on what moves by ``offsets`` (frames, 2), px of the planes of the grid."""
    step = engine.colours.shrink if engine.colours else 1
    back = engine.grid.from_reference.inverse

    def moved(one: Contribution, offset: np.ndarray) -> Contribution:
        shift = Transform.of_shift(*(-step * offset))
        to_reference = one.to_reference.then(engine.grid.from_reference).then(shift).then(back)
        surface = None if one.surface is None else _shifted(one.surface, offset)
        return replace(one, to_reference=to_reference, surface=surface)

    return replace(engine, contributions=tuple(map(moved, engine.contributions, offsets)))


def _shifted(lattices: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Surfaces on a lattice, seen from positions that lie ``offset`` px further on."""
    from scipy.ndimage import shift

    by = -np.asarray(offset)[::-1] / SPACING
    return np.stack([shift(lattice, by, order=1, mode="nearest") for lattice in lattices]).astype(np.float32)


def without(engine: Engine, layer: Layer, offsets: np.ndarray) -> Engine:
    """The engine whose frames have a layer taken off, which lies ``offsets`` px further on in each."""
    return replace(
        engine,
        contributions=tuple(
            replace(one, minus=replace(layer, to_grid=Transform.of_shift(*offset)))
            for one, offset in zip(engine.contributions, offsets)
        ),
    )


def above_sky(stacked: Stacked) -> np.ndarray:
    """What stands above a quadratic surface through the sky: float32 (channels, y, x), 0 without data.

    The gradient belongs to neither layer: it does not move with the comet, nor quite with the stars.
    """
    _, height, width = stacked.mean.shape
    planes = np.empty_like(stacked.mean)
    for plane, flags, out in zip(stacked.mean, stacked.flags, planes):
        good = ~has(flags, Flag.NO_DATA)
        cells = surface.Cells.of(plane, good, max(round(max(height, width) / CELLS), 8))
        coefficients, _ = surface.polynomial(cells, 2)
        sky = surface.polynomial_on(coefficients, np.arange(height), np.arange(width), (height, width))
        out[:] = np.where(good, plane - sky, 0.0)
    return planes


def extent(stacked: Stacked, light: np.ndarray, place: np.ndarray | None) -> np.ndarray:
    """How much each pixel belongs to the comet: float32 (y, x), 1 in it, fading to 0 around.

    Raises
    ------
    InputError
        Nothing stands above the noise there.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter, label

    good = ~has(stacked.flags, Flag.NO_DATA).any(axis=0)
    variance = stacked.variance.mean(axis=0) / len(light)
    smooth = gaussian_filter(light.mean(axis=0), SMOOTH)
    # Resampled noise is smoother than white noise of this variance: at most by as much as here.
    noise = 1.5 * np.sqrt(np.median(variance[good])) / (2 * np.sqrt(np.pi) * SMOOTH)
    clear = smooth > CLEAR * noise
    if place is None:
        y, x = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    else:
        left, top = (max(int(v) - WINDOW // 2, 0) for v in place)
        part = smooth[top : top + WINDOW, left : left + WINDOW]
        if not part.size:
            raise InputError(
                f"comet: at the time of the reference it is at {place[0]:.0f},{place[1]:.0f}, off the frame"
            )
        y, x = np.unravel_index(int(np.argmax(part)), part.shape)
        y, x = y + top, x + left
    if not clear[y, x]:
        raise InputError(
            f"comet: no light stands above the noise at {x},{y} of the stack that follows it; look at the clicks "
            f"(px from 0, first and last light in order of time) or the motion"
        )
    labels, _ = label(clear)
    distance = distance_transform_edt(labels != labels[y, x]) - RIM
    return (0.5 + 0.5 * np.cos(np.pi * np.clip(distance / FADE, 0, 1))).astype(np.float32)


def compose(layers: Layers) -> Stacked:
    """Stars and comet as they stood at the time of the reference."""
    stars, comet, light = layers.stars, layers.comet, layers.light
    seen = (stars.coverage > 0) & (comet.coverage > 0) & (light != 0)
    return replace(
        stars,
        mean=np.where(seen, stars.mean + light, stars.mean),
        variance=np.where(seen, stars.variance + comet.variance, stars.variance),
        flags=np.where(seen, stars.flags | comet.flags, stars.flags),
    )


def _results(
    prepared: Prepared, engine: Engine, layers: Layers, offsets: np.ndarray, track: Track, settings: Settings,
    clock: Clock, notes: Sequence[str],
) -> list[GroupResult]:  # fmt: skip
    motion = f"{track.velocity[0]:+.2f}, {track.velocity[1]:+.2f} px/h"
    results = []
    for layer, stacked, how in (
        ("stars", layers.stars, "on the stars, the comet taken off"),
        ("comet", layers.comet, "on the comet, the stars taken off"),
        ("composite", compose(layers), "on the stars and on the comet, and added"),
    ):
        group = replace(prepared.group, name=f"{prepared.group.name}_{layer}", part_of=prepared.group.name)
        result = finish_stack(
            replace(prepared, group=group, notes=list(prepared.notes) if layer == "stars" else []),
            follow(engine, offsets) if layer == "comet" else engine,
            stacked, settings, clock, list(notes) if layer == "stars" else [],
            (f"comet: moves by {motion}; stacked {how}",),
        )  # fmt: skip
        result.layer = layer
        result.notes.append(f"the comet moves by {motion} on the reference frame")
        results.append(result)
    return results
