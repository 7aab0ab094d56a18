"""Sky gradient as a polynomial."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate import surface
from firstlight.ops.calibrate.gradient import Mode, survey_gradient, without_gradient
from firstlight.ops.calibrate.nodes import Surface, node_places
from firstlight.ops.calibrate.sights import Grid, Model, Sight
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.survey import Survey

CELLS = 64
"""Cells along the longer side that the sky is sampled in."""
SMALLEST = 4


class Polynomial(Params):
    degree: Annotated[int, Field(ge=1, le=4)] = 2
    """Total degree of the surface: 1 is a plane."""
    ridge: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Holds the slopes back (ridge regression): 0.1 takes a little from them, 10 nearly all."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting, ``luminance`` the same in all colours,
    ``model`` for the surface itself."""


def _survey(like: Image, height: int, p: Polynomial) -> Survey:
    return survey_gradient("abr:polynomial", like, height, _model(p), p.mode)


@operation("abr:polynomial", reach=Reach.FRAME, demands=State.LINEAR, version=3, survey=_survey)
def remove_polynomial(image: Image, p: Polynomial, mask: Image | None = None) -> Image:
    """Remove the sky gradient as a polynomial surface, keeping each channel's median level.

    The surface is fitted to the medians of small cells (64 along the longer side), robustly: cells brighter than the
    sky, and their neighbours, are left out, and what lies under ``mask`` (above 0: objects). A mosaic is treated colour
    by colour.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the surface is taken as
    exact); divided by the square of the surface where that is divided out; dropped for ``mode=model``.

    Raises
    ------
    InputError
        ``divide`` where the sky is not above 0 everywhere; a mask of another size.

    >>> slope = np.add.outer(np.arange(64.0), np.arange(64.0))
    >>> float(np.ptp(remove_polynomial(Image(slope), Polynomial(degree=1)).data).round(3))
    0.0
    """

    return without_gradient("abr:polynomial", _survey(image, image.shape[1], p), image, mask)


def _model(p: Polynomial) -> Model:
    def sight(shape: tuple[int, int], px: int) -> Sight:
        grid = broad_grid(shape)

        def fit(value: np.ndarray) -> Surface | None:
            cells = surface.Cells.on(grid, value, shape)
            if not cells.known.any():
                return None
            coefficients, _ = surface.polynomial(cells, p.degree, p.ridge)
            return Surface(surface.polynomial_on(coefficients, *node_places(shape), shape), shape)

        return Sight((grid,), fit)

    return sight


def broad_grid(shape: tuple[int, int], count: int = CELLS) -> Grid:
    """A plane in cells, so many along its longer side."""
    return Grid.even(shape, max(round(max(shape) / count), min(SMALLEST, min(shape))))
