"""Blends taken apart: stars too near to each other to be seen as two, told by what one star leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.kernels.companions import find_companions
from firstlight.model.psf import Psf
from firstlight.ops.inspect.psf_photometry import REACH as REACH_OF_FITS
from firstlight.ops.inspect.psf_photometry import Field, Fitted, fit_stars
from firstlight.ops.inspect.stars import filter_taps

REACH = 2.5
"""FWHM from a star within which companions are sought: further off the search of the whole plane sees them."""
DOUBT = 0.03
"""A companion must stand out of this share of the star's light as well: the PSF is no better known far out."""
FAINTEST = 0.01
"""Share of its neighbour's flux that a companion has at least."""
NEAREST = 0.35
"""FWHM: stars nearer to each other than this are one."""
UNLIKE = 1.35
"""chi^2 per degree of freedom of a star that may be a blend."""
BRIGHTEST = 100
"""Stars that tell how well the PSF is known."""
ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Parted:
    """Stars after blends were taken apart: those that were given first, then the companions."""

    fitted: Fitted
    rest: np.ndarray
    """The plane without any of them."""
    kept: np.ndarray
    """Index of each among the stars given; -1 of a companion."""


def part_blends(
    field: Field, psf: Psf, fitted: Fitted, rest: np.ndarray, threshold: float, unfit: np.ndarray | None = None
) -> Parted:
    """Look for companions of stars that the PSF does not suit, and fit all anew, until none is found.

    A star is a blend where its misfit stands above chance and the residual shows another star, ``threshold`` sigma
    above noise and 3 % of the light taken away. One companion at a time is added: an equal pair one FWHM apart leaves
    two lobes with a hole between them; with a star on one of them, the first moves to where the other is.

    Parameters
    ----------
    fitted, rest : of `fit_stars`.
    unfit : bool (n,), stars that are left alone: saturated ones, which no PSF suits.
    """
    kept = np.arange(len(fitted))
    frozen = np.zeros(len(fitted), bool) if unfit is None else unfit
    taps = filter_taps(psf.fwhm)
    doubt = _doubt(fitted, psf, frozen)
    for _ in range(ROUNDS):
        with np.errstate(invalid="ignore"):
            odd = np.flatnonzero((fitted.chi > UNLIKE) & (fitted.flux > 0) & ~frozen)
        if len(odd) == 0:
            break
        x, y, flux = _companions(field, psf, fitted, rest, odd, taps, threshold, doubt)
        if len(x) == 0:
            break
        before = fitted
        together = [np.concatenate(pair) for pair in ((fitted.x, x), (fitted.y, y), (_flux(fitted), flux))]
        kept = np.concatenate([kept, np.full(len(x), -1)])
        frozen = np.concatenate([frozen, np.zeros(len(x), bool)])
        added = len(x)
        for _ in range(2):
            fitted, rest = fit_stars(field, psf, *together)
            good = _real(fitted, psf, threshold, added) | frozen
            if good.all():
                break
            added = int(good[len(good) - added :].sum())
            kept, frozen = kept[good], frozen[good]
            together = [each[good] for each in (fitted.x, fitted.y, _flux(fitted))]
            fitted = fitted.take(np.flatnonzero(good))
        if added == 0 and len(fitted) == len(before):
            break
    return Parted(fitted, rest, kept)


def _doubt(fitted: Fitted, psf: Psf, frozen: np.ndarray) -> float:
    """Share of a star's light that the PSF misplaces, as the bright stars show it; where it is poor, it makes no stars.

    chi^2 exceeds its 1 per pixel by the square of that share times the star's SNR^2.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = fitted.flux / fitted.flux_error
        bright = np.flatnonzero((snr > 50) & ~frozen)
        bright = bright[np.argsort(-snr[bright], kind="stable")][:BRIGHTEST]
        pixels = np.pi * (REACH_OF_FITS * psf.fwhm + 1.0) ** 2
        share = np.sqrt(np.maximum(fitted.chi[bright] - 1.0, 0.0) * pixels) / snr[bright]
    return float(np.clip(2.0 * np.median(share), DOUBT, 0.3)) if len(bright) >= 10 else DOUBT


def _flux(fitted: Fitted) -> np.ndarray:
    return np.where(np.isfinite(fitted.flux), fitted.flux, 1e-3)


def _companions(
    field: Field,
    psf: Psf,
    fitted: Fitted,
    rest: np.ndarray,
    odd: np.ndarray,
    taps: np.ndarray,
    threshold: float,
    doubt: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and first guesses of the fluxes."""
    room = 16 * len(odd) + 16
    fx, fy, strength = np.empty(room), np.empty(room), np.empty(room)
    of = np.empty(room, np.int64)
    _, noise = field.sky.sample(fitted.x, fitted.y)
    noise = field.correlation * np.maximum(noise, 1e-9)
    n = find_companions(
        rest, field.flat, field.bad, fitted.x, fitted.y, odd, noise, field.photons, doubt, taps.astype(np.float64),
        REACH * psf.fwhm, threshold, fx, fy, strength, of,
    )  # fmt: skip
    # One at a time in any place: with a second star the first moves, and what else seemed to be there goes.
    chosen: list[int] = []
    for k in np.argsort(-strength[:n], kind="stable"):
        if all(np.hypot(fx[k] - fx[j], fy[k] - fy[j]) > 2 * REACH * psf.fwhm for j in chosen):
            chosen.append(int(k))
    index = np.array(chosen, int)
    rows, columns = fy[index].astype(int), fx[index].astype(int)
    peak = psf.stamp((psf.shape[1] - 1) / 2, (psf.shape[0] - 1) / 2, radius=0)[0, 0]
    return fx[index], fy[index], np.maximum(rest[rows, columns] / peak, noise[of[index]])


def _real(fitted: Fitted, psf: Psf, threshold: float, added: int) -> np.ndarray:
    """Boolean: stars with light of their own, each place once; those given go only where a companion takes over."""
    from scipy.spatial import cKDTree

    n = len(fitted)
    new = np.arange(n) >= n - added
    with np.errstate(invalid="ignore"):
        real = fitted.flux > threshold * fitted.flux_error
    flux = np.where(np.isfinite(fitted.flux), fitted.flux, 0.0)
    places = cKDTree(np.column_stack([fitted.x, fitted.y]))
    near_new = np.zeros(n, bool)
    for i, j in places.query_pairs(1.6 * psf.fwhm):
        near_new[i] |= new[j]
        near_new[j] |= new[i]
        faint, bright = (i, j) if flux[i] < flux[j] else (j, i)
        apart = np.hypot(fitted.x[i] - fitted.x[j], fitted.y[i] - fitted.y[j])
        if (new[i] or new[j]) and (flux[faint] < FAINTEST * flux[bright] or apart < NEAREST * psf.fwhm):
            real[faint] = False
    return real | ~(new | near_new)
