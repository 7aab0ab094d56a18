"""Measured stars of one frame, and what they say of its quality."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, eq=False)
class Stars:
    """A table of measured stars, brightest first; every column is a float64 array of equal length.

    Positions are 0-based (x, y) with pixel centres at integers. ``flux`` and ``peak`` are in the unit of the image
    above the local background; ``fwhm`` and ``hfr`` in px.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    peak: np.ndarray
    fwhm: np.ndarray
    """Full width at half maximum, px, geometric mean of both axes."""
    hfr: np.ndarray
    """Radius that holds half of the flux, px."""
    eccentricity: np.ndarray
    """sqrt(1 - b^2/a^2), 0 = round."""
    angle: np.ndarray
    """Position angle of the long axis, degrees counter-clockwise from the x axis."""
    snr: np.ndarray
    """Flux over its standard error."""
    saturated: np.ndarray
    """1.0 where a pixel of the star is saturated."""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def positions(self) -> np.ndarray:
        """(n, 2) array of (x, y)."""
        return np.column_stack([self.x, self.y])

    def take(self, index: np.ndarray) -> Stars:
        """The stars at these indices (or where a boolean array is True)."""
        return Stars(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @classmethod
    def empty(cls) -> Stars:
        return cls(**{f.name: np.empty(0) for f in fields(cls)})


@dataclass(frozen=True)
class Quality:
    """One frame in numbers; widths in px, levels in the unit of the image."""

    n_stars: int
    fwhm: float
    """Median of unsaturated stars; NaN without stars."""
    hfr: float
    eccentricity: float
    snr: float
    """Median SNR of the stars."""
    background: float
    noise: float
    """Standard deviation of the background, per pixel."""
    gradient: float = 0.0
    """Range (5 to 95 %) of the background mesh."""
