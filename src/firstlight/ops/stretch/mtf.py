"""Midtones transfer function with levels given by hand."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstlight.errors import SpecError
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import Transfer
from firstlight.ops.stretch.levels import stretched
from firstlight.units import Unit

Level = Annotated[float, Field(ge=-1, le=2), Unit("of white")]


class Mtf(Params):
    shadows: Level = 0.0
    """This level becomes 0."""
    midtone: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """This level, as a fraction of what lies between shadows and highlights, becomes 1/2: below 1/2 brightens."""
    highlights: Level = 1.0
    """This level becomes 1."""
    inverse: bool = False
    """Undo it: from the stretched picture back to linear values (what was clipped stays clipped)."""


@operation("stretch:mtf", version=2, reach=Reach.PIXEL, gives=State.STRETCHED)
def midtones_by_hand(image: Image, p: Mtf) -> Image:
    """Stretch by the midtones transfer function with shadows, midtone and highlights given as numbers.

    y = MTF((x - shadows) / (highlights - shadows); midtone) with MTF(x; m) = (m - 1) x / ((2 m - 1) x - m). Levels are
    fractions of white: the saturation level, or the largest value where no saturation is known.

    Flags and plate: kept. Variance: carried through the curve, 0 where clipped. Unit: normalised.

    Raises
    ------
    SpecError
        If shadows are not below highlights.

    >>> midtones_by_hand(Image([[0.0, 2.5, 10.0]]), Mtf(midtone=0.25)).data.ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    if not p.shadows < p.highlights:
        raise SpecError(
            f"stretch:mtf: shadows={p.shadows:g}, highlights={p.highlights:g}; shadows must be below highlights"
        )
    bend = Transfer(p.shadows, p.highlights, p.midtone)
    return stretched(image, bend.inverse() if p.inverse else bend)
