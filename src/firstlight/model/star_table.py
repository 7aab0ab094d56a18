"""A table of everything that was measured of the stars of one image."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

COLUMNS: dict[str, tuple[str, str, int | None]] = {
    "x": ("px", "centre, 0-based", 4),
    "y": ("px", "centre, 0-based", 4),
    "x_error": ("px", "standard error of x", 4),
    "y_error": ("px", "standard error of y", 4),
    "flux": ("flux", "all light, by the PSF (without one: by the profile)", 3),
    "flux_error": ("flux", "standard error of flux", 3),
    "aperture_flux": ("flux", "light within the aperture above the ring of sky", 3),
    "aperture_error": ("flux", "standard error of aperture_flux", 3),
    "aperture_radius": ("px", "radius of the aperture", 2),
    "sky": ("flux", "level of the sky at the star, per pixel", 3),
    "peak": ("flux", "brightest pixel above the sky", 3),
    "snr": ("", "flux over its standard error", 2),
    "fwhm": ("px", "width at half maximum, geometric mean of both axes", 4),
    "fwhm_error": ("px", "standard error of fwhm", 4),
    "fwhm_x": ("px", "width along x", 4),
    "fwhm_y": ("px", "width along y", 4),
    "hfr": ("px", "radius that holds half of the light", 4),
    "eccentricity": ("", "sqrt(1 - b^2/a^2)", 4),
    "axis_ratio": ("", "short axis over long axis", 4),
    "angle": ("deg", "of the long axis, from x towards y", 2),
    "chi": ("", "chi^2 per degree of freedom of the PSF's fit", 3),
    "saturated": ("", "a pixel of the star is full", None),
    "blended": ("", "fitted together with a neighbour", None),
    "companion": ("", "seen only once its neighbour was taken away", None),
    "near_edge": ("", "part of it lies beyond the edge or on flagged pixels", None),
}
"""Name to unit (``flux``: that of the image), meaning, and digits behind the decimal point."""


@dataclass(frozen=True, eq=False)
class StarTable:
    """Stars, brightest first; every column is an array of equal length, NaN where a thing could not be measured.

    What each means stands in `COLUMNS`. Positions are 0-based with pixel centres at whole numbers.
    """

    x: np.ndarray
    y: np.ndarray
    x_error: np.ndarray
    y_error: np.ndarray
    flux: np.ndarray
    flux_error: np.ndarray
    aperture_flux: np.ndarray
    aperture_error: np.ndarray
    aperture_radius: np.ndarray
    sky: np.ndarray
    peak: np.ndarray
    snr: np.ndarray
    fwhm: np.ndarray
    fwhm_error: np.ndarray
    fwhm_x: np.ndarray
    fwhm_y: np.ndarray
    hfr: np.ndarray
    eccentricity: np.ndarray
    axis_ratio: np.ndarray
    angle: np.ndarray
    chi: np.ndarray
    saturated: np.ndarray
    blended: np.ndarray
    companion: np.ndarray
    near_edge: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> StarTable:
        """The stars at these indices (or where a boolean array is True)."""
        return StarTable(**{f.name: getattr(self, f.name)[index] for f in fields(self)})
