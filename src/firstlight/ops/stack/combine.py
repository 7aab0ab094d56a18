"""Combine many planes into one, leaving out outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError
from firstlight.kernels import combine as kernels
from firstlight.kernels import reject, weigh
from firstlight.kernels.network import median_network, sorting_network
from firstlight.ops.stack.factors import critical_deviates, extreme_factors, median_factors
from firstlight.ops.stack.grow import GROWN, Verdict, wider
from firstlight.ops.stack.guard import BEND, SWAY, SWAY_UNSEEN, Guard, guard_stars
from firstlight.ops.stack.rules import RULES, Combine

_BLIND = ("noise", "averaged", "percentile", "adaptive")
"""Methods whose limits do not grow with the scatter of the samples."""
NOISIER = 1.1
"""A frame noisier than all together by more than this factor is judged by its own noise."""


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
    by_light: bool = False
    """``weight`` is for the background: on stars it falls with the photon noise of each frame, where that is known."""

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
        Rows and columns (y, x) to combine; those around tell how steep the image is and where trails go. The result
        does not depend on how a stack is cut if there are ``settings.margin(n)`` of them, or all there are.

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
    grows = cube.ndim == 3 and terms.seeing is not None and settings.grows(n)
    outer, within = wider(inner, cube.shape[1:], settings.grow) if grows else (inner, inner)
    guard = _guard(cube, settings, terms, outer)
    flat, first, last, shape = _inner(cube, outer)
    if settings.method in ("min", "max", "chi2"):
        return _extreme(flat[:, first:last], settings.method, terms, shape)
    verdict = Verdict.blank(n, shape) if grows else None
    planes = _combine(
        flat, first, last, shape[-1] if shape else 1, settings, terms, guard, variance_from_scatter, verdict
    )
    if verdict is not None:
        planes = _grown(planes, flat[:, first:last], verdict, within, settings, terms, variance_from_scatter)
        shape = tuple(part.stop - part.start for part in within)
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
    variance_from_scatter: bool, verdict: Verdict | None,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Run the kernel over pixels first to last; with ``averaged`` row by row."""
    n, size = len(flat), last - first
    planes = (*(np.empty(size, np.float32) for _ in range(2)), *(np.empty(size, np.int32) for _ in range(3)))
    hits = np.zeros(n, np.int64)
    rule = RULES[settings.method].kernel
    if rule == reject.MEAN:
        pairs = sorting_network(1)
    elif rule == reject.MEDIAN and np.isfinite(flat[:, first:last]).all():
        pairs = median_network(n)
    else:
        pairs = sorting_network(n)
    # Read-only like the tables of the other methods: a writable array is another type, compiled for anew.
    critical = np.frombuffer(bytes(4 * (n + 1)), np.float32)
    if settings.method == "esd":
        critical = critical_deviates(n, settings.significance)
    low, high = settings.outliers if settings.method == "esd" else settings.low, settings.high
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
    by_light = terms.by_light and terms.noise_known
    told = verdict.samples if verdict else np.empty((n, 0), np.uint8)
    # Rows differ in nothing but the noise model of the averaged clip.
    step = width if settings.method == "averaged" else size
    for start in range(first, last, max(step, 1)):
        part = np.s_[start - first : start - first + step]
        if settings.method == "averaged":
            model = _row_noise(flat[:, start : start + step], terms)
        kernels.combine(
            flat, start, start + step, pairs, rule, *limits, critical, *own, *model,
            stretch, guard.bend, guard.sway, guard.slope[part], guard.curve[part], variance_from_scatter, by_light,
            *(plane[part] for plane in planes), hits, told, start - first,
        )  # fmt: skip
    if settings.method == "weighted-median":
        weigh.weighted_median(flat, first, last, sorting_network(n), *own[:3], planes[0])
    return (*planes, hits)


def _grown(
    planes: tuple[np.ndarray, ...], flat: np.ndarray, verdict: Verdict, within: tuple[slice, slice], settings: Combine,
    terms: FrameTerms, variance_from_scatter: bool,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Planes without the samples beside trails, of the pixels ``within`` only."""
    pixels, hits = verdict.grow(settings.grow, within)
    samples = flat[:, pixels]
    told = verdict.of(pixels)
    told[~np.isfinite(samples)] = 0
    samples[told != 0] = np.nan
    enough = np.isfinite(samples).sum(axis=0) >= reject.FEWEST
    pixels, samples, told = pixels[enough], samples[:, enough], told[:, enough]
    if pixels.size:
        plain = Combine(method="mean", guard=0)
        again = _combine(samples, 0, len(pixels), len(pixels), plain, terms, None, variance_from_scatter, None)
        for plane, values in zip(planes[:3], again):
            plane[pixels] = values
        more = told == GROWN
        planes[4][pixels] += more.sum(axis=0, dtype=np.int32)
        hits += more[:, verdict.inside(pixels, within)].sum(axis=1)
    return (*(plane.reshape(verdict.shape)[within].reshape(-1) for plane in planes[:5]), hits)


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
