"""Light of stars in round apertures, above a ring of sky."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.kernels import apertures as kernels
from firstlight.model.flags import EXCLUDED, Flag
from firstlight.model.photometry import Photometry
from firstlight.ops.catalog.noise import flux_variance
from firstlight.ops.registry import Params
from firstlight.units import SubPx, Unit

LOST = EXCLUDED | Flag.HOT | Flag.COLD | Flag.COSMIC_RAY | Flag.TRAIL | Flag.INTERPOLATED | Flag.LOW_FLAT
"""A pixel with any of these is replaced by the one opposite."""
UNFIT_SKY = LOST | Flag.SATURATED
FEWEST_SKY = 400.0
"""Pixels that a ring holds at least, where its size is automatic: its level is then known to 5 % of a pixel's noise."""
RING_FROM = 3.0
"""FWHM: where an automatic ring begins."""
MOST_LOST = 0.01
"""Share of a circle that may be lost before the flux is none."""


class Apertures(Params):
    """Round apertures, and the ring of sky around them."""

    choice: Literal["optimal", "fwhm", "fixed"] = "optimal"
    """``optimal``: the radius of the best signal to noise by the curve of growth. ``fwhm``: a multiple of the
    stars' width. ``fixed``: always the same."""
    radius: Annotated[SubPx, Field(gt=0, le=200)] = 5.0
    """Of ``fixed`` apertures."""
    factor: Annotated[float, Field(ge=0.3, le=10), Unit("FWHM")] = 1.5
    """Radius of ``fwhm`` apertures."""
    inner: Annotated[SubPx, Field(ge=0, le=400)] = 0.0
    """Inner radius of the ring; 0: three FWHM, or a pixel outside of the aperture where that is wider."""
    outer: Annotated[SubPx, Field(ge=0, le=600)] = 0.0
    """Outer radius of the ring; 0: so far that the ring holds 400 pixels."""
    correct: bool = True
    """Bring fluxes to those of a wide aperture by the curve of growth."""

    def ring(self, radius: float, fwhm: float) -> tuple[float, float]:
        """Inner and outer radius for an aperture.

        Raises
        ------
        InputError
            The outer radius is not above the inner one.

        >>> [round(r, 2) for r in Apertures().ring(4.0, 3.0)]
        [9.0, 14.43]
        """
        inner = self.inner or max(RING_FROM * fwhm, radius + 1.0)
        outer = self.outer or float(np.sqrt(inner**2 + FEWEST_SKY / np.pi))
        if outer < inner + 1.0:
            raise InputError(
                f"apertures: the ring from {inner:.1f} to {outer:.1f} px; it must be a pixel wide; raise outer"
            )
        return inner, outer


def measure_apertures(
    plane: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    radii: np.ndarray,
    ring: tuple[float, float],
    *,
    variance: np.ndarray | None = None,
    flags: np.ndarray | None = None,
    gain: float | None = None,
    crowd: np.ndarray | None = None,
) -> Photometry:
    """Sum the light of positions in circles, with the exact share of each pixel at the rim.

    The sky is the mean of the ring after clipping at 3 sigma, pulled to the mode (Pearson: 3 median - 2 mean) where the
    two differ by more than chance, as light of faint neighbours makes them. A pixel that is flagged as worthless is
    replaced by the one opposite the star's centre; where that is worthless too, or off the plane, for more than 1 % of
    a circle, there is no flux (NaN).

    Parameters
    ----------
    plane : float32 (y, x), linear.
    x, y : (n,) 0-based positions.
    radii : (k,) or (n, k), px.
    ring : inner and outer radius, px.
    variance : of each pixel; without it the spread of the ring is that of every pixel.
    flags : uint16 (y, x); SATURATED is reported, and kept out of the ring.
    gain : e- per unit of the plane; None leaves the star's own photons out of the errors (of no use with a variance).
    crowd : bool (y, x), pixels that the ring leaves out: other stars.

    Returns
    -------
    Photometry

    >>> y, x = np.mgrid[:41, :41]
    >>> star = 10 + 100 / (2 * np.pi * 4) * np.exp(-((x - 20.2) ** 2 + (y - 19.7) ** 2) / 8)
    >>> place, radius = (np.array([20.2]), np.array([19.7])), np.array([9.0])
    >>> found = measure_apertures(star.astype(np.float32), *place, radius, (12, 18))
    >>> round(float(found.flux[0, 0]), 2)
    100.0
    """
    plane = np.ascontiguousarray(plane, np.float32)
    x, y = (np.ascontiguousarray(each, np.float64) for each in (x, y))
    n = len(x)
    radii = np.array(np.broadcast_to(np.asarray(radii, np.float64), (n, np.shape(radii)[-1])), order="C")
    shape = radii.shape
    flag_plane = np.zeros((0, 0), np.uint16) if flags is None else np.ascontiguousarray(flags, np.uint16)
    spread = np.zeros((0, 0), np.float32) if variance is None else np.ascontiguousarray(variance, np.float32)
    sums, bits, peak = np.zeros((*shape, kernels.N_SUMS)), np.zeros(shape, np.uint16), np.zeros(n)
    kernels.sum_circles(plane, spread, flag_plane, int(LOST), x, y, radii, sums, bits, peak)
    excluded = np.zeros((0, 0), bool) if crowd is None else crowd
    if flags is not None:
        unfit = (flag_plane & np.uint16(UNFIT_SKY)) != 0
        if unfit.any():
            excluded = unfit if crowd is None else crowd | unfit
    levels = np.zeros((n, kernels.N_RING))
    inner, outer = (np.full(n, float(r)) for r in ring)
    kernels.ring_levels(plane, np.ascontiguousarray(excluded), x, y, inner, outer, levels)
    mean, median, sigma, count = levels.T
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = 2.0 * 1.2533 * sigma / np.sqrt(np.maximum(count, 1.0))
        sky = np.where(mean - median > chance, 3.0 * median - 2.0 * mean, mean)
        area, squares = sums[..., kernels.AREA], sums[..., kernels.SQUARES]
        flux = sums[..., kernels.LIGHT] - area * sky[:, None]
        whole = np.pi * radii**2
        flux[sums[..., kernels.LOST] > MOST_LOST * whole] = np.nan
        if variance is None:
            squared = flux_variance(flux, area, count[:, None], sigma[:, None] ** 2, gain, squares)
        else:
            squared = sums[..., kernels.VARIANCE] + area**2 * sigma[:, None] ** 2 / np.maximum(count, 1.0)[:, None]
        mended = sums[..., kernels.MENDED] / np.maximum(area, 1e-9)
        # What was taken from the opposite side counts twice in the sum.
        squared = squared * (1.0 + mended)
    return Photometry(
        x, y, radii, flux, np.sqrt(squared), area, sky, sigma, count, peak - sky, bits, mended
    )  # fmt: skip


def crowd_of(shape: tuple[int, int], x: np.ndarray, y: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Bool (y, x): True within so many px of any of the stars."""
    marked = np.zeros(shape, bool)
    x, y = (np.ascontiguousarray(each, np.float64) for each in (x, y))
    kernels.mark_discs(x, y, np.array(np.broadcast_to(np.asarray(radius, np.float64), x.shape), order="C"), marked)
    return marked
