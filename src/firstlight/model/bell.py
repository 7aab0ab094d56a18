"""Profiles of stars in closed form: Gaussian and Moffat, elliptical, integrated over pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_NODES, _WEIGHTS = 0.5 * _NODES, 0.5 * _WEIGHTS


@dataclass(frozen=True)
class Bell:
    """A star of total light 1, before and after the pixels sample it."""

    fwhm: float
    """px, geometric mean of both axes, before the pixels sampled it."""
    eccentricity: float = 0.0
    """sqrt(1 - b^2/a^2), 0 = round."""
    angle: float = 0.0
    """Of the long axis, degrees from x towards y."""
    beta: float = math.inf
    """Exponent of the Moffat profile; infinite: a Gaussian."""
    misfit: float = 0.0
    """Root mean square of what it leaves of the measured profile, as a share of that one's peak."""

    @classmethod
    def of_shape(cls, fwhm: float, e1: float, e2: float, beta: float = math.inf, misfit: float = 0.0) -> Bell:
        """From the two components of (a^2 - b^2) / (a^2 + b^2), along x and along the diagonal."""
        e = min(math.hypot(e1, e2), 0.999)
        return cls(fwhm, math.sqrt(2 * e / (1 + e)), math.degrees(0.5 * math.atan2(e2, e1)), beta, misfit)

    @property
    def stretch(self) -> tuple[float, float]:
        """Those two components.

        >>> [round(e, 6) for e in Bell.of_shape(3.0, 0.1, -0.2).stretch]
        [0.1, -0.2]
        """
        e = self.eccentricity**2 / (2 - self.eccentricity**2)
        turn = math.radians(2 * self.angle)
        return e * math.cos(turn), e * math.sin(turn)

    @property
    def axes(self) -> tuple[float, float]:
        """FWHM along the long and the short axis, px."""
        ratio = math.sqrt(math.sqrt(1.0 - self.eccentricity**2))
        return self.fwhm / ratio, self.fwhm * ratio

    @property
    def fwhm_x(self) -> float:
        """FWHM of the profile's shadow on the x axis: that of its second moment along x, px."""
        return self._projected(0.0)

    @property
    def fwhm_y(self) -> float:
        """The same on the y axis."""
        return self._projected(90.0)

    def _projected(self, axis: float) -> float:
        long, short = self.axes
        turn = math.radians(self.angle - axis)
        return math.hypot(long * math.cos(turn), short * math.sin(turn))

    def density(self, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """Light per square px at (dx, dy) from the centre."""
        long, short = self.axes
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        u = (dx * cosine + dy * sine) / long
        v = (dy * cosine - dx * sine) / short
        r2 = u * u + v * v
        if math.isinf(self.beta):
            k = 4.0 * math.log(2.0)
            return k / (math.pi * long * short) * np.exp(-k * r2)
        k = 4.0 * (2.0 ** (1.0 / self.beta) - 1.0)
        return (self.beta - 1.0) * k / (math.pi * long * short) * (1.0 + k * r2) ** -self.beta

    def in_pixels(self, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """Share of the light that falls into pixels whose centres lie (dx, dy) from the star's.

        >>> offsets = np.arange(-15, 16)
        >>> round(float(Bell(2.0).in_pixels(offsets[None, :] + 0.3, offsets[:, None]).sum()), 5)
        1.0
        """
        total = np.zeros(np.broadcast_shapes(np.shape(dx), np.shape(dy)))
        for a, weight_a in zip(_NODES, _WEIGHTS):
            for b, weight_b in zip(_NODES, _WEIGHTS):
                total += weight_a * weight_b * self.density(dx + a, dy + b)
        return total

    def within(self, radius: float) -> float:
        """Share of the light within a circle, were the star round.

        >>> round(Bell(3.0).within(1.5), 3)
        0.5
        """
        r2 = (radius / self.fwhm) ** 2
        if math.isinf(self.beta):
            return 1.0 - math.exp(-4.0 * math.log(2.0) * r2)
        k = 4.0 * (2.0 ** (1.0 / self.beta) - 1.0)
        return float(1.0 - (1.0 + k * r2) ** (1.0 - self.beta))
