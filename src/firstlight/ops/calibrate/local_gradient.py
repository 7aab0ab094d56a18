"""Sky gradient of any smooth shape."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate import surface
from firstlight.ops.calibrate.gradient import Mode, survey_gradient, without_gradient
from firstlight.ops.calibrate.nodes import Surface, node_places
from firstlight.ops.calibrate.polynomial import broad_grid
from firstlight.ops.calibrate.sights import Grid, Model, Sight
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.survey import Survey
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


def _survey(like: Image, height: int, p: LocalGradient) -> Survey:
    return survey_gradient("abr:localgradient", like, height, _model(p), p.mode)


@operation("abr:localgradient", reach=Reach.FRAME, demands=State.LINEAR, version=3, survey=_survey)
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

    return without_gradient("abr:localgradient", _survey(image, image.shape[1], p), image, mask)


def _model(p: LocalGradient) -> Model:
    def sight(shape: tuple[int, int], px: int) -> Sight:
        scale = max(p.scale // px, 8)
        fine = Grid.even(shape, max(min(scale, max(shape)) // CELLS_PER_NODE, SMALLEST))
        broad = broad_grid(shape)
        return surface.of_two_grids(shape, fine, broad, lambda cells, few: _fitted(cells, few, scale))

    return sight


def _fitted(cells: surface.Cells, broad: surface.Cells, scale: int) -> Surface:
    shape = cells.shape
    nodes = min(round(length / scale) for length in shape)
    coefficients, _ = surface.polynomial(broad, min(max(nodes, 1), 3))
    residual = cells.value - surface.polynomial_on(coefficients, cells.y, cells.x, shape)
    used = surface.sky_cells(residual, cells.known, 1)
    for _ in range(ROUNDS):
        extra = surface.mesh(cells, residual, used, scale)
        keep = surface.sky_cells(residual - extra.on(cells.y, cells.x), cells.known, 1)
        if np.array_equal(keep, used):
            break
        used = keep
    ys, xs = node_places(shape, scale / 6)
    return Surface(surface.polynomial_on(coefficients, ys, xs, shape) + extra.on(ys, xs), shape)
