"""Curve of growth: how much of a star's light a round aperture holds, which radius is best, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.photometry import MAG_PER_SHARE, Photometry
from firstlight.ops.catalog.noise import flux_variance

STEPS = np.round(np.geomspace(0.4, 4.5, 22), 3)
"""Radii of the curve, FWHM."""
FEWEST = 3
BRIGHT = 25.0
"""SNR that a ratio of two apertures needs."""


@dataclass(frozen=True, eq=False)
class Growth:
    """Share of a star's light within a radius; the largest radius holds all of it by definition."""

    radii: np.ndarray
    """px, rising."""
    share: np.ndarray
    error: np.ndarray
    """Standard error of the shares."""
    n_stars: int

    def share_at(self, radius: float) -> float:
        """Share of the light within a radius, px."""
        return float(np.interp(radius, np.concatenate([[0.0], self.radii]), np.concatenate([[0.0], self.share])))

    def error_at(self, radius: float) -> float:
        return float(np.interp(radius, self.radii, self.error))

    def correction(self, radius: float) -> float:
        """What must be added to a magnitude in this aperture, mag: at most 0."""
        return 2.5 * float(np.log10(self.share_at(radius)))

    def correction_error(self, radius: float) -> float:
        return float(MAG_PER_SHARE * self.error_at(radius) / self.share_at(radius))


def curve_of_growth(measured: Photometry) -> Growth:
    """The curve from stars measured in many rising apertures, all stars in the same.

    Each step from one radius to the next is the median of its ratio over the stars that are bright enough there; the
    curve is the product of the steps outwards (as Stetson 1990 does it, without his model): a neighbour that enters a
    star's wide apertures spoils these steps of one star alone.

    Raises
    ------
    FrameError
        Fewer than 3 stars can be used.
    """
    good = np.isfinite(measured.flux).all(axis=1) & (measured.snr > BRIGHT / 3).any(axis=1)
    flux, snr = measured.flux[good], measured.snr[good]
    if len(flux) < FEWEST:
        raise FrameError(
            f"curve of growth: {len(flux)} stars are bright and clear enough; {FEWEST} are needed; "
            "choose apertures by width or fixed"
        )
    radii = measured.radius[good][0]
    share, variance = np.ones(len(radii)), np.zeros(len(radii))
    for k in range(len(radii) - 2, -1, -1):
        usable = (snr[:, k + 1] > BRIGHT) & (flux[:, k + 1] > 0)
        if usable.sum() < FEWEST:
            # The brightest there are.
            usable = np.zeros(len(flux), bool)
            usable[np.argsort(-snr[:, k + 1])[:FEWEST]] = True
        ratio = flux[usable, k] / flux[usable, k + 1]
        step = float(np.median(ratio))
        scatter = 1.4826 * float(np.median(np.abs(ratio - step)))
        share[k] = share[k + 1] * min(step, 1.0)
        variance[k] = variance[k + 1] + (1.2533 * scatter / max(step, 1e-6)) ** 2 / len(ratio)
    return Growth(radii, share, share * np.sqrt(variance), len(flux))


def best_radius(
    growth: Growth, flux: float, pixel: float, n_sky: float, gain: float | None, smallest: float = 1.0
) -> float:
    """Radius of the best signal to noise for a star of this whole flux, px.

    Faint stars, which the sky drowns, want about 0.7 FWHM; bright ones want all of their light.

    Parameters
    ----------
    pixel : variance of a pixel of the sky.
    """
    radii = np.linspace(max(smallest, growth.radii[0]), growth.radii[-1], 200)
    inside = flux * np.array([growth.share_at(r) for r in radii])
    variance = flux_variance(inside, np.pi * radii**2, np.asarray(n_sky), np.asarray(pixel), gain)
    return float(radii[int(np.argmax(inside / np.sqrt(variance)))])
