"""Sky gradient along the lower envelope of the picture."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.calibrate import surface
from firstlight.ops.calibrate.gradient import Mode, survey_gradient, without_gradient
from firstlight.ops.calibrate.nodes import Surface, node_places
from firstlight.ops.calibrate.polynomial import CELLS, broad_grid
from firstlight.ops.calibrate.sights import Grid, Model, Sight
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.survey import Survey
from firstlight.units import Adu, Px, Sigma

CELLS_PER_SCALE = 16
AFTER = 0.8
"""Size of the maximum filter that undoes the minimum filter, over that."""

Length = Annotated[Px, Field(ge=0, le=10_000)]


class Envelope(Params):
    scale: Annotated[Px, Field(ge=16)] = 256
    """Size of the minimum filter and sigma of the Gaussian after it: objects should be smaller."""
    presmooth: Length = 8
    """Sigma of the Gaussian before the minimum, so that single dark pixels do not decide."""
    closing: Length = 0
    """Dark spots (dust) smaller than this are filled first; 0: not at all."""
    opening: Length = 0
    """Bright spots left over smaller than this are removed after the minimum; 0: not at all."""
    gain: Annotated[float, Field(ge=0, le=10)] = 1.0
    """The model is multiplied by this."""
    offset: Adu = -1.0
    """Added to the model, so that the sky stays above 0; without effect where the level is kept."""
    detrend: Annotated[int, Field(ge=0, le=4)] = 3
    """Degree of a robust polynomial that is taken off first: minima and edges then meet a level sky; 0: none."""
    noise_cap: Annotated[Sigma, Field(ge=0, le=100)] = 0.0
    """Before all else the plane is cut at this many sigma above its sky; 0: not at all."""
    residual_iterations: Annotated[int, Field(ge=0, le=8)] = 0
    """How often what is left is treated again, with filters smaller by ``size_factor`` each time."""
    size_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Sizes of the filters from one iteration to the next."""
    keep_level: bool = True
    """Give each channel its median back; without it the sky goes down to about 0."""
    mode: Mode = "subtract"
    """``subtract`` for light pollution and moonlight, ``divide`` for vignetting, ``luminance`` the same in all colours,
    ``model`` for the surface itself."""


def _survey(like: Image, height: int, p: Envelope) -> Survey:
    return survey_gradient("abr:envelope", like, height, _model(p), p.mode, p.keep_level)


@operation("abr:envelope", reach=Reach.FRAME, demands=State.LINEAR, version=2, survey=_survey)
def remove_envelope(image: Image, p: Envelope, mask: Image | None = None) -> Image:
    """Remove the smoothed lower envelope of each channel, keeping its median level: follows any shape of the sky.

    The chain: medians of small cells, less a robust polynomial, Gaussian, closing, minimum filter of ``scale``,
    opening, Gaussian of ``scale``, maximum filter of 0.8 ``scale``, gain and offset. Works on a plane made smaller, a
    16th of the scale to a cell. Nothing is clipped at 0. Objects larger than the scale lose light:
    `abr:localgradient` and `abr:multiscale` protect them better. ``mask`` (above 0: objects) is filled from around it.
    A mosaic is treated colour by colour.

    Flags, plate and unit: kept; flagged pixels without a number take no part. Variance: kept (the surface is taken as
    exact); divided by the square of the surface where that is divided out; dropped for ``mode=model``.

    References
    ----------
    Sternberg 1986, Grayscale morphology (the opening as background); the chain and its numbers are those of the local
    gradient of cvastrophoto.

    Raises
    ------
    InputError
        ``divide`` where the sky is not above 0 everywhere; a mask of another size.

    >>> data = np.full((1, 64, 64), 100.0) + np.linspace(0, 20, 64)
    >>> flat = remove_envelope(Image(data), Envelope(scale=16))
    >>> bool(np.ptp(flat.data[0, 24:40, 24:40]) < 1.5)
    True
    """

    return without_gradient("abr:envelope", _survey(image, image.shape[1], p), image, mask)


def _model(p: Envelope) -> Model:
    def sight(shape: tuple[int, int], px: int) -> Sight:
        smallest = p.scale * p.size_factor**p.residual_iterations / px
        size = int(min(max(smallest / CELLS_PER_SCALE, 1), max(min(shape) // 4, 1)))
        fine, broad = Grid.even(shape, size), broad_grid(shape, 2 * CELLS)
        return surface.of_two_grids(shape, fine, broad, lambda cells, few: _fitted(cells, few, p, px, size))

    return sight


def _fitted(cells: surface.Cells, few: surface.Cells, p: Envelope, px: int, size: int) -> Surface:
    from scipy.interpolate import RegularGridInterpolator

    shape = cells.shape
    smallest = p.scale * p.size_factor**p.residual_iterations / px
    broad, _ = surface.polynomial(few, p.detrend)
    values = _without_holes(cells.value - surface.polynomial_on(broad, cells.y, cells.x, shape))
    if p.noise_cap:
        centre, sigma = surface.bulk(values.ravel())
        values = np.minimum(values, centre + p.noise_cap * sigma)
    found = np.zeros_like(values)
    for k in range(p.residual_iterations + 1):
        found += _filtered(values - found, p, px * size / p.size_factor**k)
    ys, xs = node_places(shape, max(smallest / 6, size))
    whole = surface.polynomial_on(broad, ys, xs, shape)
    if min(values.shape) < 2:
        return Surface(p.gain * (whole + float(found.mean())) + p.offset, shape)
    between = RegularGridInterpolator((cells.y, cells.x), found, bounds_error=False, fill_value=None)
    inside = np.ix_(ys.clip(cells.y[0], cells.y[-1]), xs.clip(cells.x[0], cells.x[-1]))
    return Surface(p.gain * (whole + between(np.broadcast_arrays(*inside))) + p.offset, shape)


def _filtered(values: np.ndarray, p: Envelope, per_cell: float) -> np.ndarray:
    """The chain on a plane of cells, each of ``per_cell`` pixels of the sensor."""
    from scipy.ndimage import gaussian_filter, grey_closing, grey_opening, maximum_filter, minimum_filter

    def cells(length: float) -> int:
        return max(round(length / per_cell), 1)

    out = gaussian_filter(values, p.presmooth / per_cell)
    if p.closing:
        out = grey_closing(out, cells(p.closing))
    out = minimum_filter(out, cells(p.scale))
    if p.opening:
        out = grey_opening(out, cells(p.opening))
    out = gaussian_filter(out, p.scale / per_cell, truncate=3)
    return maximum_filter(out, cells(AFTER * p.scale))


def _without_holes(values: np.ndarray) -> np.ndarray:
    """Cells without a value take that of the nearest that has one."""
    from scipy.ndimage import distance_transform_edt

    known = np.isfinite(values)
    if known.all():
        return values
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return values[tuple(nearest)]
