"""What a telescope would show of an invented sky: stars, smooth light, cosmic rays and trails, without any file.

Every function takes its random numbers from the generator it is given, and returns plain arrays. Positions are
(x, y), 0-based, with pixel centres at integers.
"""

from __future__ import annotations

import math

import numpy as np

from firstlight.errors import InputError
from firstlight.kernels import scene as kernels

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
MONO = np.zeros((2, 2), np.int64)
"""The CFA cell of a sensor without colours: every pixel has channel 0."""


def render_stars(
    shape: tuple[int, int],
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    fwhm: np.ndarray | float,
    *,
    beta: float | None = None,
    ellipticity: np.ndarray | float = 0.0,
    angle: np.ndarray | float = 0.0,
    cell: np.ndarray | None = None,
    floor: float = 0.0,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Stars integrated over pixels, as (y, x) float64, or added to ``out``.

    Parameters
    ----------
    shape
        (height, width), px.
    flux
        Total flux of each star, (n,), or (n, channels) together with ``cell``, the (2, 2) channels of the CFA cell.
    fwhm
        Full width at half maximum, px, geometric mean of both axes; a number or one for each star.
    beta
        Exponent of a Moffat profile (> 1); None for a Gaussian.
    ellipticity
        1 - short axis / long axis; ``angle`` is that of the long axis, degrees from x towards y.
    floor
        Light below this in a pixel is not drawn (but never more than 3 % of a star for beta = 4); what is cut off the
        wing of a Moffat star is given back to the rest, so that its flux stays right. 0 draws all but 1e-5 of a star.

    out
        float32 or float64 (y, x), changed in place and returned.

    Raises
    ------
    InputError
        For a width, exponent or ellipticity that no star can have.

    References
    ----------
    Moffat 1969, A&A 3, 455.

    Examples
    --------
    >>> stars = render_stars((33, 33), [16.2], [15.7], [1000.0], 3.0)
    >>> bool(abs(stars.sum() - 1000.0) < 0.01)
    True
    """
    x, y = (np.ascontiguousarray(np.atleast_1d(v), dtype=np.float64) for v in (x, y))
    flux = np.asarray(flux, dtype=np.float64)
    flux = np.ascontiguousarray(np.broadcast_to(flux, x.shape)[:, None] if flux.ndim < 2 else flux)
    fwhm, ellipticity, angle = (np.broadcast_to(np.asarray(v, float), x.shape) for v in (fwhm, ellipticity, angle))
    if np.any(fwhm <= 0) or np.any((ellipticity < 0) | (ellipticity >= 1)) or (beta is not None and beta <= 1):
        raise InputError("stars: fwhm must be above 0, ellipticity from 0 to below 1, beta above 1")
    long = fwhm / np.sqrt(1.0 - ellipticity)
    short = long * (1.0 - ellipticity)
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    brightest = flux.max(axis=1) if len(flux) else np.zeros(0)
    out = np.zeros(shape) if out is None else out
    cell = MONO if cell is None else np.asarray(cell, dtype=np.int64)
    if beta is None:
        a, b = (long / FWHM_PER_SIGMA) ** 2, (short / FWHM_PER_SIGMA) ** 2
        covariance = _turned(a, b, cosine, sine)
        covariance[ellipticity == 0, 1] = 0.0
        peak = brightest / (2.0 * np.pi * np.sqrt(a * b))
        radius = np.sqrt(-2.0 * np.log(_fraction_below(floor, peak, 1e-6, 1e-3)) * a)
        kernels.add_gaussian_stars(out, x, y, flux, cell, covariance, radius)
        return out
    half = 2.0 * math.sqrt(2.0 ** (1.0 / beta) - 1.0)
    a, b = (long / half) ** -2, (short / half) ** -2
    form = _turned(a, b, cosine, sine)
    peak = brightest * (beta - 1.0) / np.pi * np.sqrt(a * b)
    lost = _fraction_below(floor, peak, 1e-5 ** (beta / (beta - 1.0)), 1e-2) ** ((beta - 1.0) / beta)
    reach = lost ** (1.0 / (1.0 - beta)) - 1.0
    if floor > 0:
        flux = flux / (1.0 - lost)[:, None]
    kernels.add_moffat_stars(out, x, y, flux, cell, form, reach, float(beta))
    return out


def _turned(a: np.ndarray, b: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    # (xx, xy, yy) of the matrix diag(a, b), turned
    return np.column_stack([a * cosine**2 + b * sine**2, (a - b) * cosine * sine, a * sine**2 + b * cosine**2])


def _fraction_below(floor: float, peak: np.ndarray, least: float, most: float) -> np.ndarray:
    # Fraction of the peak at which a profile is cut.
    return np.clip(max(floor, 0.0) / np.maximum(peak, 1e-30), least, most)


def random_field(
    rng: np.random.Generator,
    n: int,
    shape: tuple[int, int],
    flux: tuple[float, float] = (50.0, 1e5),
    slope: float = 0.8,
    margin: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stars at random places with a power law of brightness: positions x, y and fluxes, brightest first.

    The number of stars above a flux F goes as F^-slope between the limits of ``flux``; counts of real stars,
    10^(0.3 to 0.4 magnitude), have slopes of 0.75 to 1. ``margin`` px around the frame are filled too.

    >>> x, y, flux = random_field(np.random.default_rng(1), 100, (50, 80))
    >>> len(x), bool(flux[0] >= flux[-1])
    (100, True)
    """
    height, width = shape
    x = rng.uniform(-0.5 - margin, width - 0.5 + margin, n)
    y = rng.uniform(-0.5 - margin, height - 0.5 + margin, n)
    faint, bright = (float(limit) ** -slope for limit in flux)
    values = (faint - rng.random(n) * (faint - bright)) ** (-1.0 / slope)
    return x, y, np.sort(values)[::-1]


def blackbody(temperature: np.ndarray, wavelength: float) -> np.ndarray:
    """Photons of a black body (K) at a wavelength (nm) against those at 550 nm.

    >>> cool, hot = blackbody(np.array([3000.0, 10000.0]), 450.0)
    >>> bool(cool < 1 < hot)
    True
    """
    temperature = np.asarray(temperature, dtype=np.float64)
    second_radiation_constant = 1.438777e7  # nm K

    def photons(at: float) -> np.ndarray:
        return 1.0 / (at**4 * np.expm1(second_radiation_constant / (at * temperature)))

    return photons(wavelength) / photons(550.0)


def star_temperatures(rng: np.random.Generator, n: int) -> np.ndarray:
    """Temperatures of field stars, K: most are like the Sun or cooler, a few are hot and blue."""
    hot = rng.random(n) < 0.22
    cool = np.exp(rng.normal(np.log(4900.0), 0.2, n))
    return np.clip(np.where(hot, np.exp(rng.normal(np.log(9500.0), 0.3, n)), cool), 2700.0, 30000.0)


def cosmic_rays(
    rng: np.random.Generator, shape: tuple[int, int], n: int, electrons: float = 1500.0
) -> tuple[np.ndarray, np.ndarray]:
    """Tracks of ``n`` particles: flat pixel numbers (sorted, each once) and the charge left there, e-.

    Most tracks are a few pixels long, some tens; the charge has a long tail around the median ``electrons``. Charge is
    whole electrons with sharp edges: no star looks like that.
    """
    height, width = shape
    pixels, charges = [], []
    for _ in range(n):
        length = min(rng.exponential(3.5), 60.0)
        angle = rng.uniform(0.0, np.pi)
        x, y = rng.uniform(-0.5, width - 0.5), rng.uniform(-0.5, height - 0.5)
        steps = int(np.ceil(length * 8)) + 1
        along = np.linspace(0.0, length, steps)
        curve = rng.normal(0.0, 0.02) * along**2 / max(length, 1.0)
        columns = np.rint(x + along * np.cos(angle) - curve * np.sin(angle)).astype(np.int64)
        rows = np.rint(y + along * np.sin(angle) + curve * np.cos(angle)).astype(np.int64)
        charge = electrons * rng.lognormal(0.0, 0.8) * rng.gamma(2.0, 0.5, steps) / steps * max(1.0, length / 3.0)
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        pixels.append(rows[inside] * width + columns[inside])
        charges.append(charge[inside])
    if not pixels:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    index, inverse = np.unique(np.concatenate(pixels), return_inverse=True)
    charge = np.rint(np.bincount(inverse, np.concatenate(charges), len(index))).astype(np.float32)
    return index[charge > 0], charge[charge > 0]


def trail(
    shape: tuple[int, int],
    x: float,
    y: float,
    angle: float,
    brightness: float,
    fwhm: float = 3.0,
    *,
    swing: float = 0.0,
    period: float = 200.0,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """A straight trail through (x, y) at ``angle`` degrees, ``brightness`` per px of its length, (y, x) float64.

    ``swing`` (0 to 1) and ``period`` (px) let the light of a tumbling satellite rise and fall. With ``out`` the trail
    is added to that array.
    """
    out = np.zeros(shape) if out is None else out
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    kernels.add_trail(out, float(x), float(y), cosine, sine, fwhm / FWHM_PER_SIGMA, brightness, swing, float(period))
    return out


def trail_mask(shape: tuple[int, int], x: float, y: float, angle: float, half_width: float) -> np.ndarray:
    """Boolean (y, x): pixels nearer than ``half_width`` px to the line of a trail."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.abs((columns - x) * sine - (rows - y) * cosine) <= half_width


def sky_coefficients(level: float, gradient: float, angle: float, bowl: float = 0.0) -> np.ndarray:
    """Coefficients of 1, x, y, x^2, xy, y^2 (x, y from -1 to 1 over the frame) of a sky with a gradient.

    ``gradient`` is the rise from one edge to the other along ``angle`` (degrees from x towards y), ``bowl`` the rise
    from the centre to the edge, both as fractions of ``level``.
    """
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    half = 0.5 * gradient * level
    # Light pollution steepens towards the horizon: a quarter of the slope again as curvature along it.
    bend = 0.25 * half
    return np.array(
        [
            level - bend / 3.0 - 2.0 * bowl * level / 3.0,
            half * cosine,
            half * sine,
            bend * cosine**2 + bowl * level,
            2.0 * bend * cosine * sine,
            bend * sine**2 + bowl * level,
        ]
    )


def sky_gradient(
    shape: tuple[int, int], level: float, gradient: float, angle: float = 0.0, bowl: float = 0.0
) -> np.ndarray:
    """The plane of `sky_coefficients`, (y, x) float64; its mean is ``level``.

    >>> bool(abs(sky_gradient((101, 151), 20.0, 0.3, 30.0).mean() - 20.0) < 0.01)
    True
    """
    c = sky_coefficients(level, gradient, angle, bowl)
    v, u = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return c[0] + c[1] * u + c[2] * v + c[3] * u * u + c[4] * u * v + c[5] * v * v
