"""Find and measure the stars of a plane."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.kernels import starfit
from firstlight.kernels.spots import find_spots
from firstlight.model.stars import Quality, Stars
from firstlight.ops.inspect.background import Background, measure_background
from firstlight.ops.inspect.psf import BRIGHT, Profile, measure_profile, off_threads
from firstlight.ops.inspect.saturation import join_saturated
from firstlight.ops.registry import Params
from firstlight.units import Px, Sigma, SubPx

LADDER = (2.2, 4.5, 9.0)
"""FWHM of the filters tried until one shows stars whose width can be measured, px."""
ENOUGH = 12
"""Stars of one width that end the search for it."""
PRIOR = 0.15
"""Stars of a frame are taken to differ in width by 15 %: it steadies faint ones and leaves SNR 50 as it is (2 %)."""
SHARPEST, WIDEST = 0.62, 2.5
"""Spots narrower or wider than this against the frame's stars are no stars."""
DEFAULT_FWHM = 3.0
"""px, where a frame shows no star that tells."""


class FindStars(Params):
    """What counts as a star."""

    threshold: Annotated[Sigma, Field(ge=2, le=1000)] = 5.0
    """Signal to noise a star needs, after the filter that suits the frame's stars best."""
    fwhm: Annotated[SubPx, Field(ge=0, le=30)] = 0.0
    """Width of the stars to look for; 0: measured on each frame."""
    max_stars: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """Only so many of the strongest are measured."""
    box: Annotated[Px, Field(ge=16, le=1024)] = 64
    """Side of a box of the background mesh."""


def find_stars(
    plane: np.ndarray,
    p: FindStars = FindStars(),
    *,
    excluded: np.ndarray | None = None,
    saturation: float = np.inf,
    gain: float | None = None,
) -> tuple[Stars, Quality]:
    """Find and measure the stars of one plane, and sum up its quality.

    A matched filter over the plane divided by its noise finds spots; each must be stronger than the best single pixel,
    pair, row or column through it could explain, so that hot pixels, bad columns and most cosmic rays stay out. Each
    star is then fitted (least squares, inverse variance) with the profile of the frame integrated over the pixels.

    Parameters
    ----------
    plane : float32 (y, x), raw or calibrated, linear; not changed.
    excluded : bool (y, x), True where a pixel takes no part.
    saturation : value from which on pixels are full, in the unit of the plane.
    gain : e- per unit of the plane; None leaves photon noise out of weights and errors.

    Returns
    -------
    Stars, brightest first, and Quality. ``snr`` is flux over its standard error. Widths are those of the star before
    the pixels sampled it. ``n_stars`` counts all that were found, also beyond ``max_stars``.

    Raises
    ------
    FrameError
        The plane holds no numbers.

    >>> y, x = np.mgrid[:64, :64]
    >>> plane = 100 + 1000 * np.exp(-((x - 30.3) ** 2 + (y - 20.6) ** 2) / 4.5)
    >>> plane += np.random.default_rng(1).normal(0, 5, plane.shape)
    >>> stars, quality = find_stars(plane.astype(np.float32))
    >>> len(stars), round(float(stars.x[0]), 1), round(float(stars.y[0]), 1)
    (1, 30.3, 20.6)
    """
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    if plane.ndim != 2:
        raise FrameError(f"stars: an array of shape {plane.shape}; one plane (y, x) is needed")
    sky = measure_background(plane, excluded, p.box)
    mask = np.empty((0, 0), bool) if excluded is None else np.ascontiguousarray(excluded, dtype=bool)
    search = _Search.prepare(plane, mask, saturation, 1.0 / gain if gain else 0.0, sky)
    if search is None:
        return Stars.empty(), _quality(Stars.empty(), np.empty(0), 0, sky)
    profile = search.profile(p)
    spots, rms = search.spots(profile.fwhm, p.threshold)
    if saturation < np.inf:
        spots = join_saturated(plane, saturation, spots, profile.fwhm)
    fitted, n_stars = search.fit_until(spots, profile, rms, p.max_stars)
    fitted = fitted[: p.max_stars]
    fitted = fitted[np.argsort(-fitted[:, starfit.FLUX], kind="stable")]
    stars = _as_stars(fitted, plane, saturation)
    return stars, _quality(stars, fitted[:, starfit.ELLIPTICITY2], n_stars, sky)


