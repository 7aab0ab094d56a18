"""How much light a filter, a sensor or the air lets through at each wavelength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRID = np.arange(336.0, 1050.1, 1.0)
"""Wavelengths, nm, on which all is summed: those of the spectra of Gaia and a little more."""


@dataclass(frozen=True, eq=False)
class Passband:
    """A curve through points; nothing passes beyond its ends.

    >>> half = Passband("half", np.array([400.0, 500.0]), np.array([0.5, 0.5]))
    >>> half.on(np.array([399.0, 450.0])).tolist()
    [0.0, 0.5]
    """

    name: str
    nm: np.ndarray
    """Wavelengths, nm, rising."""
    share: np.ndarray
    """Of the photons (for a sensor: quantum efficiency)."""
    about: str = ""

    def on(self, nm: np.ndarray = GRID) -> np.ndarray:
        """Shares at these wavelengths."""
        return np.interp(nm, self.nm, self.share, left=0.0, right=0.0)


def through(parts: Sequence[Passband], name: str = "") -> Passband:
    """What is left of light that goes through all of these."""
    share = np.ones_like(GRID)
    for part in parts:
        share = share * part.on(GRID)
    return Passband(name or " x ".join(part.name for part in parts), GRID, share)


def window(name: str, low: float, high: float, edge: float = 4.0, top: float = 0.95, about: str = "") -> Passband:
    """An interference filter: half of its top passes at ``low`` and ``high``, 12 % to 88 % of it within ``edge`` nm."""
    steep = 2 / max(edge, 1e-3)
    rise, fall = 0.5 + 0.5 * np.tanh(steep * (GRID - low)), 0.5 - 0.5 * np.tanh(steep * (GRID - high))
    return Passband(name, GRID, top * rise * fall, about)


def bells(name: str, humps: Sequence[Sequence[float]], about: str = "") -> Passband:
    """A sum of bells: each its height, its middle, and its width (sigma) to the blue and to the red, nm."""
    share = np.zeros_like(GRID)
    for height, middle, blue, red in humps:
        share += height * np.exp(-((GRID - middle) ** 2) / (2 * np.where(middle > GRID, blue, red) ** 2))
    return Passband(name, GRID, share, about)
