"""Combine many planes into one, leaving out outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.kernels import combine as kernels
from firstlight.kernels import reject, weigh
from firstlight.kernels.network import median_network, sorting_network
from firstlight.ops.registry import Params
from firstlight.ops.stack.factors import critical_deviates, extreme_factors, median_factors
from firstlight.ops.stack.guard import BEND, SWAY, SWAY_UNSEEN, Guard, guard_stars

Method = Literal[
    "auto", "mean", "median", "weighted-median", "sum", "min", "max", "chi2", "minmax", "percentile", "sigma", "mad",
    "winsorized", "linear", "esd", "averaged", "noise", "adaptive",
]  # fmt: skip


class _Rule(NamedTuple):
    kernel: int
    low: float = 0.0
    high: float = 0.0


_RULES = {
    "mean": _Rule(reject.MEAN),
    "sum": _Rule(reject.MEAN),
    "min": _Rule(reject.MEAN),
    "max": _Rule(reject.MEAN),
    "chi2": _Rule(reject.MEAN),
    "median": _Rule(reject.MEDIAN),
    "weighted-median": _Rule(reject.MEAN),
    "minmax": _Rule(reject.MINMAX, 1.0, 1.0),
    "percentile": _Rule(reject.PERCENTILE, 0.2, 0.1),
    "sigma": _Rule(reject.SIGMA, 3.0, 3.0),
    "mad": _Rule(reject.MAD, 3.0, 3.0),
    "winsorized": _Rule(reject.WINSORIZED, 3.0, 3.0),
    "linear": _Rule(reject.LINEAR, 5.0, 5.0),
    "esd": _Rule(reject.ESD),
    "averaged": _Rule(reject.NOISE, 3.0, 3.0),
    "noise": _Rule(reject.NOISE, 3.0, 3.0),
    "adaptive": _Rule(reject.MEAN, 4.0, 4.0),
}
"""Method of the kernels and usual limits of each method."""
_BLIND = ("noise", "averaged", "percentile", "adaptive")
"""Methods whose limits do not grow with the scatter of the samples."""
SMALL = 15
"""With fewer frames a known noise says more than their scatter."""
NOISIER = 1.1
"""A frame noisier than all together by more than this factor is judged by its own noise."""


class Combine(Params):
    """How samples are rejected and combined."""

    method: Method = "auto"
    """Rejection and combination. ``mean``, ``median``, ``weighted-median``, ``sum``, ``min``, ``max`` reject nothing;
    ``chi2``: root of the mean square of the signal in sigma, to find faint things. ``minmax``: drop the extremes.
    ``percentile``: limits are fractions of the median. ``sigma``: clip about the median; ``mad``: with the median
    absolute deviation as scale; ``winsorized``: with a scale that outliers cannot inflate; ``linear``: distance from a
    line through the sorted samples; ``esd``: generalized extreme Studentized deviate; ``averaged``: noise as the root
    of the level, its size measured on whole rows; ``noise``: the noise model of the camera; ``adaptive``: weights that
    fall with the distance. ``auto``: winsorized; below 15 frames ``noise`` where gain and noise are known; median for
    3 (and 4 without noise model), mean below."""
    low: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Samples this many sigma below the middle are rejected (``minmax``: how many are dropped, ``percentile``: a
    fraction, ``linear``: mean distances). 0: the method's own limit, 3 for sigma."""
    high: Annotated[float, Field(ge=0, le=100)] = 0.0
    """The same above the middle."""
    outliers: Annotated[float, Field(gt=0, le=0.5)] = 0.3
    """``esd``: the largest share of outliers."""
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """``esd``: chance of finding an outlier among good samples."""
    guard: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Limits are wider on stars by what seeing and registration explain, times this; 0: not at all."""

    def resolved(self, n: int, *, noise_known: bool = False) -> Combine:
        """The same with ``auto`` and the limits replaced by what they mean for ``n`` frames.

        >>> Combine().resolved(20).method, Combine().resolved(4).method, Combine().resolved(2).method
        ('winsorized', 'median', 'mean')
        >>> Combine().resolved(8, noise_known=True).words
        'noise:low=3,high=3'
        """
        method = self.method
        if method == "auto":
            if n < 3:
                method = "mean"
            elif n < SMALL and noise_known and n > reject.FEWEST:
                method = "noise"
            else:
                method = "winsorized" if n >= 5 else "median"
        rule = _RULES[method]
        return self.model_copy(update={"method": method, "low": self.low or rule.low, "high": self.high or rule.high})

    @property
    def words(self) -> str:
        """Method and its limits, as a record of the run keeps them."""
        if self.method == "esd":
            return f"esd:outliers={self.outliers:g},significance={self.significance:g}"
        return f"{self.method}:low={self.low:g},high={self.high:g}" if self.low or self.high else self.method

    @property
    def rejects(self) -> bool:
        """Whether the method has limits that samples can be beyond."""
        return self.method in ("auto", "esd") or _RULES[self.method].low > 0

    def guards(self, n: int) -> bool:
        """Whether the limits for ``n`` frames ask how steep the image is."""
        return self.rejects and self.guard > 0 and n > reject.FEWEST


@dataclass(frozen=True, eq=False)
class FrameTerms:
    """What belongs to each of the n frames of a cube; all float32 (n,)."""

    gain: np.ndarray
    """A sample is ``cube * gain + zero``."""
    zero: np.ndarray
    weight: np.ndarray
    noise: np.ndarray
    """Variance of the background after the gain."""
    photons: np.ndarray
    """Variance per unit of signal above the background after the gain; 0 where the gain in e-/adu is not known."""
    level: float = 0.0
    """Background of the result."""
    seeing: np.ndarray | None = None
    """FWHM of the stars, px; None: the frames hold no stars (or no guard is wanted)."""

    @classmethod
    def equal(cls, n: int, noise: float = 0.0) -> FrameTerms:
        """Frames as they are, all of one weight."""
        one = np.ones(n, np.float32)
        return cls(one, 0 * one, one, np.float32(noise) * one, 0 * one)

    @property
    def noise_known(self) -> bool:
        """Whether the noise of every sample is known, that of light too."""
        return bool((self.noise > 0).all() and (self.photons > 0).all())


@dataclass(frozen=True, eq=False)
class Combined:
    """Result of a combination; all of the shape of one plane of the cube, or of its inner part."""

    mean: np.ndarray
    """float32; NaN where no frame had a sample."""
    variance: np.ndarray
    """float32, of the mean; NaN likewise."""
    kept: np.ndarray
    """int32: samples that went into the mean."""
    rejected_low: np.ndarray
    rejected_high: np.ndarray
    hits: np.ndarray
    """int64 (n,): samples of each frame that were rejected."""


def combine_cube(
    cube: np.ndarray,
    settings: Combine,
    terms: FrameTerms,
    *,
    variance_from_scatter: bool = False,
    inner: tuple[slice, slice] | None = None,
) -> Combined:
    """Combine a cube along its first axis.

    Parameters
    ----------
    cube : ndarray
        float32 (n, ...); samples that are not finite are missing and never count. With ``terms.seeing`` (n, y, x).
    settings : Combine
    terms : FrameTerms
    inner : tuple of slices, optional
        Rows and columns (y, x) to combine; those around only tell how steep the image is.

    Returns
    -------
    Combined
        The variance is propagated from ``terms``, or with ``variance_from_scatter`` that of the mean of the kept
        samples (equal weights; NaN for a single one). A median's or extreme's is multiplied by the factor it has for
        Gaussian noise and this number of frames. A sum counts missing and rejected samples as the mean of the others.

    Raises
    ------
    InputError
        The method cannot work with these frames; the message says which would.

    Notes
    -----
    Nothing is rejected where 3 samples or fewer are left (``minmax`` alone goes down to 1), and scales are never
    smaller than the noise of ``terms``. Where ``terms`` know the seeing, limits are wider on stars by what it explains:
    see `firstlight.ops.stack.guard`.

    References
    ----------
    ``winsorized``: Huber's clamping at 1.5 sigma with the consistency factor 1.134, iterated to 5e-4. ``esd``: Rosner
    1983, Technometrics 25, 165. ``chi2``: Szalay, Connolly & Szokoly 1999, AJ 117, 68.

    >>> cube = np.array([[10.0], [11.0], [9.0], [10.0], [10.5], [500.0]], np.float32)
    >>> result = combine_cube(cube, Combine(method="winsorized"), FrameTerms.equal(6))
    >>> float(result.mean[0]), int(result.rejected_high[0])
    (10.1..., 1)
    """
    n = cube.shape[0]
    # Limits that rest on the noise alone must know what else makes frames differ.
    settings = settings.resolved(n, noise_known=terms.noise_known and terms.seeing is not None)
    _check(settings, terms, n)
    cube = np.ascontiguousarray(cube, dtype=np.float32)
    if inner is None:
        inner = np.s_[:, :] if cube.ndim == 3 else ()
    guard = _guard(cube, settings, terms, inner)
    flat, first, last, shape = _inner(cube, inner)
    if settings.method in ("min", "max", "chi2"):
        return _extreme(flat[:, first:last], settings.method, terms, shape)
    planes = _combine(flat, first, last, shape[-1] if shape else 1, settings, terms, guard, variance_from_scatter)
    mean, variance, *rest, hits = planes
    if settings.method in ("median", "weighted-median"):
        variance *= median_factors(n)[rest[0]] ** 2
    elif settings.method == "sum":
        mean *= np.float32(n)
        variance *= np.float32(n) ** 2
    return Combined(*(plane.reshape(shape) for plane in (mean, variance, *rest)), hits)


def _check(settings: Combine, terms: FrameTerms, n: int) -> None:
    if settings.method == "minmax" and int(settings.low) + int(settings.high) >= n:
        raise InputError(
            f"minmax: {settings.low:g} + {settings.high:g} samples to drop of {n} frames; at least one must stay"
        )
    if settings.method in ("noise", "chi2") and not (terms.noise > 0).all():
        raise InputError(
            f"{settings.method}: the noise of the frames is not known; it must be above 0; use winsorized or sigma"
        )


def _guard(cube: np.ndarray, settings: Combine, terms: FrameTerms, inner: tuple[slice, ...]) -> Guard | None:
    if terms.seeing is None or not settings.guards(len(cube)):
        return None
    sway = SWAY_UNSEEN if settings.method in _BLIND else SWAY
    noise, photons = float(np.mean(terms.noise)), float(np.mean(terms.photons))
    bend_sway = settings.guard * BEND, settings.guard * sway
    return guard_stars(cube, terms.seeing, terms.gain, terms.zero, (noise, photons, terms.level), inner, *bend_sway)


def _inner(cube: np.ndarray, inner: tuple[slice, ...]) -> tuple[np.ndarray, int, int, tuple[int, ...]]:
    """The cube with flat planes, the range of pixels in them to combine, and the shape of these."""
    flat = cube.reshape(len(cube), -1)
    if not inner:
        return flat, 0, flat.shape[1], cube.shape[1:]
    height, width = cube.shape[1:]
    top, bottom, _ = inner[0].indices(height)
    left, right, _ = inner[1].indices(width)
    if right - left == width:
        return flat, top * width, bottom * width, (bottom - top, width)
    flat = np.ascontiguousarray(cube[:, top:bottom, left:right]).reshape(len(cube), -1)
    return flat, 0, flat.shape[1], (bottom - top, right - left)


def _combine(
    flat: np.ndarray, first: int, last: int, width: int, settings: Combine, terms: FrameTerms, guard: Guard | None,
    variance_from_scatter: bool,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Run the kernel over pixels first to last; with ``averaged`` row by row."""
    n, size = len(flat), last - first
    planes = (*(np.empty(size, np.float32) for _ in range(2)), *(np.empty(size, np.int32) for _ in range(3)))
    hits = np.zeros(n, np.int64)
    rule = _RULES[settings.method].kernel
    if rule == reject.MEAN:
        pairs = np.empty((0, 2), np.int32)
    elif rule == reject.MEDIAN and np.isfinite(flat[:, first:last]).all():
        pairs = median_network(n)
    else:
        pairs = sorting_network(n)
    critical = np.zeros(n + 1, np.float32)
    low, high = settings.low, settings.high
    if settings.method == "esd":
        critical, low = critical_deviates(n, settings.significance), settings.outliers
    guard = guard or Guard.none(n, size)
    mean_noise = float(np.mean(terms.noise))
    stretch = np.sqrt(terms.noise / np.float32(mean_noise)) if mean_noise > 0 else np.ones(n, np.float32)
    stretch = np.where(stretch > NOISIER, stretch, np.float32(1.0))

    own = (terms.gain, terms.zero, terms.weight, terms.noise, terms.photons, np.float32(terms.level))
    model = tuple(map(np.float32, (mean_noise, np.mean(terms.photons), terms.level)))
    limits = np.float32(low), np.float32(high)
    if settings.method == "adaptive":
        tolerances = guard.bend, guard.sway, guard.slope, guard.curve
        # A limit below 2 sigma could leave nothing.
        limits = tuple(np.maximum(limits, np.float32(2.0)))
        weigh.adaptive(flat, first, last, *limits, *own, *model, *tolerances, variance_from_scatter, *planes, hits)
        return (*planes, hits)
    # Rows differ in nothing but the noise model of the averaged clip.
    step = width if settings.method == "averaged" else size
    for start in range(first, last, max(step, 1)):
        part = np.s_[start - first : start - first + step]
        if settings.method == "averaged":
            model = _row_noise(flat[:, start : start + step], terms)
        kernels.combine(
            flat, start, start + step, pairs, rule, *limits, critical, *own, *model,
            stretch, guard.bend, guard.sway, guard.slope[part], guard.curve[part], variance_from_scatter,
            *(plane[part] for plane in planes), hits,
        )  # fmt: skip
    if settings.method == "weighted-median":
        weigh.weighted_median(flat, first, last, sorting_network(n), *own[:3], planes[0])
    return (*planes, hits)


