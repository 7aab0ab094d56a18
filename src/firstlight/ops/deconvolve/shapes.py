"""Point spread functions in closed form, integrated over pixels."""

from __future__ import annotations

import numpy as np

from firstlight.model.bell import Bell

MOST_HALF = 64
"""px: kernels reach no further from their middle."""


def gaussian_kernel(sigma: float) -> np.ndarray:
    """float64 (odd, odd), sum 1; it ends at 4 sigma.

    >>> round(float(gaussian_kernel(1.0).sum()), 12)
    1.0
    """
    return _of_bell(Bell(2.3548200450309493 * sigma), 4 * sigma + 0.5)


def moffat_kernel(fwhm: float, beta: float, eccentricity: float = 0.0, angle: float = 0.0) -> np.ndarray:
    """A Moffat profile, to where 0.1 % of its light lies outside (at most 64 px)."""
    bell = Bell(fwhm, eccentricity, angle, beta)
    reach = fwhm
    while bell.within(reach) < 0.999 and reach < MOST_HALF:
        reach *= 1.2
    return _of_bell(bell, reach)


def airy_kernel(radius: float, obstruction: float, seeing: float) -> np.ndarray:
    """Diffraction of a round aperture with a round obstruction (share of the diameter), ``radius`` px to the first dark
    ring without it, blurred by a Gaussian of sigma ``seeing`` px; sampled at fifths of a pixel, and integrated."""
    from scipy.ndimage import gaussian_filter
    from scipy.special import j1

    fine = 5
    half = int(np.clip(np.ceil(6 * radius + 4 * seeing), 3, MOST_HALF))
    at = (np.arange(fine * (2 * half + 1)) - (fine * (2 * half + 1) - 1) / 2) / fine
    v = 3.8317059702 / radius * np.hypot(at[:, None], at[None, :])
    v = np.maximum(v, 1e-9)

    def disc(x: np.ndarray) -> np.ndarray:
        return 2 * j1(x) / x

    light = (disc(v) - obstruction**2 * disc(obstruction * v)) ** 2 if obstruction > 0 else disc(v) ** 2
    if seeing > 0:
        light = gaussian_filter(light, seeing * fine, mode="constant")
    kernel = light.reshape(2 * half + 1, fine, 2 * half + 1, fine).sum(axis=(1, 3))
    return kernel / kernel.sum()


def box_kernel(side: float) -> np.ndarray:
    """A square of this side, px: what a drizzled pixel (``pixfrac`` times the scale) is smeared over.

    >>> box_kernel(2.0)[1].round(3).tolist()
    [0.125, 0.25, 0.125]
    """
    half = int(np.ceil((side - 1) / 2)) if side > 1 else 1
    edges = np.arange(-half, half + 2) - 0.5
    line = np.diff(np.clip(edges, -side / 2, side / 2))
    kernel = np.outer(line, line)
    return kernel / kernel.sum()


def sum_of(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Two kernels, the second with this share of the light."""
    side = max(len(first), len(second))
    padded = [np.pad(each, (side - len(each)) // 2) for each in (first, second)]
    return (1 - share) * padded[0] + share * padded[1]


def _of_bell(bell: Bell, reach: float) -> np.ndarray:
    half = int(np.clip(np.ceil(reach), 1, MOST_HALF))
    offsets = np.arange(-half, half + 1)
    kernel = bell.in_pixels(offsets[None, :], offsets[:, None])
    return kernel / kernel.sum()
