"""Sky gradient of any smooth shape."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate import surface
from firstlight.ops.calibrate.gradient import Mode, Surface, node_places, without_gradient
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

CELLS_PER_NODE = 12
SMALLEST = 4
ROUNDS = 6


class LocalGradient(Params):
    scale: Annotated[Px, Field(ge=16)] = 256
    """Structure wider than this is taken for sky gradient; objects should be smaller than about half of it."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting, ``luminance`` the same in all colours,
    ``model`` for the surface itself."""


@operation("abr:localgradient", reach=Reach.FRAME, demands=State.LINEAR, version=2)
def remove_local_gradient(image: Image, p: LocalGradient, mask: Image | None = None) -> Image:
    """Remove the sky gradient as a smooth surface of a given scale, keeping each channel's median level.

    A robust polynomial (degree 3; less where fewer than three nodes fit) takes the broad shape. What is left is
    averaged, objects masked, in a mesh with nodes ``scale`` apart and joined by a cubic spline. Cells brighter than the
    surface are masked with their neighbours, again until the mask rests, and so is what lies under ``mask`` (above 0:
    objects); nodes under large objects are filled smoothly from around them. A scale larger than the field removes no
    more than a plane. A mosaic is treated colour by colour, so that it can be drizzled afterwards.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the surface is taken as
    exact); divided by the square of the surface where that is divided out; dropped for ``mode=model``.

    Raises
    ------
    InputError
        ``divide`` where the sky is not above 0 everywhere; a mask of another size.

    >>> y, x = np.mgrid[:128, :128] / 128.0
    >>> flat = remove_local_gradient(Image(100 + 20 * np.exp(-x) + 10 * y * y), LocalGradient(scale=32))
    >>> bool(np.ptp(flat.data) < 0.2)
    True
    """

    def model(plane: np.ndarray, good: np.ndarray, px: int) -> Surface:
        return _model(plane, good, max(p.scale // px, 8))

    return without_gradient("abr:localgradient", image, model, p.mode, mask)


def _model(plane: np.ndarray, good: np.ndarray, scale: int) -> Surface:
    height, width = plane.shape
    cells = surface.Cells.of(plane, good, max(min(scale, max(height, width)) // CELLS_PER_NODE, SMALLEST))
    nodes = min(round(height / scale), round(width / scale))
    coefficients, used = surface.polynomial(cells, min(max(nodes, 1), 3))
    residual = cells.value - surface.polynomial_on(coefficients, cells.y, cells.x, plane.shape)
    for _ in range(ROUNDS):
        extra = surface.mesh(cells, residual, used, scale)
        keep = surface.sky_cells(residual - extra.on(cells.y, cells.x), cells.known, 1)
        if np.array_equal(keep, used):
            break
        used = keep
    ys, xs = node_places(plane.shape, scale / 6)
    return Surface(surface.polynomial_on(coefficients, ys, xs, plane.shape) + extra.on(ys, xs), plane.shape)
