"""Sky gradient as a polynomial."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate import surface
from firstlight.ops.calibrate.gradient import Mode, without_gradient
from firstlight.ops.registry import Params, Reach, operation

CELLS = 64
"""Cells along the longer side that the sky is sampled in."""
SMALLEST = 4


class Polynomial(Params):
    degree: Annotated[int, Field(ge=1, le=4)] = 2
    """Total degree of the surface: 1 is a plane."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting."""


@operation("abr:polynomial", reach=Reach.FRAME, demands=State.LINEAR)
def remove_polynomial(image: Image, p: Polynomial) -> Image:
    """Remove the sky gradient as a polynomial surface, keeping each channel's median level.

    The surface is fitted to the medians of small cells (64 along the longer side), robustly: cells brighter than the
    sky, and their neighbours, are left out.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the surface is taken as
    exact); ``divide`` scales it.

    Raises
    ------
    InputError
        A CFA mosaic; ``divide`` where the sky is not above 0 everywhere.

    >>> slope = np.add.outer(np.arange(64.0), np.arange(64.0))
    >>> float(np.ptp(remove_polynomial(Image(slope), Polynomial(degree=1)).data).round(3))
    0.0
    """

    def model(plane: np.ndarray, good: np.ndarray) -> np.ndarray:
        size = max(round(max(plane.shape) / CELLS), min(SMALLEST, min(plane.shape)))
        coefficients, _ = surface.polynomial(surface.Cells.of(plane, good, size), p.degree)
        height, width = plane.shape
        return surface.polynomial_on(coefficients, np.arange(height), np.arange(width), plane.shape)

    return without_gradient("abr:polynomial", image, model, p.mode)
