"""The point spread function of an image, measured on its stars."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Bounds

from firstlight.errors import FrameError
from firstlight.model.bell import Bell
from firstlight.model.image import Image
from firstlight.model.psf import NO_WINGS, Psf, radius_for
from firstlight.model.stars import Stars
from firstlight.ops.inspect.background import Background, measure_background
from firstlight.ops.inspect.plane import Plane, plane_of
from firstlight.ops.inspect.psf import shortest_half
from firstlight.ops.inspect.psf_photometry import Field, Fitted, fit_stars, prepare
from firstlight.ops.inspect.psf_solve import Cutouts, best_freedom, solve_psf
from firstlight.ops.inspect.shape_fit import fit_bell
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.registry import Params
from firstlight.units import Sigma

FEWEST = 3
"""Stars without which there is no PSF."""
ROUNDS = 3
CENTRED = 0.003
"""px: a PSF whose centre lies nearer than this is centred."""
ALIKE = 0.3
"""Stars whose width differs by more than this (of its logarithm) from that of most are no stars, or not single."""
LONELY = 0.05
"""Flux of a near neighbour, as a share of the star's, from which on the star is not used."""
WORST = 3.0
"""A star whose chi^2 is this many times that of most is left out."""
DEGREES = {"none": 0, "linear": 1, "quadratic": 2, "cubic": 3}
STARS_FOR = {3: 150, 2: 40, 1: 15, 0: 0}
"""Stars that ``auto`` wants for a polynomial of each degree; cubic only when asked for."""

Variation = Literal["auto", "none", "linear", "quadratic", "cubic"]


class MeasurePsf(Params):
    """How a point spread function is measured."""

    variation: Variation = "auto"
    """How it may change over the field: a polynomial in x and y. ``auto``: as many stars as there are let it be,
    quadratic at most."""
    stars: Annotated[int, Bounds(ge=3, le=5000)] = 150
    """Stars to use at most, the brightest of each ninth of the field."""
    snr: Annotated[Sigma, Bounds(ge=5, le=1000)] = 30.0
    """Least signal to noise of a star; where fewer than ten have it, half of it will do."""


def measure_psf(image: Image, p: MeasurePsf = MeasurePsf(), *, channel: int = 0, stars: Stars | None = None) -> Psf:
    """The effective point spread function of a linear image.

    Bright, single, unsaturated stars are cut out and fitted by one surface of cubic B-splines that lies up to four
    splines a FWHM, whose coefficients are polynomials of the place in the field (as in PSFEx, Bertin 2011); the stars'
    places and fluxes are fitted with it in turn (Anderson & King 2000). The splines are held towards the best Moffat
    profile: a handful of faint stars gives that profile, and not their noise.

    Parameters
    ----------
    image : linear; colour images are averaged, mosaics smoothed (`plane_of`), unless a channel is named.
    channel : 1-based; 0: all.
    stars : measured already; None: found here.

    Raises
    ------
    FrameError
        Fewer than three usable stars.

    >>> from firstlight.simulate.scene import random_field, render_stars
    >>> rng = np.random.default_rng(1)
    >>> x, y, flux = random_field(rng, 60, (300, 300), (5e3, 1e5))
    >>> plane = render_stars((300, 300), x, y, flux, 3.2) + rng.normal(100, 5, (300, 300))
    >>> round(measure_psf(Image(plane)).fwhm, 1)
    3.2
    """
    plane = plane_of(image, channel)
    return psf_of_plane(plane, p, stars=stars)


