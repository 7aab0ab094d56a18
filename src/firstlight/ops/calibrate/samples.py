"""Sky gradient through samples of the sky."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

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
from firstlight.ops.words import spelled
from firstlight.units import Px, Sigma

FEWEST = 6
"""Samples that a bent surface needs; with fewer the broad one stays."""
DEGREE = 3
NODES = 48
SMALLEST_SHARE = 16
"""A sample is at most this share of the longer side: small images keep enough of them."""
KERNELS = {"thin_plate": "thin_plate_spline", "linear": "linear"}
ROUNDS = 2


class Samples(Params):
    samples: Annotated[int, Field(ge=3, le=60)] = 20
    """Samples along the longer side, on an even grid."""
    size: Annotated[Px, Field(ge=3, le=501)] = 25
    """Side of a sample, at most a 16th of the longer side; its value is the median of its pixels."""
    tolerance: Annotated[Sigma, Field(gt=0, le=20)] = 2.5
    """Samples brighter than the sky around them by more than this are dropped; so are those on objects."""
    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.5
    """0: the surface runs through every sample; 1: it is a broad one of degree 3."""
    kernel: Annotated[Literal["thin_plate", "linear"], spelled({"rbf": "thin_plate"})] = "thin_plate"
    """Shape between samples: ``thin_plate`` bends least, ``linear`` follows each sample more."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting, ``luminance`` the same in all colours,
    ``model`` for the surface itself."""


def _survey(like: Image, height: int, p: Samples) -> Survey:
    return survey_gradient("abr:samples", like, height, _model(p), p.mode)


@operation("abr:samples", reach=Reach.FRAME, demands=State.LINEAR, version=2, survey=_survey)
def remove_by_samples(image: Image, p: Samples, mask: Image | None = None) -> Image:
    """Remove the sky gradient as a smooth surface through samples of the sky, keeping each channel's median level.

    Samples are laid on a grid; those on stars, nebulae and galaxies, and those under ``mask`` (above 0: objects), are
    found and dropped by themselves. A robust polynomial of degree 3, through small cells of the whole plane, takes the
    broad shape; through what the samples are above it runs a smoothing surface (thin-plate spline unless another kernel
    is chosen). A mosaic is treated colour by colour.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the surface is taken as
    exact); divided by the square of the surface where that is divided out; dropped for ``mode=model``.

    References
    ----------
    Duchon 1977 (thin-plate splines); Wahba 1990, Spline models for observational data (smoothing).

    Raises
    ------
    InputError
        ``divide`` where the sky is not above 0 everywhere; a mask of another size.

    >>> y, x = np.mgrid[:128, :128] / 128.0
    >>> flat = remove_by_samples(Image(100 + 20 * np.exp(-x) + 10 * y * y), Samples(samples=12, size=5, smoothing=0))
    >>> bool(np.ptp(flat.data) < 0.5)
    True
    """

    return without_gradient("abr:samples", _survey(image, image.shape[1], p), image, mask)


def _model(p: Samples) -> Model:
    def sight(shape: tuple[int, int], px: int) -> Sight:
        size = max(min(p.size // px, max(shape) // SMALLEST_SHARE), min(4, *shape))
        grid, laid = broad_grid(shape), _laid(shape, size, p.samples)

        def fit(broad: np.ndarray, values: np.ndarray) -> Surface | None:
            cells = surface.Cells.on(grid, broad, shape)
            return _fitted(cells, surface.Cells.on(laid, values, shape), p) if cells.known.any() else None

        return Sight((grid, laid), fit)

    return sight


def _fitted(cells: surface.Cells, samples: surface.Cells, p: Samples) -> Surface:
    shape = cells.shape
    broad, used = surface.polynomial(cells, DEGREE)
    ys, xs, residual, sky = _taken(samples, p.tolerance, cells, broad, used)
    at_y, at_x = node_places(shape, max(shape) / NODES)
    whole = surface.polynomial_on(broad, at_y, at_x, shape)
    if not _bends(ys, xs, sky):
        return Surface(whole, shape)
    # In units of half the longer side, so that smoothing means the same for every image.
    places = np.column_stack([ys, xs]) * (2 / max(shape))
    for _ in range(ROUNDS):
        # What the cubic takes for an object may be a bend of the sky that its neighbours share.
        above = residual - _through(places, residual, sky, p)(places)
        centre, sigma = surface.bulk(above[sky])
        again = above <= centre + np.where(sky, p.tolerance, min(p.tolerance, 1.0)) * sigma
        if np.array_equal(again, sky) or not _bends(ys, xs, again):
            break
        sky = again
    at = np.stack(np.meshgrid(at_y, at_x, indexing="ij"), -1).reshape(-1, 2) * (2 / max(shape))
    return Surface(whole + _through(places, residual, sky, p)(at).reshape(whole.shape), shape)


def _bends(ys: np.ndarray, xs: np.ndarray, sky: np.ndarray) -> bool:
    return np.count_nonzero(sky) >= FEWEST and len(set(ys[sky])) > 1 and len(set(xs[sky])) > 1


def _through(places: np.ndarray, values: np.ndarray, sky: np.ndarray, p: Samples) -> Callable[[np.ndarray], np.ndarray]:
    """The surface through the samples that show sky: from places (n, 2) to levels (n,)."""
    from scipy.interpolate import RBFInterpolator

    level, spread = float(values[sky].mean()), float(values[sky].std()) or 1.0
    smooth = np.count_nonzero(sky) * 0.01 * p.smoothing**4 / max(1.001 - p.smoothing, 1e-3) ** 2
    fitted = RBFInterpolator(
        places[sky], (values[sky] - level) / spread, kernel=KERNELS[p.kernel], smoothing=smooth, degree=1
    )
    return lambda at: level + spread * fitted(at)


def _taken(
    samples: surface.Cells, tolerance: float, cells: surface.Cells, broad: np.ndarray, used: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and levels of the samples above the broad surface, and which of them show sky."""
    ys, xs = samples.y, samples.x
    residual = samples.value - surface.polynomial_on(broad, ys, xs, cells.shape)
    nearest = np.ix_(*(np.abs(at[:, None] - of).argmin(axis=1) for at, of in ((ys, cells.y), (xs, cells.x))))
    j, i = np.nonzero(samples.known)
    residual, sky = residual[j, i], used[nearest][j, i]
    if np.count_nonzero(sky) < FEWEST:
        sky = np.ones(len(j), bool)
    if sky.any():
        centre, sigma = surface.bulk(residual[sky])
        sky &= residual <= centre + tolerance * sigma
    return ys[j], xs[i], residual, sky


def _laid(shape: tuple[int, int], size: int, count: int) -> Grid:
    """Samples of a size, ``count`` along the longer side."""
    (tops, tall), (lefts, wide) = (_spread(length, size, count * length / max(shape)) for length in shape)
    return Grid(tops, tall, lefts, wide)


def _spread(length: int, size: int, count: float) -> tuple[np.ndarray, int]:
    """First pixels of about ``count`` samples evenly along an axis, and their length."""
    size = min(size, length)
    n = max(min(round(count), length // size), 1)
    return np.round((np.arange(n) + 0.5) * length / n - size / 2).astype(int).clip(0, length - size), size
