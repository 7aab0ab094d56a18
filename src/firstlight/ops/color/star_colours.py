"""Light of the stars of an image in each of its colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit
from firstlight.model.stars import Stars
from firstlight.ops.inspect.stars import FindStars, find_stars

FULL = 0.85
"""Of the saturation: a star with such a pixel has lost light, or its sensor bends."""
FEWEST = 3
APERTURE = 1.6
"""Radius over the FWHM: 99.6 % of a Gaussian star, and colours of which the seeing differs stay comparable."""
RING = (2.5, 4.5)
FAINTEST = 20.0
"""Signal to noise in green below which a star tells little of its colour."""


@dataclass(frozen=True, eq=False)
class StarColours:
    """Stars of an image, brightest first, and their light in its channels."""

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    """(n, channels), above the sky around the star."""
    error: np.ndarray
    """Standard errors of the fluxes, (n, channels)."""


def measure_star_colours(image: Image, most: int = 300, snr: float = FAINTEST) -> StarColours:
    """Aperture photometry of the unsaturated stars in every channel of a linear image.

    Stars are found in the mean of the channels. Apertures of 1.6 FWHM, the sky from the median of a ring around each
    (2.5 to 4.5 FWHM); stars whose ring or aperture touches the border or pixels without a number are left out, and such
    beside a brighter star.
    """
    excluded = has(np.bitwise_or.reduce(image.flags, axis=0), EXCLUDED)
    full = saturation_of(image)
    with np.errstate(invalid="ignore"):
        grey = image.data.mean(axis=0)
    found, _ = find_stars(grey, FindStars(max_stars=4 * most), excluded=excluded)
    # Fainter stars need no place of their own, but a bright neighbour spoils its surroundings for all.
    fwhm = float(np.median(found.fwhm)) if len(found) else 3.0
    kept = _apart(found, (APERTURE + 1) * fwhm)
    found = found.take(kept[found.snr[kept] >= snr])
    bad = excluded | has(np.bitwise_or.reduce(image.flags, axis=0), Flag.SATURATED)
    rows = [_one(image.data, bad, full, x, y, fwhm) for x, y in zip(found.x.tolist(), found.y.tolist())]
    good = [i for i, row in enumerate(rows) if row is not None][:most]
    channels = image.shape[0]
    flux = np.array([rows[i][0] for i in good]).reshape(-1, channels)  # type: ignore[index]
    error = np.array([rows[i][1] for i in good]).reshape(-1, channels)  # type: ignore[index]
    return StarColours(found.x[good], found.y[good], flux, error)


def _apart(stars: Stars, distance: float) -> np.ndarray:
    """Indices of stars without a comparable or brighter neighbour within a distance."""
    from scipy.spatial import cKDTree

    if not len(stars):
        return np.empty(0, int)
    tree = cKDTree(stars.positions)
    near = tree.query_ball_point(stars.positions, distance)
    return np.array(
        [i for i, others in enumerate(near) if all(stars.flux[o] < 0.02 * stars.flux[i] for o in others if o != i)], int
    )


def _one(
    data: np.ndarray, bad: np.ndarray, full: float, x: float, y: float, fwhm: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Flux and error in each channel; None where the star cannot be measured."""
    outer = int(np.ceil(RING[1] * fwhm)) + 1
    left, top = round(x) - outer, round(y) - outer
    size = 2 * outer + 1
    if left < 0 or top < 0 or left + size > data.shape[2] or top + size > data.shape[1]:
        return None
    part = data[:, top : top + size, left : left + size].astype(np.float64)
    hidden = bad[top : top + size, left : left + size]
    dy, dx = np.mgrid[:size, :size]
    radius = np.hypot(dx + left - x, dy + top - y)
    # A pixel on the rim counts by the part of it that lies inside, to first order.
    weight = np.clip(APERTURE * fwhm + 0.5 - radius, 0, 1)
    ring = (radius > RING[0] * fwhm) & (radius < RING[1] * fwhm) & ~hidden
    if hidden[weight > 0].any() or part[:, weight > 0].max() > FULL * full or np.count_nonzero(ring) < 20:
        return None
    around = part[:, ring]
    sky = np.median(around, axis=1)
    noise = 1.4826 * np.median(np.abs(around - sky[:, None]), axis=1)
    for _ in range(3):
        # Stars in the ring lift its median; what is above 2.5 sigma is theirs.
        inside = np.abs(around - sky[:, None]) <= 2.5 * noise[:, None] + 1e-12
        sky = np.array([np.mean(values[k]) for values, k in zip(around, inside)])
    light = ((part - sky[:, None, None]) * weight).sum(axis=(1, 2))
    area = weight.sum()
    error = noise * np.sqrt(area * (1 + area / around.shape[1]))
    return light, error


def saturation_of(image: Image) -> float:
    """Level in the unit of the image from which pixels are full; infinity where it is not known."""
    if image.unit == PixelUnit.NORMALISED:
        return 1.0
    full = image.meta.saturation
    if full and image.unit == PixelUnit.ELECTRON:
        full = full * image.meta.gain if image.meta.gain else None
    return full if full and full > 0 else np.inf


def of_stars(image: Image) -> np.ndarray:
    """Factors for red, green and blue that make the median colour of the stars white; 1 for green.

    Raises
    ------
    InputError
        Fewer than three stars that can be measured.
    """
    stars = measure_star_colours(image)
    usable = (stars.flux > 5 * stars.error).all(axis=1) & (stars.flux > 0).all(axis=1)
    if np.count_nonzero(usable) < FEWEST:
        raise InputError(
            f"color:whitebalance: {np.count_nonzero(usable)} stars can be measured in all colours; {FEWEST} are "
            "needed; use source=background, or factors"
        )
    flux = stars.flux[usable]
    return np.exp(np.median(np.log(flux[:, 1:2] / flux), axis=0))