def psf_of_plane(
    plane: Plane,
    p: MeasurePsf = MeasurePsf(),
    *,
    stars: Stars | None = None,
    sky: Background | None = None,
    field: Field | None = None,
) -> Psf:
    """As `measure_psf`, of one plane; ``field``: the same plane made ready already."""
    if stars is None:
        settings = FindStars(max_stars=4000)
        stars, _ = find_stars(
            plane.data, settings, excluded=plane.excluded, saturation=plane.saturation, gain=plane.gain
        )
    if field is None:
        field = prepare(plane, measure_background(plane.data, plane.excluded) if sky is None else sky)
    chosen = choose_stars(stars, plane.data.shape, p)
    if len(chosen) < FEWEST:
        raise FrameError(
            f"psf: {len(chosen)} of {len(stars)} stars are bright, single and unsaturated; at least {FEWEST} are "
            "needed; lower snr, or give the saturation level if it is set too low"
        )
    stars, chosen = _with_neighbours(stars, chosen)
    shape = plane.data.shape
    middle = ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
    bell = _first_guess(stars.take(chosen))
    psf = Psf.of_bell(bell, shape)
    for last in (False,) * (ROUNDS - 1) + (True,):
        fitted, rest = fit_stars(field, psf, stars.x, stars.y, stars.flux)
        used = chosen[_fits(fitted, stars, chosen, psf)]
        if len(used) < FEWEST:
            raise FrameError(f"psf: the stars do not look alike; no profile fits {FEWEST} of {len(chosen)} bright ones")
        cutouts = cut_out(field, rest, fitted.take(used), psf)
        del rest  # A whole plane, of which the next round makes another.
        degree = _degree(p.variation, len(used))
        if last:
            psf = solve_psf(cutouts, bell, degree, shape, best_freedom(cutouts, bell, degree, shape))
        else:
            psf = solve_psf(cutouts, bell, min(degree, 1), shape)
        moffat, (dx, dy) = fit_bell(psf, *middle, moffat=True)
        bell = moffat if moffat.beta < NO_WINGS else fit_bell(psf, *middle, moffat=False)[0]
        if not last and np.hypot(dx, dy) > CENTRED:
            # The splines follow wherever the stars are said to be: the nearest profile says where the centre is.
            psf = solve_psf(cutouts.moved(dx, dy), bell, min(degree, 1), shape)
    gaussian, _ = fit_bell(psf, *middle, moffat=False)
    return replace(psf, gaussian=gaussian, moffat=moffat)


def _with_neighbours(stars: Stars, chosen: np.ndarray) -> tuple[Stars, np.ndarray]:
    """The chosen stars and all whose light reaches into their windows; and where the chosen are among them."""
    from scipy.spatial import cKDTree

    reach = 2.0 * radius_for(shortest_half(stars.fwhm[chosen]))
    near = cKDTree(stars.positions).query_ball_point(stars.positions[chosen], reach)
    kept = np.unique(np.concatenate([np.asarray(each, int) for each in near]))
    return stars.take(kept), np.searchsorted(kept, chosen)


def _fits(fitted: Fitted, stars: Stars, chosen: np.ndarray, psf: Psf) -> np.ndarray:
    """Boolean (chosen,): the star stayed where it was, and is as like the PSF as most are."""
    flux, chi = fitted.flux[chosen], fitted.chi[chosen]
    near = np.hypot(fitted.x[chosen] - stars.x[chosen], fitted.y[chosen] - stars.y[chosen]) < 0.5 * psf.fwhm
    # Of a bright star most of chi^2 is what the profile cannot follow yet: a share of its light.
    snr = flux / fitted.flux_error[chosen]
    excess = np.sqrt(np.maximum(chi - 1.0, 0.0)) / np.maximum(snr, 1.0)
    with np.errstate(invalid="ignore"):
        good = near & (flux > 0) & np.isfinite(chi)
        usual = shortest_half(excess[good]) if good.any() else 0.0
        return good & ((excess < WORST * usual) | (chi < 1.5) | (excess < 0.01))


def _finished(psf: Psf, bell: Bell) -> Psf:
    """Scaled so that light beyond the splines' reach counts as the nearest Moffat profile says."""
    middle = ((psf.shape[1] - 1) / 2, (psf.shape[0] - 1) / 2)
    gaussian, _ = fit_bell(psf, *middle, moffat=False)
    offsets = np.arange(-psf.radius, psf.radius + 1)
    inside = float(bell.in_pixels(offsets[None, :], offsets[:, None]).sum())
    scale = min(inside, 1.0) / float(psf.stamp(*middle).sum())
    return Psf(psf.coefficients * scale, psf.oversampling, psf.shape, gaussian, bell, psf.n_stars, psf.misfit)


