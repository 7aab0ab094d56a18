"""Sky gradient as what is left when all smaller structure is taken away."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate import surface
from firstlight.ops.calibrate.gradient import Mode, Surface, node_places, without_gradient
from firstlight.ops.calibrate.polynomial import sky_cells_of
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px, Sigma

CELLS_PER_SCALE = 12
SMALLEST = 4
ROUNDS = 10
EMPTY = 0.05
"""Share of sky around a place below which the surface is taken from farther away."""


class Multiscale(Params):
    scale: Annotated[Px, Field(ge=16)] = 256
    """Structure wider than this is taken for sky gradient."""
    protect: Annotated[Sigma, Field(ge=0.5, le=20)] = 3.0
    """What stands above the surface by more than this is structure: it does not pull the surface up."""
    amount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of a structure that is kept away from the surface; 0 protects nothing."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting, ``luminance`` the same in all colours,
    ``model`` for the surface itself."""


@operation("abr:multiscale", reach=Reach.FRAME, demands=State.LINEAR)
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

    def model(plane: np.ndarray, good: np.ndarray, px: int) -> Surface:
        return _model(plane, good, p, max(p.scale // px, 8))

    return without_gradient("abr:multiscale", image, model, p.mode, mask)


def _model(plane: np.ndarray, good: np.ndarray, p: Multiscale, scale: int) -> Surface:
    from scipy.interpolate import RegularGridInterpolator
    from scipy.ndimage import binary_dilation

    size = max(min(scale, max(plane.shape)) // CELLS_PER_SCALE, SMALLEST)
    cells = surface.Cells.of(plane, good, size)
    nodes = round(min(plane.shape) / scale)
    coefficients, _ = surface.polynomial(sky_cells_of(plane, good), min(max(nodes, 1), 3))
    residual = np.where(
        cells.known, cells.value - surface.polynomial_on(coefficients, cells.y, cells.x, plane.shape), 0
    )
    sigma = scale / size / 2
    kept = cells.known
    for _ in range(ROUNDS):
        weight = np.where(cells.known, np.where(kept, 1.0, 1.0 - p.amount), 0.0)
        smooth = filled_smooth(residual, weight, sigma)
        away = residual - smooth
        centre, noise = surface.bulk(away[cells.known]) if cells.known.any() else (0.0, 1.0)
        sky = cells.known & ~binary_dilation(cells.known & (away > centre + p.protect * noise))
        if np.array_equal(sky, kept):
            break
        kept = sky
    ys, xs = node_places(plane.shape, scale / 6)
    broad = surface.polynomial_on(coefficients, ys, xs, plane.shape)
    if min(smooth.shape) < 2:
        return Surface(broad + float(smooth.mean()), plane.shape)
    fine = RegularGridInterpolator((cells.y, cells.x), smooth, bounds_error=False, fill_value=None)
    inside = np.ix_(ys.clip(cells.y[0], cells.y[-1]), xs.clip(cells.x[0], cells.x[-1]))
    return Surface(broad + fine(np.broadcast_arrays(*inside)), plane.shape)


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
