"""Sky gradient as what is left when all smaller structure is taken away."""

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
from firstlight.units import Px, Sigma

CELLS_PER_SCALE = 12
SMALLEST = 4
ROUNDS = 10
PROTECT = 3.0
EMPTY = 0.05
"""Share of sky around a place below which the surface is taken from farther away."""


class Multiscale(Params):
    scale: Annotated[Px, Field(ge=16)] = 256
    """Structure wider than this is taken for sky gradient."""
    protect: Annotated[Sigma, Field(ge=0.5, le=20)] = PROTECT
    """What stands above the surface by more than this is structure: it does not pull the surface up."""
    amount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of a structure that is kept away from the surface; 0 protects nothing."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting, ``luminance`` the same in all colours,
    ``model`` for the surface itself."""


def _survey(like: Image, height: int, p: Multiscale) -> Survey:
    return survey_gradient("abr:multiscale", like, height, _model(p), p.mode)


@operation("abr:multiscale", reach=Reach.FRAME, demands=State.LINEAR, version=2, survey=_survey)
def remove_multiscale(image: Image, p: Multiscale, mask: Image | None = None) -> Image:
    """Remove all that is smoother than a scale, structure protected, keeping each channel's median level.

    No samples are placed: the plane, in medians of small cells, less a robust surface of up to the third degree, is
    smoothed by a Gaussian of half the scale; what stands above the result is protected and the rest smoothed again,
    until it rests. Where there is no sky within the scale the surface comes from the next wider smoothing. ``mask``
    (above 0: objects) is protected as well. A mosaic is treated colour by colour.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the surface is taken as
    exact); divided by the square of the surface where that is divided out; dropped for ``mode=model``.

    References
    ----------
    Knutsson & Westin 1993 (normalised convolution); Starck & Murtagh 1998 (structure by scale and significance).

    Raises
    ------
    InputError
        ``divide`` where the sky is not above 0 everywhere; a mask of another size.

    >>> y, x = np.mgrid[:128, :128] / 128.0
    >>> flat = remove_multiscale(Image(100 + 20 * np.exp(-x) + 10 * y * y), Multiscale(scale=32))
    >>> bool(np.ptp(flat.data) < 0.5)
    True
    """

    return without_gradient("abr:multiscale", _survey(image, image.shape[1], p), image, mask)


def _model(p: Multiscale) -> Model:
    def sight(shape: tuple[int, int], px: int) -> Sight:
        scale = max(p.scale // px, 8)
        size = max(min(scale, max(shape)) // CELLS_PER_SCALE, SMALLEST)
        fine, broad = Grid.even(shape, size), broad_grid(shape)
        return surface.of_two_grids(shape, fine, broad, lambda cells, few: _fitted(cells, few, p, scale, size))

    return sight


def _fitted(cells: surface.Cells, broad: surface.Cells, p: Multiscale, scale: int, size: int) -> Surface:
    from scipy.interpolate import RegularGridInterpolator
    from scipy.ndimage import binary_dilation

    shape = cells.shape
    coefficients, _ = surface.polynomial(broad, min(max(round(min(shape) / scale), 1), 3))
    residual = np.where(cells.known, cells.value - surface.polynomial_on(coefficients, cells.y, cells.x, shape), 0)
    sigma = scale / size / 2
    kept = cells.known
    for _ in range(ROUNDS):
        weight = np.where(cells.known, np.where(kept, 1.0, 1.0 - p.amount), 0.0)
        smooth = filled_smooth(residual, weight, sigma)
        away = residual - smooth
        centre, noise = surface.bulk(away[cells.known])
        objects = cells.known & (away > centre + p.protect * noise)
        objects |= surface.wide_objects(away, cells.known, p.protect / PROTECT)
        sky = cells.known & ~binary_dilation(objects)
        if np.array_equal(sky, kept):
            break
        kept = sky
    ys, xs = node_places(shape, scale / 6)
    whole = surface.polynomial_on(coefficients, ys, xs, shape)
    if min(smooth.shape) < 2:
        return Surface(whole + float(smooth.mean()), shape)
    fine = RegularGridInterpolator((cells.y, cells.x), smooth, bounds_error=False, fill_value=None)
    inside = np.ix_(ys.clip(cells.y[0], cells.y[-1]), xs.clip(cells.x[0], cells.x[-1]))
    return Surface(whole + fine(np.broadcast_arrays(*inside)), shape)


def filled_smooth(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """Weighted Gaussian mean; where hardly any weight lies within reach, that of twice the width, and so on."""
    from scipy.ndimage import gaussian_filter

    total = gaussian_filter(weight, sigma, mode="mirror", truncate=3)
    mean = gaussian_filter(values * weight, sigma, mode="mirror", truncate=3)
    if total.min() > EMPTY or not weight.any():
        return mean / np.maximum(total, EMPTY)
    if sigma > max(values.shape):
        return np.full(values.shape, float((values * weight).sum() / weight.sum()))
    wider = filled_smooth(values, weight, 2 * sigma)
    return (mean + EMPTY * wider) / (total + EMPTY)
