"""How well a flux is known: the detector, the sky and the air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.model.photometry import MAG_PER_SHARE

DIGITIZATION = 0.289
"""adu: standard deviation of rounding to whole numbers, 1 / sqrt(12)."""
MEDIAN_TURBULENCE = 1.56
"""Of scintillation: the median of thirteen observatories (Osborn et al. 2015); 1.5 is Young's classical value."""
SCALE_HEIGHT = 8000.0
"""m, of the air's turbulence."""


def pixel_variance(
    sky: np.ndarray, gain: float, read_noise: float = 0.0, dark: float = 0.0, rounding: float = DIGITIZATION
) -> np.ndarray:
    """Variance of a pixel of the sky in adu squared: photons of sky and dark, reading, rounding.

    Parameters
    ----------
    sky, dark : levels in adu that were counted (dark: also where it has been subtracted).
    gain : e-/adu.
    read_noise : e-.
    """
    return (np.maximum(sky, 0.0) + dark) / gain + (read_noise / gain) ** 2 + rounding**2


def flux_variance(
    flux: np.ndarray, area: np.ndarray, n_sky: np.ndarray, pixel: np.ndarray, gain: float | None,
    squares: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Variance of a flux in an aperture, adu squared (Merline & Howell 1995).

    Photons of the star (left out where the ``gain`` is not known), noise of the pixels in the aperture, and that of the
    sky level which is taken off each of them: ``F/G + n (1 + n/n_sky) pixel``.

    Parameters
    ----------
    pixel : variance of a pixel of the sky, with all that makes it: measured, or `pixel_variance`.
    squares : sum of squared shares of the pixels; at the rim of a circle it is below the area.

    >>> float(flux_variance(1000.0, 10.0, 100.0, 4.0, 2.0))
    544.0
    """
    photons = np.maximum(flux, 0.0) / gain if gain else 0.0
    return photons + pixel * ((area if squares is None else squares) + area**2 / np.maximum(n_sky, 1.0))


def scintillation(diameter: float, airmass: np.ndarray, exposure: np.ndarray, elevation: float = 0.0) -> np.ndarray:
    """Relative standard deviation of a star's light by the air alone.

    Young's formula as corrected by Osborn et al. (2015, MNRAS 452, 1707), with the median turbulence of large
    observatories.

    Parameters
    ----------
    diameter : of the telescope, mm.
    exposure : s.
    elevation : of the site, m.

    >>> round(float(scintillation(1000.0, 1.0, 10.0)), 6)
    0.00156
    """
    squared = (
        1e-5 * MEDIAN_TURBULENCE**2 * (diameter / 1000.0) ** (-4 / 3) / np.asarray(exposure, np.float64)
        * np.asarray(airmass, np.float64) ** 3 * np.exp(-2.0 * elevation / SCALE_HEIGHT)
    )  # fmt: skip
    return np.sqrt(squared)


@dataclass(frozen=True)
class NoiseModel:
    """Scatter of stars by their brightness: ``sky + 1/(gain flux) + floor``, of squared magnitudes."""

    gain: float | None
    """e-/adu; None: not known, and not to be told from the scatter."""
    is_measured: bool
    """The gain was found from the scatter."""
    floor: float
    """mag: what flat field, pixels and air add to all stars alike."""
    n_stars: int

    def error(self, flux: np.ndarray, sky: np.ndarray) -> np.ndarray:
        """Standard error of magnitudes; ``sky`` is the part of the pixels, mag."""
        with np.errstate(invalid="ignore", divide="ignore"):
            photons = MAG_PER_SHARE**2 / (self.gain * np.where(flux > 0, flux, np.nan)) if self.gain else 0.0
        return np.sqrt(np.square(sky) + photons + self.floor**2)


def fit_noise(flux: np.ndarray, sky: np.ndarray, scatter: np.ndarray, gain: float | None) -> NoiseModel:
    """Fit the noise of constant stars: the floor, and the gain where it is not known.

    Least squares with no part below zero, of the logarithm of the squared scatter (a scatter of few values is off by a
    factor, not by a summand); variable stars are clipped.

    Parameters
    ----------
    flux : adu, of each star.
    sky : mag, the error that the pixels alone cause.
    scatter : mag, measured over the frames.
    """
    from scipy.optimize import least_squares

    good = np.isfinite(flux) & np.isfinite(sky) & np.isfinite(scatter) & (flux > 0) & (scatter > 0)
    flux, sky, scatter = flux[good], sky[good], scatter[good]
    known = sky**2 + (MAG_PER_SHARE**2 / (gain * flux) if gain else 0.0)
    if len(flux) < 3:
        return NoiseModel(gain, False, 0.0, len(flux))
    middle = float(np.median(flux))
    rest = max(float(np.median(scatter**2 - known)), 1e-9)
    is_measured = not gain and len(flux) >= 8
    # Parameters are roots, so that no part is below zero.
    start = np.sqrt([rest / 2] * (2 if is_measured else 1))

    def model(p: np.ndarray) -> np.ndarray:
        return known + p[0] ** 2 + (p[1] ** 2 * middle / flux if is_measured else 0.0)

    found = least_squares(
        lambda p: np.log(scatter**2) - np.log(model(p) + 1e-12), start, loss="soft_l1", f_scale=0.7
    ).x  # fmt: skip
    if is_measured:
        share = found[1] ** 2 * middle
        gain = MAG_PER_SHARE**2 / share if share > 1e-12 else None
    return NoiseModel(gain, is_measured and gain is not None, float(abs(found[0])), len(flux))
