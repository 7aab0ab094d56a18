"""What each registered light is multiplied by, raised by and weighed with before it goes into a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from firstlight.errors import FrameError
from firstlight.library.explain import names_words
from firstlight.library.match import same_exposure
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.stack.normalize import SCALED, normalizing_line
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.integrate import Contribution
from firstlight.pipeline.local import cell_side, lattice_for, noise_of_reference, seen_share, sky_difference
from firstlight.pipeline.measure import Light
from firstlight.pipeline.mosaic import Colours
from firstlight.pipeline.register import Placed
from firstlight.pipeline.shared_settings import Normalize
from firstlight.pipeline.weigh import weigh

WHOLE = 0.8
"""Frames that show so much of the base tell what its noise is."""


def base_frame(placed: Sequence[Placed], reference: Light) -> int:
    """Index of the frame whose level and star fluxes the stack has.

    That is the reference, or, where it belongs to another filter, the frame of least noise.
    """
    lights = [each.light for each in placed]
    if reference in lights:
        return lights.index(reference)
    return int(np.argmin([float(light.noise.mean()) for light in lights]))


def contributions_of(
    placed: Sequence[Placed],
    reference: Light,
    calibrations: Mapping[int, Calibration],
    grid: Grid,
    colours: Colours | None,
    rule: Normalize,
) -> tuple[tuple[Contribution, ...], list[str]]:
    """Every frame's part in a stack, and what is worth a word.

    ``calibrations`` are by ``id`` of the light. The level of the stack is that of `base_frame`.
    """
    base = placed[base_frame(placed, reference)]
    lines = []
    for each in placed:
        # Resampling keeps surface brightness; a frame of another scale holds its star's light in more or fewer pixels.
        scale = _brightness(each) / _brightness(base)
        lines.append(normalizing_line(rule.mode, scale, each.light.level, base.light.level, each.light.name))
    weights, notes = weigh(placed, reference, np.array([factor for factor, _ in lines]), rule)
    if rule.mode not in SCALED and rule.mode != "multiplicative" and _differ(placed):
        notes.append(
            f"exposures or gains differ and are not brought to one scale: normalisation {rule.mode} leaves them; "
            "additive+scale or local would"
        )
    surfaces: list[np.ndarray | None] = [None] * len(placed)
    if rule.mode == "local":
        surfaces, words = _surfaces(placed, base, lines, weights, grid, colours, rule.tile)
        notes += words
    return tuple(
        Contribution(
            each.light.frame, calibrations[id(each.light)], each.registration.transform, factor, each.light.level,
            each.light.noise, float(weight), each.light.frame.meta.gain or 0.0, summand, surface,
            each.light.quality.fwhm * each.registration.transform.scale,
        )
        for each, (factor, summand), weight, surface in zip(placed, lines, weights, surfaces)
    ), notes  # fmt: skip


def weighs_by_light(placed: Sequence[Placed], rule: Normalize) -> bool:
    """Whether weights should be those of each pixel: bright stars may prefer other frames than the sky does."""
    return rule.weights == "noise" and _differ(placed)


def _brightness(placed: Placed) -> float:
    return placed.flux_ratio / placed.registration.transform.scale**2


def _differ(placed: Sequence[Placed]) -> bool:
    metas = [each.light.frame.meta for each in placed]
    first = metas[0]
    return any(not same_exposure(m.exposure, first.exposure) or m.gain_setting != first.gain_setting for m in metas[1:])


def _surfaces(
    placed: Sequence[Placed],
    base: Placed,
    lines: Sequence[tuple[np.ndarray, np.ndarray]],
    weights: np.ndarray,
    grid: Grid,
    colours: Colours | None,
    tile: int,
) -> tuple[list[np.ndarray | None], list[str]]:
    """Lattices (channels, nodes down, nodes across) of the frames, to be added before their factors, and notes.

    A frame that shows too little of the base gets one level for all of it, and a note.
    """
    cell, step = (colours.cell, colours.shrink) if colours else (Transform.identity(), 1)
    to_base = base.registration.transform.inverse
    places = cell.inverse.then(grid.from_reference.inverse).then(to_base)
    size = grid.height // step, grid.width // step
    side = cell_side(base.light.frame.shape[1:], len(lines[0][0]))
    found: list[np.ndarray | None] = []
    whole: list[bool] = []
    alone: dict[str, list[str]] = {}
    for each, (factor, summand) in zip(placed, lines):
        try:
            differences = [
                sky_difference(mine, theirs, each.registration.transform.then(to_base), side, k, z)
                for mine, theirs, k, z in zip(each.light.cells, base.light.cells, factor, summand)  # type: ignore[arg-type]
            ]
            found.append(np.stack([lattice_for(d, tile, side, places, size) for d in differences]))
            whole.append(seen_share(differences[0]) >= WHOLE)
        except FrameError as error:
            found.append(None)
            whole.append(False)
            alone.setdefault(str(error), []).append(each.light.name)
    notes = [f"{names_words(names)}: {why}; one level for all of a frame" for why, names in alone.items()]
    telling = [lattices for lattices, seen in zip(found, whole) if seen]
    if not telling:
        # Frames of a few cells: none shows enough of the reference to judge the noise of its sky.
        return [None] * len(placed), notes
    shares = weights[whole] if weights[whole].any() else np.ones(len(telling))
    noise = np.stack([
        noise_of_reference(np.stack([lattices[channel] for lattices in telling]), shares)  # type: ignore[index]
        for channel in range(len(lines[0][0]))
    ])  # fmt: skip
    return [
        None if lattices is None else (lattices - noise) / factor[:, None, None].astype(np.float32)
        for lattices, (factor, _) in zip(found, lines)
    ], notes