@dataclass(frozen=True, eq=False)
class _Search:
    """A plane, made ready to be filtered."""

    plane: np.ndarray
    mask: np.ndarray
    saturation: float
    photons: float
    sky: Background
    level: np.ndarray
    inverse_noise: np.ndarray
    node_rows: np.ndarray
    node_columns: np.ndarray

    @classmethod
    def prepare(
        cls, plane: np.ndarray, mask: np.ndarray, saturation: float, photons: float, sky: Background
    ) -> _Search | None:
        """None where the plane is the same everywhere."""
        noise = sky.mesh_noise
        if np.median(noise) > 0:
            floor = 0.1 * float(np.median(noise))
        else:
            finite = plane[np.isfinite(plane)]
            floor = 1e-6 * float(np.abs(finite - sky.level).max())
            if floor == 0:
                return None
        noise = np.maximum(noise, np.float32(floor))
        sky = Background(sky.mesh, noise, sky.shape)
        level, inverse = sky.mesh, np.float32(1.0) / noise
        nodes = [sky.nodes(0), sky.nodes(1)]
        for axis in (0, 1):
            if len(nodes[axis]) == 1:
                nodes[axis] = nodes[axis] + np.array([-0.5, 0.5])
                level, inverse = (np.repeat(each, 2, axis=axis) for each in (level, inverse))
        return cls(plane, mask, saturation, photons, sky, level, inverse, nodes[0], nodes[1])

    def spots(self, fwhm: float, threshold: float, first: int = 0, last: int | None = None) -> tuple[np.ndarray, float]:
        """Spots (n, 3) as x, y, strength in sigma, strongest first; and how far the noise is from white (1)."""
        taps = filter_taps(fwhm)
        room = 20_000
        while True:
            xs, ys, strength = np.empty(room), np.empty(room), np.empty(room)
            n, rms = find_spots(
                self.plane, self.mask, self.level, self.inverse_noise, self.node_rows, self.node_columns, taps,
                # Neighbouring pixels that share noise make the filtered plane noisier: that is known only afterwards.
                np.float32(0.8 * threshold), first, self.plane.shape[0] if last is None else last, xs, ys, strength,
            )  # fmt: skip
            if n <= room:
                break
            room = n
        rms = max(rms, 0.5)
        found = np.column_stack([xs[:n], ys[:n], strength[:n] / rms])
        found = found[found[:, 2] >= threshold]
        return found[np.lexsort((found[:, 0], found[:, 1], -found[:, 2]))], rms

    def profile(self, p: FindStars) -> Profile:
        """Width and wings of the frame's stars, from its middle third where that shows enough of them."""
        height = self.plane.shape[0]
        best: tuple[Profile | None, int] = (None, 0)
        for fwhm in (p.fwhm,) if p.fwhm else LADDER:
            for first, last in ((height // 3, 2 * height // 3), (0, height)):
                spots, rms = self.spots(fwhm, BRIGHT, first, last)
                x, y = spots[:, 0], spots[:, 1]
                full = self.plane[_inside(y, height), _inside(x, self.plane.shape[1])] >= self.saturation
                spots = spots[~full][:80]
                level, noise = self.sky.sample(spots[:, 0], spots[:, 1])
                found = measure_profile(
                    self.plane, self.mask, self.saturation, spots[:, :2].copy(), level, rms * noise, self.photons
                )
                if found[1] > best[1]:
                    best = found
                if best[1] >= ENOUGH:
                    break
            if best[1] >= ENOUGH:
                break
        profile = best[0] or Profile(p.fwhm or DEFAULT_FWHM)
        return Profile(p.fwhm, profile.beta) if p.fwhm else profile

    def fit(self, spots: np.ndarray, profile: Profile, rms: float) -> np.ndarray:
        """Fitted stars (n, columns of `starfit`) of these spots."""
        x, y = np.ascontiguousarray(spots[:, 0]), np.ascontiguousarray(spots[:, 1])
        level, noise = self.sky.sample(x, y)
        out = np.empty((len(spots), starfit.N_COLUMNS))
        starfit.fit_stars(
            self.plane, self.mask, self.saturation, x, y, level, rms * noise, np.full(len(spots), profile.fwhm),
            self.photons, profile.shares, profile.widths, 1.0 / PRIOR**2, False, out,
        )  # fmt: skip
        return out

    def fit_until(self, spots: np.ndarray, profile: Profile, rms: float, wanted: int) -> tuple[np.ndarray, int]:
        """Believable fits of the strongest spots, and how many stars there are if the rest are as the last batch.

        A trail can hold more spots than there are stars: while hardly half of a batch were stars, the next is fitted,
        four batches at most.
        """
        fitted = np.empty((0, starfit.N_COLUMNS))
        share, looked = 1.0, 0
        for first in range(0, min(len(spots), 4 * wanted), wanted):
            if first and len(fitted) >= 0.6 * wanted:
                break
            batch = self.fit(spots[first : first + wanted], profile, rms)
            good = _believable(batch, profile)
            share, looked = float(good.mean()), first + len(batch)
            fitted = np.concatenate([fitted, batch[good]])
        return fitted, len(fitted) + round(share * (len(spots) - looked))


def filter_taps(fwhm: float) -> np.ndarray:
    """One side of a Gaussian integrated over pixels, cut at 2.5 sigma; the sum of squares of the whole is 1. float32.

    >>> taps = filter_taps(3.0)
    >>> len(taps), round(float(taps[0] ** 2 + 2 * (taps[1:] ** 2).sum()), 6)
    (5, 1.0)
    """
    sigma = fwhm / 2.3548200450309493
    edges = (np.arange(int(np.ceil(2.5 * sigma)) + 2) - 0.5) / (sigma * np.sqrt(2.0))
    taps = -0.5 * np.diff([erfc(edge) for edge in edges])
    return (taps / np.sqrt(taps[0] ** 2 + 2 * np.sum(taps[1:] ** 2))).astype(np.float32)


def _believable(fitted: np.ndarray, profile: Profile) -> np.ndarray:
    """Fits that came to rest, near the width of the frame's stars, each star once."""
    flux, error = fitted[:, starfit.FLUX], fitted[:, starfit.FLUX_ERROR]
    ratio = fitted[:, starfit.FWHM] / profile.fwhm
    good = (flux > 2.0 * error) & (ratio > SHARPEST) & (ratio < WIDEST) & (fitted[:, starfit.PEAK] > 0)
    good &= off_threads(fitted)
    # Two starts that ended on one star: the first (stronger) stays.
    index = np.flatnonzero(good)
    if len(index) > 1:
        later = _near_an_earlier(fitted[index, starfit.X], fitted[index, starfit.Y], 0.7 * profile.fwhm)
        good[index[later]] = False
    return good


def _near_an_earlier(x: np.ndarray, y: np.ndarray, reach: float) -> np.ndarray:
    """Which positions have one before them in the list within ``reach``.

    In order of y only few follow within reach: they are compared one place apart, two, and so on. (A tree does this as
    fast; importing one takes longer than finding the stars.)
    """
    order = np.argsort(y, kind="stable")
    x, y = x[order], y[order]
    found = np.zeros(len(x), bool)
    for apart in range(1, len(x)):
        rise = y[apart:] - y[:-apart]
        if not (rise <= reach).any():
            break
        near = np.flatnonzero((rise <= reach) & (np.hypot(rise, x[apart:] - x[:-apart]) <= reach))
        found[np.maximum(order[near], order[near + apart])] = True
    return found


def _as_stars(fitted: np.ndarray, plane: np.ndarray, saturation: float) -> Stars:
    column = fitted.T
    top = column[starfit.PEAK] + column[starfit.SKY]
    return Stars(
        x=column[starfit.X].copy(),
        y=column[starfit.Y].copy(),
        flux=column[starfit.FLUX].copy(),
        peak=column[starfit.PEAK].copy(),
        fwhm=column[starfit.FWHM].copy(),
        hfr=column[starfit.HFR].copy(),
        eccentricity=column[starfit.ECCENTRICITY].copy(),
        angle=column[starfit.ANGLE].copy(),
        snr=column[starfit.FLUX] / column[starfit.FLUX_ERROR],
        saturated=(top >= saturation * (1 - 1e-6)).astype(np.float64),
    )


def _quality(stars: Stars, ellipticity2: np.ndarray, n_stars: int, sky: Background) -> Quality:
    wanted = stars.saturated == 0
    strong = wanted & (stars.snr >= BRIGHT)
    if strong.sum() >= 5:
        wanted = strong
    clear = stars.take(wanted)
    middle = (lambda values: float(np.median(values))) if len(clear) else (lambda values: float("nan"))
    return Quality(
        n_stars=n_stars,
        fwhm=middle(clear.fwhm),
        hfr=middle(clear.hfr),
        eccentricity=_common_eccentricity(ellipticity2[wanted], clear.snr),
        snr=float(np.median(stars.snr)) if len(stars) else float("nan"),
        background=sky.level,
        noise=sky.noise,
        gradient=sky.gradient,
    )


def _common_eccentricity(ellipticity2: np.ndarray, snr: np.ndarray) -> float:
    """Of the stars of a frame: the median, by how well the shape of each is known.

    The median of their own eccentricities is 0 where most stars are hardly longer than noise makes them: of stars of
    SNR 15 whose axes are as 4 to 5 (0.6) too.
    """
    known = np.isfinite(ellipticity2) & (snr > 0)
    if not known.any():
        return float("nan")
    # Beyond an SNR of 40 stars differ by their neighbours more than by noise.
    values, weights = ellipticity2[known], 1.0 / (1.0 / snr[known] ** 2 + 1.0 / 40.0**2)
    order = np.argsort(values, kind="stable")
    heaped = np.cumsum(weights[order])
    squared = max(float(values[order][np.searchsorted(heaped, heaped[-1] / 2)]), 0.0)
    e = min(squared, 1.0) ** 0.5
    return (2 * e / (1 + e)) ** 0.5


def _inside(positions: np.ndarray, length: int) -> np.ndarray:
    return np.clip(np.rint(positions).astype(np.int64), 0, length - 1)
