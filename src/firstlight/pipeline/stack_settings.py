"""Every choice of `firstlight stack`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstlight.ops.align.match import MatchStars
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.registry import Params
from firstlight.ops.stack.combine import Combine
from firstlight.ops.stack.drizzle import Drizzle
from firstlight.pipeline.shared_settings import Normalize, Register, SolveStacks


class StackSettings(Params):
    """All settings of `firstlight stack`; the sections are those of `firstlight process`."""

    registration: Register = Register(method="none")
    stars: FindStars = FindStars(max_stars=600)
    match: MatchStars = MatchStars()
    normalize: Normalize = Normalize(mode="additive+scale")
    stack: Combine = Combine()
    drizzle: Drizzle = Drizzle()
    solve: SolveStacks = SolveStacks()
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker threads; 0: one per core."""
    memory: Annotated[int, Field(ge=0)] = 0
    """Memory the run may use, MB; 0: half of what is free."""
    mix: bool = False
    """Combine files of different targets or filters."""
    rejection_maps: bool = False
    """Write how many samples were rejected at each pixel, low and high."""
