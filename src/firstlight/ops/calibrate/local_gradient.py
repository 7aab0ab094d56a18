"""Sky gradient of any smooth shape."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate import surface
from firstlight.ops.calibrate.gradient import Mode, without_gradient
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

CELLS_PER_NODE = 12
SMALLEST = 4
ROUNDS = 6


class LocalGradient(Params):
    scale: Annotated[Px, Field(ge=16)] = 256
    """Structure wider than this is taken for sky gradient; objects should be smaller than about half of it."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting."""


@operation("abr:localgradient", reach=Reach.FRAME, demands=State.LINEAR)
def remove_local_gradient(image: Image, p: LocalGradient) -> Image:
    """Remove the sky gradient as a smooth surface of a given scale, keeping each channel's median level.

    A robust polynomial (degree 3; less where fewer than three nodes fit) takes the broad shape. What is left is
    averaged, objects masked, in a mesh with nodes ``scale`` apart and joined by a cubic spline. Cells brighter than the
    surface are masked with their neighbours, again until the mask rests; nodes under large objects are filled smoothly
    from around them. A scale larger than the field removes no more than a plane.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the surface is taken as
    exact); ``divide`` scales it.

    Raises
    ------
    InputError
        A CFA mosaic; ``divide`` where the sky is not above 0 everywhere.

    >>> y, x = np.mgrid[:128, :128] / 128.0
    >>> flat = remove_local_gradient(Image(100 + 20 * np.exp(-x) + 10 * y * y), LocalGradient(scale=32))
    >>> bool(np.ptp(flat.data) < 0.2)
    True
    """
    return without_gradient("abr:localgradient", image, lambda plane, good: _model(plane, good, p.scale), p.mode)


def _model(plane: np.ndarray, good: np.ndarray, scale: int) -> np.ndarray:
    height, width = plane.shape
    cells = surface.Cells.of(plane, good, max(min(scale, max(height, width)) // CELLS_PER_NODE, SMALLEST))
    nodes = min(round(height / scale), round(width / scale))
    coefficients, used = surface.polynomial(cells, min(max(nodes, 1), 3))
    base = surface.polynomial_on(coefficients, cells.y, cells.x, plane.shape)
    residual = cells.value - base
    at_cells = np.ix_(cells.y.round().astype(int), cells.x.round().astype(int))
    extra = np.zeros(plane.shape)
    for _ in range(ROUNDS):
        extra = surface.mesh(cells, residual, used, scale)
        keep = surface.sky_cells(residual - extra[at_cells], np.isfinite(residual), 1)
        if np.array_equal(keep, used):
            break
        used = keep
    return surface.polynomial_on(coefficients, np.arange(height), np.arange(width), plane.shape) + extra
