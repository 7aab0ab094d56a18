"""How faint an image reaches: by its noise, and by stars that are put into it and sought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.psf import Psf
from firstlight.ops.inspect.stars import FindStars, find_stars

FOUND = 1.0
"""px: a star that was put in counts as found where one is seen so near."""
ROOM = 12.0
"""FWHM between stars of one round, so that they do not disturb each other."""
BRIGHTEST, FAINTEST = -2.4, 1.2
"""mag from the limit: what the stars cover."""
BINS = 9


def limiting_flux(pixel: float, area: float, n_sky: float, gain: float | None, snr: float = 5.0) -> float:
    """Flux whose signal to noise is ``snr`` in an aperture, in the unit of the image: the root of Merline & Howell's
    formula.

    Parameters
    ----------
    pixel : variance of a pixel of the sky.

    >>> round(limiting_flux(100.0, 25.0, 1e9, None), 3)
    250.0
    """
    sky = pixel * (area + area**2 / n_sky)
    photons = snr**2 / gain if gain else 0.0
    return float(0.5 * (photons + np.sqrt(photons**2 + 4.0 * snr**2 * sky)))


@dataclass(frozen=True, eq=False)
class Completeness:
    """Share of the stars of each brightness that are found."""

    magnitude: np.ndarray
    """Middle of each bin, in the magnitudes of the stars that were put in."""
    share: np.ndarray
    n: np.ndarray
    half: float
    """Magnitude at which half of them are found; NaN where the bins do not reach it, or in a
    field so crowded that not even half of the brighter ones are."""
    bias: float
    """Median of measured less true magnitude of those found in the brighter half, mag."""


def measure_completeness(
    plane: np.ndarray,
    psf: Psf,
    limit: float,
    settings: FindStars,
    *,
    n_stars: int,
    seed: int = 1,
    excluded: np.ndarray | None = None,
    saturation: float = np.inf,
    gain: float | None = None,
) -> Completeness:
    """Put stars of the image's own profile into it, with their photon noise, and look how many are found.

    Magnitudes are instrumental, -2.5 log10 of the flux in the unit of the plane. Positions are random, at least twelve
    FWHM apart within a round, and at least four from the border; crowding by the image's own stars is part of the
    answer. The same seed gives the same answer.

    Parameters
    ----------
    limit : magnitude about which the stars are spread.

    Raises
    ------
    FrameError
        The image is too small for one star.
    """
    rng = np.random.default_rng(seed)
    true: list[np.ndarray] = []
    found: list[np.ndarray] = []
    while sum(map(len, true)) < n_stars:
        x, y = _places(rng, plane.shape, ROOM * psf.fwhm, max(4.0 * psf.fwhm, psf.radius + 1.0))
        magnitude = limit + rng.uniform(BRIGHTEST, FAINTEST, len(x))
        filled = _with_stars(plane, psf, x, y, 10 ** (-0.4 * magnitude), gain, rng)
        stars, _ = find_stars(filled, settings, excluded=excluded, saturation=saturation, gain=gain)
        measured = np.full(len(x), np.nan)
        if len(stars):
            distance = np.hypot(stars.x[None] - x[:, None], stars.y[None] - y[:, None])
            nearest = distance.argmin(axis=1)
            near = distance[np.arange(len(x)), nearest] <= max(FOUND, 0.5 * psf.fwhm)
            flux = np.maximum(stars.flux[nearest], 1e-30)
            measured = np.where(near, -2.5 * np.log10(flux), np.nan)
            # A star of the image itself that was there before is no find.
            measured[np.abs(measured - magnitude) > 1.0] = np.nan
        true.append(magnitude)
        found.append(measured)
    return _summed(np.concatenate(true), np.concatenate(found), limit)


def _places(rng: np.random.Generator, shape: tuple[int, int], apart: float, margin: float) -> tuple[np.ndarray, ...]:
    """A shaken grid of places."""
    height, width = (size - 2 * margin for size in shape)
    if height < 1 or width < 1:
        raise FrameError("completeness: the image is too small to put stars into it; leave it out")
    columns, rows = max(int(width / apart), 1), max(int(height / apart), 1)
    shake = np.clip(apart / 4, 0, None) if columns * rows > 1 else 0.5
    x = margin + (np.arange(columns) + 0.5) * width / columns
    y = margin + (np.arange(rows) + 0.5) * height / rows
    xx, yy = np.meshgrid(x, y)
    xs, ys = (each.ravel() + rng.uniform(-shake, shake, each.size) for each in (xx, yy))
    keep = (xs >= margin) & (xs <= shape[1] - 1 - margin) & (ys >= margin) & (ys <= shape[0] - 1 - margin)
    return xs[keep], ys[keep]


def _with_stars(
    plane: np.ndarray, psf: Psf, x: np.ndarray, y: np.ndarray, flux: np.ndarray, gain: float | None,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    filled = np.array(plane, np.float32)
    r = psf.radius
    for cx, cy, light in zip(x, y, flux):
        i, j = round(cx), round(cy)
        stamp = np.maximum(psf.stamp(cx, cy, cx - i, cy - j), 0.0)
        stamp *= light / stamp.sum()
        if gain:
            stamp = rng.poisson(stamp * gain) / gain
        filled[j - r : j + r + 1, i - r : i + r + 1] += stamp.astype(np.float32)
    return filled


def _summed(true: np.ndarray, found: np.ndarray, limit: float) -> Completeness:
    edges = limit + np.linspace(BRIGHTEST, FAINTEST, BINS + 1)
    place = np.clip(np.digitize(true, edges) - 1, 0, BINS - 1)
    n = np.bincount(place, minlength=BINS)
    share = np.bincount(place, np.isfinite(found), BINS) / np.maximum(n, 1)
    middle = 0.5 * (edges[:-1] + edges[1:])
    half = float("nan")
    below = np.flatnonzero((share < 0.5) & (n > 0))
    if len(below) and below[0] > 0:
        k = below[0]
        half = float(np.interp(0.5, [share[k], share[k - 1]], [middle[k], middle[k - 1]]))
    bright = np.isfinite(found) & (true < limit)
    bias = float(np.median(found[bright] - true[bright])) if bright.any() else float("nan")
    return Completeness(middle, share, n, half, bias)
