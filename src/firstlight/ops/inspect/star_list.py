"""The stars of an image with all that can be measured of them: place, light in apertures and by the PSF, shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.model.image import Image
from firstlight.model.psf import Psf
from firstlight.model.star_table import StarTable
from firstlight.model.stars import Quality, Stars
from firstlight.ops.catalog.apertures import measure_apertures
from firstlight.ops.inspect.background import Background, measure_background
from firstlight.ops.inspect.blends import part_blends
from firstlight.ops.inspect.plane import Plane, plane_of
from firstlight.ops.inspect.psf_model import MeasurePsf, psf_of_plane
from firstlight.ops.inspect.psf_photometry import TOUCH, Fitted, fit_stars, groups_of, prepare
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.inspect.white_level import white_level_of
from firstlight.ops.registry import Params
from firstlight.units import Adu, Percent, Px, Unit

UNSHARP = 8.0
"""Errors of places grow by sqrt(1 + 8 / SNR^2): near the limit a star's place is less certain than its curvature says.
(The scatter of simulated stars of FWHM 1.8 to 5 px at SNR 5 is 1.14 times the least squares' error.)"""
UNLIKE = 1.5
"""Where chi^2 per degree of freedom lies above this, errors grow by its root."""


class StarList(Params):
    """Which stars are listed, and what is measured."""

    psf: bool = True
    """Measure the point spread function and fit every star with it."""
    deblend: bool = True
    """Take blends apart by what one star leaves."""
    aperture: Annotated[float, Field(ge=0.3, le=10), Unit("FWHM")] = 1.5
    """Radius of the aperture."""
    saturation: Annotated[Adu, Field(ge=0)] = 0.0
    """Level from which on pixels are full, in the unit of the image; 0: by the header, else by the pixels."""
    saturated: bool = True
    """List stars with full pixels too (marked)."""
    channel: Annotated[int, Field(ge=0, le=99)] = 0
    """Channel to measure on; 0: all together."""
    margin: Annotated[Px, Field(ge=0)] = 0
    """Stars nearer to an edge are left out."""
    corners: Annotated[Percent, Field(ge=0, le=50)] = 0.0
    """Stars in quarter circles around the corners are left out; the radius is this share of the shorter side."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured on one image."""

    table: StarTable
    quality: Quality
    sky: Background
    plane: Plane
    psf: Psf | None
    """None: not asked for, or too few stars."""
    note: str = ""
    """Why there is no PSF."""


def list_stars(
    image: Image, p: StarList = StarList(), find: FindStars = FindStars(), model: MeasurePsf = MeasurePsf()
) -> Measured:
    """Find the stars of a linear image and measure them.

    The engine's own search and fit of a common profile give a first list, shapes and widths. Then the PSF is measured
    on bright single stars, every star is fitted with it, and blends are taken apart. Aperture fluxes are sums over
    circles above a ring of sky; of stars that touch others, others' light is in them.

    Raises
    ------
    FrameError
        The image holds no numbers.

    >>> from firstlight.simulate.scene import random_field, render_stars
    >>> rng = np.random.default_rng(1)
    >>> x, y, flux = random_field(rng, 60, (300, 300), (5e3, 1e5))
    >>> plane = render_stars((300, 300), x, y, flux, 3.2) + rng.normal(100, 5, (300, 300))
    >>> found = list_stars(Image(plane))
    >>> len(found.table) > 50, round(found.psf.fwhm, 1)
    (True, 3.2)
    """
    plane = plane_of(image, p.channel, saturation=white_level_of(image, p.saturation).level)
    stars, quality = find_stars(plane.data, find, excluded=plane.excluded, saturation=plane.saturation, gain=plane.gain)
    inside = _inside(stars, plane.data.shape, p)
    stars = stars.take(inside & ((stars.saturated == 0) | p.saturated))
    sky = measure_background(plane.data, plane.excluded, find.box)
    psf, note = None, ""
    if p.psf:
        try:
            psf = psf_of_plane(plane, model, stars=stars, sky=sky)
        except FrameError as error:
            note = str(error)
    table = _by_profile(stars, quality, sky) if psf is None else _by_psf(plane, stars, psf, sky, find.threshold, p)
    table = _with_apertures(table, plane, image, p, psf.fwhm if psf is not None else quality.fwhm)
    return Measured(table.take(np.argsort(-np.nan_to_num(table.flux), kind="stable")), quality, sky, plane, psf, note)


def _inside(stars: Stars, shape: tuple[int, int], p: StarList) -> np.ndarray:
    height, width = shape
    if p.margin * 2 >= min(shape):
        raise InputError(f"margin: {p.margin} px; the image is {width} x {height} px; give less than half of its side")
    dx = np.minimum(stars.x, width - 1 - stars.x)
    dy = np.minimum(stars.y, height - 1 - stars.y)
    near_corner = np.hypot(dx, dy) < p.corners / 100 * min(shape)
    return (dx >= p.margin) & (dy >= p.margin) & ~near_corner


def _by_psf(plane: Plane, stars: Stars, psf: Psf, sky: Background, threshold: float, p: StarList) -> StarTable:
    field = prepare(plane, sky)
    fitted, rest = fit_stars(field, psf, stars.x, stars.y, stars.flux)
    origin = np.arange(len(stars))
    if p.deblend:
        parted = part_blends(field, psf, fitted, rest, threshold, stars.saturated > 0)
        fitted, origin = parted.fitted, parted.kept
    known = np.isfinite(fitted.flux) & (fitted.flux > 0)
    fitted, origin = fitted.take(known), origin[known]
    new = origin < 0
    shapes = _shapes(stars, origin, fitted, psf)
    members, starts = groups_of(fitted.x, fitted.y, TOUCH * psf.fwhm)
    size = np.empty(len(fitted), int)
    size[members] = np.repeat(np.diff(starts), np.diff(starts))
    # Of very bright stars the PSF is not known well enough for their photons.
    unlike = np.sqrt(np.where(fitted.chi > UNLIKE, fitted.chi, 1.0))
    flux_error = fitted.flux_error * unlike
    snr = fitted.flux / flux_error
    level, _ = sky.sample(fitted.x, fitted.y)
    wider = unlike * np.sqrt(1.0 + UNSHARP / np.maximum(snr, 1.0) ** 2)
    saturated = np.where(new, 0.0, stars.saturated[origin])
    return _table(
        fitted.x, fitted.y, fitted.x_error * wider, fitted.y_error * wider, fitted.flux, flux_error,
        level + fitted.sky, snr, shapes, fitted.chi, saturated > 0, size > 1, new,
        _cut(fitted, plane, psf.fwhm),
    )  # fmt: skip


def _by_profile(stars: Stars, quality: Quality, sky: Background) -> StarTable:
    error = stars.flux / stars.snr
    # A Gaussian of this SNR is placed to within sigma / SNR times sqrt(2) where the sky is all the noise.
    place = stars.fwhm / 2.3548 * np.sqrt(2.0) / np.maximum(stars.snr, 1.0)
    level, _ = sky.sample(stars.x, stars.y)
    none = np.zeros(len(stars), bool)
    shapes = (stars.fwhm, stars.hfr, stars.eccentricity, stars.angle, stars.peak)
    return _table(
        stars.x, stars.y, place, place, stars.flux, error, level, stars.snr, shapes, np.full(len(stars), np.nan),
        stars.saturated > 0, none, none, none,
    )  # fmt: skip


def _shapes(stars: Stars, origin: np.ndarray, fitted: Fitted, psf: Psf) -> tuple[np.ndarray, ...]:
    """FWHM, half-flux radius, eccentricity, angle and peak; NaN of companions, which had none of their own."""
    new = origin < 0
    names = ("fwhm", "hfr", "eccentricity", "angle", "peak")
    fwhm, hfr, eccentricity, angle, peak = (np.where(new, np.nan, getattr(stars, name)[origin]) for name in names)
    top = psf.stamp((psf.shape[1] - 1) / 2, (psf.shape[0] - 1) / 2, radius=0)[0, 0]
    return fwhm, hfr, eccentricity, angle, np.where(new, fitted.flux * top, peak)


def _cut(fitted: Fitted, plane: Plane, fwhm: float) -> np.ndarray:
    """Whether the star's core reaches beyond the edge, or onto pixels that take no part."""
    height, width = plane.data.shape
    cut = (fitted.x < fwhm) | (fitted.y < fwhm) | (fitted.x > width - 1 - fwhm) | (fitted.y > height - 1 - fwhm)
    if plane.excluded is not None:
        reach = max(round(fwhm), 1)
        for k, (x, y) in enumerate(zip(np.rint(fitted.x).astype(int), np.rint(fitted.y).astype(int))):
            box = plane.excluded[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
            cut[k] |= bool(box.any())
    return cut


def _table(
    x: np.ndarray, y: np.ndarray, x_error: np.ndarray, y_error: np.ndarray, flux: np.ndarray, flux_error: np.ndarray,
    sky: np.ndarray, snr: np.ndarray, shapes: tuple[np.ndarray, ...], chi: np.ndarray, saturated: np.ndarray,
    blended: np.ndarray, companion: np.ndarray, near_edge: np.ndarray,
) -> StarTable:  # fmt: skip
    fwhm, hfr, eccentricity, angle, peak = shapes
    ratio = np.sqrt(np.maximum(1.0 - eccentricity**2, 1e-4))
    long, short, turn = fwhm / np.sqrt(ratio), fwhm * np.sqrt(ratio), np.radians(angle)
    nothing = np.full(len(x), np.nan)
    return StarTable(
        x=x, y=y, x_error=x_error, y_error=y_error, flux=flux, flux_error=flux_error, aperture_flux=nothing,
        aperture_error=nothing, aperture_radius=nothing, sky=sky, peak=peak, snr=snr, fwhm=fwhm,
        fwhm_error=fwhm / np.maximum(snr, 1.0), fwhm_x=np.hypot(long * np.cos(turn), short * np.sin(turn)),
        fwhm_y=np.hypot(long * np.sin(turn), short * np.cos(turn)), hfr=hfr, eccentricity=eccentricity,
        axis_ratio=ratio, angle=angle, chi=chi, saturated=saturated, blended=blended, companion=companion,
        near_edge=near_edge,
    )  # fmt: skip


def _with_apertures(table: StarTable, plane: Plane, image: Image, p: StarList, fwhm: float) -> StarTable:
    if len(table) == 0 or not np.isfinite(fwhm):
        return table
    from firstlight.ops.catalog.apertures import Apertures

    radius = p.aperture * fwhm
    flags = image.flags[0] if len(image.flags) == 1 else np.bitwise_or.reduce(image.flags, axis=0)
    found = measure_apertures(
        plane.data, table.x, table.y, np.array([radius]), Apertures().ring(radius, fwhm),
        flags=flags if flags.any() else None, gain=plane.gain,
    )  # fmt: skip
    return replace(
        table, aperture_flux=found.flux[:, 0], aperture_error=found.error[:, 0],
        aperture_radius=np.full(len(table), radius),
    )  # fmt: skip