def _row_noise(row: np.ndarray, terms: FrameTerms) -> tuple[np.float32, ...]:
    """Noise model of a row (n, x): its variance at its middle level, and how it grows with the level above that.

    From the differences of pairs of frames, whose median outliers hardly move: few frames serve as well as many.
    """
    samples = row * terms.gain[:, None] + terms.zero[:, None]
    pairs = len(samples) // 2 * 2
    steps = np.abs(samples[0:pairs:2] - samples[1:pairs:2])
    steps = steps[np.isfinite(steps)]
    finite = samples[np.isfinite(samples)]
    if not steps.size:
        return np.float32(np.inf), np.float32(0.0), np.float32(0.0)
    noise = (reject.MAD_SCALE * float(np.median(steps))) ** 2 / 2
    level = float(np.median(finite))
    return np.float32(noise), np.float32(noise / level if level > 0 else 0.0), np.float32(level)


def _extreme(flat: np.ndarray, method: str, terms: FrameTerms, shape: tuple[int, ...]) -> Combined:
    """Lowest, highest, or root mean square signal in sigma."""
    n, size = flat.shape
    result = np.full(size, np.float32(np.nan))
    kept = np.zeros(size, np.int32)
    for i in range(n):
        sample = flat[i] * terms.gain[i] + terms.zero[i]
        finite = np.isfinite(sample)
        kept += finite
        if method == "chi2":
            sample = (sample - np.float32(terms.level)) ** 2 / terms.noise[i]
            result = np.where(finite, np.where(kept > 1, result, np.float32(0.0)) + sample, result)
        else:
            sample[~finite] = np.nan
            (np.fmin if method == "min" else np.fmax)(result, sample, out=result)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "chi2":
            result = np.sqrt(result / kept)
            # Of a noncentral chi of signal s in units of sigma: from 1 / 2n without a signal to 1 / n for a strong one.
            square = np.maximum(result**2 - 1, 0)
            variance = ((1 + 2 * square) / (2 * kept * (1 + square))).astype(np.float32)
        else:
            signal = np.maximum(result - np.float32(terms.level), 0)
            noise = np.mean(terms.noise) + np.mean(terms.photons) * signal
            variance = (noise * extreme_factors(n)[kept] ** 2).astype(np.float32)
    variance[kept == 0] = np.nan
    none = np.zeros(shape, np.int32)
    return Combined(result.reshape(shape), variance.reshape(shape), kept.reshape(shape), none, none.copy(),
                    np.zeros(n, np.int64))  # fmt: skip
