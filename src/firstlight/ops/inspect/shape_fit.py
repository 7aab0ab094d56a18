"""The Gaussian or Moffat profile nearest to a measured point spread function."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.bell import Bell
from firstlight.model.psf import Psf, cubic_spline

BETAS = (1.3, 20.0)
"""Exponents of a Moffat profile that are looked for; above, it is a Gaussian."""


def fit_bell(psf: Psf, x: float, y: float, *, moffat: bool) -> tuple[Bell, tuple[float, float]]:
    """The nearest profile at a place of the image, and where its centre lies against that of the PSF, px.

    Least squares over the PSF as sampled at half pixels, out to two FWHM; the profile is integrated over the pixels, so
    that its width is that of the star before they sampled it.

    Raises
    ------
    FrameError
        Nothing fits.
    """
    from scipy.optimize import least_squares

    guess = psf.fwhm
    reach = min(max(2.0 * guess, 3.0), psf.radius)
    offsets = np.arange(-math.floor(2 * reach), math.floor(2 * reach) + 1) / 2
    values = _sampled(psf, x, y, offsets)
    dx, dy = offsets[None, :], offsets[:, None]
    near = np.hypot(dx, dy) <= reach
    peak = float(values.max())
    if not peak > 0:
        raise FrameError("psf: it has no peak; there is no star in it")

    def bell_of(p: np.ndarray) -> Bell:
        return Bell.of_shape(math.exp(p[0]), p[1], p[2], math.exp(p[6]) if moffat else math.inf)

    def off(p: np.ndarray) -> np.ndarray:
        model = p[5] * bell_of(p).in_pixels(dx - p[3], dy - p[4])
        return ((model - values) / peak)[near]

    start = [math.log(guess), 0.01, 0.01, 0.0, 0.0, 1.0]
    low, high = [math.log(0.3), -0.98, -0.98, -reach, -reach, 0.01], [math.log(60.0), 0.98, 0.98, reach, reach, 100.0]
    if moffat:
        start, low, high = [*start, math.log(3.5)], [*low, math.log(BETAS[0])], [*high, math.log(BETAS[1])]
    solution = least_squares(off, start, bounds=(low, high), x_scale="jac", max_nfev=60)
    bell = replace(bell_of(solution.x), misfit=float(np.sqrt(np.mean(solution.fun**2))))
    return bell, (float(solution.x[3]), float(solution.x[4]))


def _sampled(psf: Psf, x: float, y: float, offsets: np.ndarray) -> np.ndarray:
    m = psf.coefficients.shape[1]
    taps = cubic_spline((offsets * psf.oversampling + m // 2)[:, None] - np.arange(m)[None, :])
    return taps @ psf.surface_at(x, y) @ taps.T
