"""A table of everything that was measured of the stars of one image."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np


def _column(unit: str, about: str, digits: int | None = None) -> np.ndarray:
    return field(metadata={"unit": unit, "about": about, "digits": digits})  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class StarTable:
    """Stars, brightest first; every column is an array of equal length, NaN where a thing could not be measured.

    ``unit`` of a flux is that of the image. Positions are 0-based with pixel centres at whole numbers.
    """

    x: np.ndarray = _column("px", "centre, 0-based", 4)
    y: np.ndarray = _column("px", "centre, 0-based", 4)
    x_error: np.ndarray = _column("px", "standard error of x", 4)
    y_error: np.ndarray = _column("px", "standard error of y", 4)
    flux: np.ndarray = _column("flux", "all light, by the PSF (without one: by the profile)", 3)
    flux_error: np.ndarray = _column("flux", "standard error of flux", 3)
    aperture_flux: np.ndarray = _column("flux", "light within the aperture above the ring of sky", 3)
    aperture_error: np.ndarray = _column("flux", "standard error of aperture_flux", 3)
    aperture_radius: np.ndarray = _column("px", "radius of the aperture", 2)
    sky: np.ndarray = _column("flux", "level of the sky at the star, per pixel", 3)
    peak: np.ndarray = _column("flux", "brightest pixel above the sky", 3)
    snr: np.ndarray = _column("", "flux over its standard error", 2)
    fwhm: np.ndarray = _column("px", "width at half maximum, geometric mean of both axes", 4)
    fwhm_error: np.ndarray = _column("px", "standard error of fwhm", 4)
    fwhm_x: np.ndarray = _column("px", "width along x", 4)
    fwhm_y: np.ndarray = _column("px", "width along y", 4)
    hfr: np.ndarray = _column("px", "radius that holds half of the light", 4)
    eccentricity: np.ndarray = _column("", "sqrt(1 - b^2/a^2)", 4)
    axis_ratio: np.ndarray = _column("", "short axis over long axis", 4)
    angle: np.ndarray = _column("deg", "of the long axis, from x towards y", 2)
    chi: np.ndarray = _column("", "chi^2 per degree of freedom of the PSF's fit", 3)
    saturated: np.ndarray = _column("", "a pixel of the star is full")
    blended: np.ndarray = _column("", "fitted together with a neighbour")
    companion: np.ndarray = _column("", "seen only once its neighbour was taken away")
    near_edge: np.ndarray = _column("", "part of it lies beyond the edge or on flagged pixels")

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> StarTable:
        """The stars at these indices (or where a boolean array is True)."""
        return StarTable(**{f.name: getattr(self, f.name)[index] for f in fields(self)})