def choose_stars(stars: Stars, shape: tuple[int, int], p: MeasurePsf) -> np.ndarray:
    """Indices of bright, single, unsaturated stars of the usual width, the brightest of each ninth of the field."""
    clear = (stars.saturated == 0) & (stars.eccentricity < 0.97)
    bright = clear & (stars.snr >= p.snr)
    if bright.sum() < 10:
        bright = clear & (stars.snr >= p.snr / 2)
    if not bright.any():
        return np.empty(0, np.int64)
    width = shortest_half(stars.fwhm[bright])
    usual = bright & (np.abs(np.log(np.maximum(stars.fwhm, 1e-3) / width)) < ALIKE)
    margin = 1.5 * width
    usual &= (stars.x > margin) & (stars.y > margin)
    usual &= (stars.x < shape[1] - 1 - margin) & (stars.y < shape[0] - 1 - margin)
    index = np.flatnonzero(usual)
    index = index[~_disturbed(stars, index, width)]
    across, down = (np.clip(3 * place[index] // n, 0, 2) for place, n in ((stars.x, shape[1]), (stars.y, shape[0])))
    rank = np.empty(len(index), int)
    for cell in range(9):
        members = np.flatnonzero(3 * down + across == cell)
        rank[members[np.argsort(-stars.snr[index[members]], kind="stable")]] = np.arange(len(members))
    order = np.lexsort((-stars.snr[index], rank))
    return np.sort(index[order[: p.stars]])


def _disturbed(stars: Stars, index: np.ndarray, width: float) -> np.ndarray:
    """Whether a neighbour stands so near to a star, and so bright, that the two cannot be told apart well."""
    from scipy.spatial import cKDTree

    disturbed = np.zeros(len(index), bool)
    reach = max(stars.fwhm.max(), 2.5 * width) if len(stars) else 0.0
    for k, near in enumerate(cKDTree(stars.positions).query_ball_point(stars.positions[index], 4 * reach)):
        others = np.array([j for j in near if j != index[k]], int)
        distance = np.hypot(stars.x[others] - stars.x[index[k]], stars.y[others] - stars.y[index[k]])
        ratio = stars.flux[others] / stars.flux[index[k]]
        # Full stars are not subtracted well: keep off.
        close = 2.5 * width * np.where(stars.saturated[others] > 0, 2.5, 1.0)
        disturbed[k] = bool(
            ((distance < close) & (ratio > LONELY)).any() or ((distance < 2 * close) & (ratio > 3)).any()
        )
    return disturbed


def _first_guess(stars: Stars) -> Bell:
    """A Moffat profile as wide and as long as most of the stars are."""
    turn = np.radians(2 * stars.angle)
    e = stars.eccentricity**2 / (2 - stars.eccentricity**2)
    return Bell.of_shape(
        shortest_half(stars.fwhm), float(np.median(e * np.cos(turn))), float(np.median(e * np.sin(turn))), beta=4.0
    )


def cut_out(field: Field, rest: np.ndarray, fitted: Fitted, psf: Psf) -> Cutouts:
    """Windows around fitted stars, all others subtracted."""
    height, width = rest.shape
    radius = psf.radius
    run = np.arange(-radius, radius + 1)
    columns = np.rint(fitted.x).astype(int)[:, None] + run
    rows = np.rint(fitted.y).astype(int)[:, None] + run
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    at = np.clip(rows, 0, height - 1)[:, :, None], np.clip(columns, 0, width - 1)[:, None, :]
    own = np.stack(
        [flux * psf.stamp(x, y, x - round(x), y - round(y)) for x, y, flux in zip(fitted.x, fitted.y, fitted.flux)]
    )
    values = rest[at].astype(np.float64)
    usable = inside & np.isfinite(values)
    if len(field.bad):
        usable &= ~field.bad[at]
    values = np.where(usable, values + own - fitted.sky[:, None, None], 0.0)
    _, noise = field.sky.sample(fitted.x, fitted.y)
    noise = np.maximum(field.correlation * noise, 1e-6 * np.abs(values).max(axis=(1, 2)))
    weights = usable / noise[:, None, None] ** 2
    return Cutouts(
        values, weights, columns[:, 0], rows[:, 0], fitted.x.copy(), fitted.y.copy(), fitted.flux.copy(), field.photons
    )


def _degree(variation: Variation, n: int) -> int:
    if variation == "auto":
        return next(degree for degree in (2, 1, 0) if n >= STARS_FOR[degree])
    degree = DEGREES[variation]
    # A polynomial wants a few stars for each of its terms.
    return min(degree, next(d for d in (3, 2, 1, 0) if n >= 2 * (d + 1) * (d + 2) // 2 or d == 0))
