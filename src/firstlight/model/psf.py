"""The point spread function of an image: what one star looks like, wherever it lies in the field and in its pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.model.bell import Bell

NO_WINGS = 15.0
"""A Moffat profile of such an exponent is a Gaussian."""


@dataclass(frozen=True, eq=False)
class Psf:
    """A measured point spread function, pixels included: the effective PSF of Anderson & King (2000).

    A surface of cubic B-splines over the offset from the star's centre; each of its coefficients is a polynomial of the
    place in the field. `kernel` is what most uses want.

    >>> psf = Psf.of_bell(Bell(2.5), (100, 100))
    >>> psf.kernel.shape[0] % 2, round(float(psf.kernel.sum()), 9), bool(psf.kernel.argmax() == psf.kernel.size // 2)
    (1, 1.0, True)
    """

    coefficients: np.ndarray
    """float64 (terms, m, m): of the splines, m odd, the star's centre on the middle one; share of light per pixel."""
    oversampling: int
    """Splines per px."""
    shape: tuple[int, int]
    """(height, width) of the image it was measured on."""
    gaussian: Bell
    """The Gaussian nearest to it in the middle of the image."""
    moffat: Bell
    """The Moffat profile nearest to it in the middle of the image."""
    n_stars: int = 0
    """Stars it was made of; 0: given in closed form."""
    misfit: float = float("nan")
    """Median chi^2 per degree of freedom of those stars."""

    @classmethod
    def of_bell(cls, bell: Bell, shape: tuple[int, int], radius: float | None = None) -> Psf:
        """The PSF of a profile in closed form, the same everywhere."""
        oversampling = splines_per_px(bell.fwhm)
        offsets = nodes(radius_for(bell.fwhm) if radius is None else radius, oversampling)
        surface = bell.in_pixels(offsets[None, :], offsets[:, None])
        return cls(as_splines(surface)[None], oversampling, shape, bell, bell)

    @property
    def fwhm(self) -> float:
        """px, in the middle of the image, before the pixels sampled it: that of the nearest closed form."""
        return self.bell.fwhm

    @property
    def bell(self) -> Bell:
        """The nearest closed form: a Moffat profile, unless its wings are hardly those of one."""
        return self.gaussian if self.moffat.beta > NO_WINGS else self.moffat

    @property
    def degree(self) -> int:
        """Of the polynomial over the field; 0: the same everywhere."""
        return round((np.sqrt(8 * len(self.coefficients) + 1) - 3) / 2)

    @property
    def radius(self) -> int:
        """px from the centre to the edge of the pixels it tells of."""
        return (self.coefficients.shape[1] // 2 - 2) // self.oversampling

    @property
    def kernel(self) -> np.ndarray:
        """float64 (odd, odd), sum 1: a star in the middle of the image, centred on a pixel."""
        return self.kernel_at((self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2)

    def kernel_at(self, x: float, y: float) -> np.ndarray:
        """The same at another place of the image, px."""
        stamp = self.stamp(x, y)
        return stamp / stamp.sum()

    def terms(self, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
        """Value of each term of the polynomial at places of the image, (n, terms)."""
        return field_terms(np.atleast_1d(x), np.atleast_1d(y), self.shape, self.degree)

    def surface_at(self, x: float, y: float) -> np.ndarray:
        """Coefficients of the splines for a star at this place, (m, m)."""
        return np.tensordot(self.terms(x, y)[0], self.coefficients, 1)

    def stamp(self, x: float, y: float, dx: float = 0.0, dy: float = 0.0, radius: int | None = None) -> np.ndarray:
        """Share of a star's light in each pixel of a square (2 radius + 1), the star (dx, dy) off its middle.

        Not normalised: the wings beyond the square are missing.
        """
        r = self.radius if radius is None else min(radius, self.radius)
        across, down = (self._taps(r, shift) for shift in (dx, dy))
        return down @ self.surface_at(x, y) @ across.T

    def _taps(self, radius: int, shift: float) -> np.ndarray:
        """(2 radius + 1, m): weight of each spline in each pixel of a line."""
        m = self.coefficients.shape[1]
        place = (np.arange(-radius, radius + 1) - shift) * self.oversampling + m // 2
        return cubic_spline(place[:, None] - np.arange(m)[None, :])


def splines_per_px(fwhm: float) -> int:
    """How fine the splines must be: four over the FWHM, the pixel's own width included, lose less than 1e-4."""
    return int(np.clip(np.ceil(4.0 / np.hypot(fwhm, 0.68)), 1, 4))


def radius_for(fwhm: float) -> float:
    """px: beyond four FWHM the wings of a star are modelled by nobody."""
    return float(np.clip(np.ceil(4.0 * fwhm), 6, 40))


def nodes(radius: float, oversampling: int) -> np.ndarray:
    """Offsets of the splines from the centre, px; two more at each end than the radius needs."""
    half = int(np.ceil(radius * oversampling)) + 2
    return np.arange(-half, half + 1) / oversampling


def cubic_spline(t: np.ndarray) -> np.ndarray:
    """The cubic B-spline with knots at whole numbers."""
    a = np.abs(t)
    return np.where(a < 1, 2 / 3 - a * a + 0.5 * a**3, np.where(a < 2, (2 - a) ** 3 / 6, 0.0))


def as_splines(surface: np.ndarray) -> np.ndarray:
    """Coefficients of the splines that pass through the values of a surface at their nodes, zero beyond."""
    from scipy.linalg import solve_banded

    coefficients = surface
    for _ in range(2):
        bands = np.repeat(np.array([[1 / 6], [2 / 3], [1 / 6]]), len(coefficients), axis=1)
        coefficients = solve_banded((1, 1), bands, coefficients).T
    return np.ascontiguousarray(coefficients)


def field_terms(x: np.ndarray, y: np.ndarray, shape: tuple[int, int], degree: int) -> np.ndarray:
    """1, u, v, u^2, uv, v^2 ... (n, terms): u and v run from -1 to 1 over the longer side of the image.

    >>> field_terms(np.array([0.0, 50.0]), np.array([50.0, 50.0]), (101, 101), 2).tolist()
    [[1.0, -1.0, 0.0, 1.0, -0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    half = max((max(shape) - 1) / 2, 1.0)
    u = (np.asarray(x, float) - (shape[1] - 1) / 2) / half
    v = (np.asarray(y, float) - (shape[0] - 1) / 2) / half
    return np.stack([u ** (n - k) * v**k for n in range(degree + 1) for k in range(n + 1)], axis=-1)
