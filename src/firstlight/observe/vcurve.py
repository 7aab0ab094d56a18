"""The V-curve of a focuser: what is measured at a position, and where its lowest point is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, sobel

from firstlight.ops.inspect.stars import FindStars, find_stars

TRUSTED = 0.7
"""R^2 from which on a parabola is believed."""
RIDGE = 1e-3
"""Keeps a parabola of few samples from running away."""
FEWEST_STARS = 5
GRADIENT_SIGMA = 5.0
"""Gradients weaker than this are noise."""


@dataclass(frozen=True)
class Sample:
    """A frame at a position."""

    position: int
    fwhm: float
    """px, median of the stars; NaN where too few are seen."""
    contrast: float
    """Square of the energy of the gradients: goes with the eighth power of 1 / FWHM."""
    stars: int


@dataclass(frozen=True)
class Parabola:
    """y = a (x - vertex)^2 + least, over positions."""

    vertex: float
    least: float
    curvature: float
    r2: float

    def at(self, position: np.ndarray) -> np.ndarray:
        """Its value there."""
        return self.curvature * (position - self.vertex) ** 2 + self.least


@dataclass(frozen=True)
class Fit:
    """Where the focus is, and what says so."""

    position: float
    by: str
    """``both``, ``fwhm``, ``contrast``, or ``best frame``."""
    fwhm: Parabola | None
    """Of FWHM^2."""
    contrast: Parabola | None
    """Of contrast^(-1/4)."""


def measure(plane: np.ndarray, position: int) -> Sample:
    """FWHM and contrast of a frame.

    >>> rng = np.random.default_rng(1)
    >>> measure(rng.normal(100, 5, (128, 128)), 10).stars
    0
    """
    plane = np.ascontiguousarray(plane, np.float32)
    _, quality = find_stars(plane, FindStars())
    fwhm = quality.fwhm if quality.n_stars >= FEWEST_STARS else math.nan
    return Sample(position, float(fwhm), contrast_of(plane), quality.n_stars)


def contrast_of(plane: np.ndarray) -> float:
    """Energy of the gradients that stand out of the noise, squared: contrast^(-1/4) then goes with FWHM^2."""
    smooth = gaussian_filter(plane, 1.0)
    gradient = np.hypot(sobel(smooth, 0), sobel(smooth, 1)) / 8.0
    # Rayleigh's median, so that the bulk of the sky counts as noise.
    noise = float(np.median(gradient)) / 1.1774
    strong = gradient[gradient > GRADIENT_SIGMA * noise]
    return float(np.sum(strong.astype(np.float64) ** 2)) ** 2


def fit_parabola(x: np.ndarray, y: np.ndarray) -> Parabola | None:
    """Least squares with a little ridge; None where it does not open upwards within the samples.

    >>> x = np.arange(0.0, 1000.0, 100.0)
    >>> found = fit_parabola(x, 1e-4 * (x - 430.0) ** 2 + 7.0)
    >>> round(found.vertex), round(found.least, 1), round(found.r2, 3)
    (430, 7.0, 1.0)
    """
    good = np.isfinite(y)
    x, y = x[good], y[good]
    if x.size < 4 or np.ptp(x) == 0:
        return None
    middle, half = (x.max() + x.min()) / 2.0, np.ptp(x) / 2.0
    t = (x - middle) / half
    design = np.column_stack([np.ones_like(t), t, t**2])
    # Scatter of a squared width grows with the width squared.
    weight = np.min(y[y > 0], initial=np.inf) / np.maximum(y, 1e-12)
    weighted = design * weight[:, None]
    normal = weighted.T @ weighted + RIDGE * weight.sum() * np.diag([0.0, 1e-3, 1e-3])
    c, b, a = np.linalg.solve(normal, weighted.T @ (y * weight))
    if a <= 0:
        return None
    vertex = middle - half * b / (2.0 * a)
    if not x.min() <= vertex <= x.max():
        return None
    mean = np.average(y, weights=weight**2)
    spread = np.sum(weight**2 * (y - mean) ** 2)
    residual = np.sum(weight**2 * (y - design @ np.array([c, b, a])) ** 2)
    return Parabola(
        float(vertex), float(c - b * b / (4 * a)), float(a / half**2), float(1 - residual / max(spread, 1e-300))
    )


def fit_focus(samples: Sequence[Sample]) -> Fit:
    """The focus of a V-curve: both parabolas weighted by R^2 where both are good, else the good one, else the frame of
    most contrast."""
    x = np.array([sample.position for sample in samples], float)
    width = np.array([sample.fwhm for sample in samples])
    contrast = np.array([sample.contrast for sample in samples])
    with np.errstate(divide="ignore", invalid="ignore"):
        rough = np.where(contrast > 0, contrast**-0.25, np.nan)
    sharp, clear = fit_parabola(x, width**2), fit_parabola(x, rough)
    believed = [each for each in (sharp, clear) if each is not None and each.r2 > TRUSTED]
    if len(believed) == 2:
        weights = [each.r2 for each in believed]
        return Fit(float(np.average([each.vertex for each in believed], weights=weights)), "both", sharp, clear)
    if believed:
        return Fit(believed[0].vertex, "fwhm" if believed[0] is sharp else "contrast", sharp, clear)
    return Fit(float(x[np.argmax(contrast)]), "best frame", sharp, clear)
