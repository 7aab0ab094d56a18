"""Drizzle of files that are calibrated already, on what `firstlight stack` made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firstlight.errors import InputError
from firstlight.model.meta import Kind
from firstlight.ops.align.grid import Grid
from firstlight.ops.stack.drizzle import Drizzle
from firstlight.pipeline.combine_files import FileEngine, Part
from firstlight.pipeline.drizzle import Drizzler, Source, softness
from firstlight.pipeline.integrate import Stacked
from firstlight.pipeline.members import FLATS, PATTERNS, Member


def check_drizzle(members: Sequence[Member], method: str) -> None:
    """Refuse files that must not, or need not, be drizzled.

    Raises
    ------
    InputError
        Files that are aligned already, stacks, mosaics or calibration frames.
    """
    if method == "none":
        raise InputError(
            "drizzle: registration none takes the files as they lie, and drizzle needs frames as the camera saw them, "
            "dithered; give --registration-method stars"
        )
    for member in members:
        meta = member.frame.meta
        if meta.cfa:
            raise InputError(
                f"{member.name}: a {meta.cfa} mosaic; stack drizzles planes; firstlight process drizzles mosaics, also "
                "of calibrated frames"
            )
        if meta.kind is Kind.STACK or meta.kind in PATTERNS | FLATS:
            raise InputError(f"{member.name}: a {meta.kind}; single lights can be drizzled")


def drizzler_of(engine: FileEngine, first: Stacked, grid: Grid, drizzle: Drizzle) -> Drizzler:
    """For what `FileEngine.run` made of registered files."""
    n = len(engine.parts)
    grow = engine.combine.grow if engine.combine.grows(n) else 0
    widths = np.full(n, np.nan) if engine.seeing is None else engine.seeing
    sources = tuple(_source(part, softness(float(width), widths, False)) for part, width in zip(engine.parts, widths))
    return Drizzler(sources, first, grid, np.asarray(engine.level, np.float64), drizzle, grow=grow)


def _source(part: Part, soft: float) -> Source:
    member, forward, calibration = part.member, part.forward, part.calibration
    if forward is None or calibration is None:
        raise ValueError(f"{member.name} is not registered")
    gain, noise = part.gain.astype(np.float64), part.gain * member.noise
    electrons = member.frame.meta.gain or 0.0
    # Without a gain the sky's own light is taken to make all of its noise.
    doubt = gain * member.noise**2 / np.maximum(member.level, 1.0)
    return Source(
        member.frame.shape, forward, lambda top, bottom: calibration.band(member.frame, top, bottom), part.weight, gain,
        part.zero.astype(np.float64), noise.astype(np.float64) ** 2,
        gain / electrons if electrons else np.zeros_like(gain), np.zeros_like(gain) if electrons else doubt, soft=soft,
    )  # fmt: skip
