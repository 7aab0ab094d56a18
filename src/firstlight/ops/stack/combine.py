"""Combine many planes into one, leaving out outliers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from firstlight.errors import InputError
from firstlight.kernels import combine as kernels
from firstlight.kernels import grow as grow_kernels
from firstlight.kernels import reject, weigh
from firstlight.kernels.network import median_network, sorting_network
from firstlight.model.buffers import Buffers
from firstlight.ops.stack import guard
from firstlight.ops.stack.efficiency import between_nodes, true_over_claimed
from firstlight.ops.stack.extremes import extreme
from firstlight.ops.stack.factors import critical_deviates, median_factors
from firstlight.ops.stack.grow import Verdict, wider
from firstlight.ops.stack.guard import BEND, SWAY, SWAY_UNSEEN, Guard
from firstlight.ops.stack.rules import RULES, Combine
from firstlight.ops.stack.samples import BIG_ENDIAN, Samples

OF_ARRAYS = ("weighted-median", "adaptive", "min", "max", "chi2")
"""Methods that take a cube of native numbers; the others take frames wherever and however they lie."""
_BY_LEVEL = ("averaged", "percentile")
"""Methods whose limits grow with the level."""
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
    full: tuple[np.ndarray, np.ndarray] | None = None
    """Rows and columns of the pixels with a saturated sample; None: nobody asked."""

    @property
    def measured(self) -> np.ndarray:
        """Samples that were there, kept or not."""
        return self.kept + self.rejected_low + self.rejected_high


def combine_cube(
    cube: np.ndarray | Samples,
    settings: Combine,
    terms: FrameTerms,
    *,
    variance_from_scatter: bool = False,
    inner: tuple[slice, slice] | None = None,
    buffers: Buffers | None = None,
    full: np.ndarray | None = None,
) -> Combined:
    """Combine a cube along its first axis.

    Parameters
    ----------
    cube : ndarray or Samples
        float32 (n, ...), in either byte order; samples that are not finite are missing and never count. With
        ``terms.seeing`` (n, y, x).
    settings : Combine
    terms : FrameTerms
    inner : tuple of slices, optional
        Rows and columns (y, x) to combine; those around tell how steep the image is and where trails go. The result
        does not depend on how a stack is cut if there are ``settings.margin(n)`` of them, or all there are.
    buffers : Buffers, optional
        Memory for the result, which then stands until the same thread combines into these buffers again.
    full : ndarray, optional
        float32 (n,): number in the cube from which on a sample of each frame is saturated; infinity: none is.

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
    Nothing is rejected where 3 samples or fewer are left (2 where the noise is known; ``minmax`` alone goes down to 1),
    and scales are never smaller than the noise of ``terms``. Where ``terms`` know the seeing, limits are wider on stars
    by what it explains: see `firstlight.ops.stack.guard`.

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
    shape = cube.shape[1:]
    if isinstance(cube, Samples):
        cube = cube.cube() if settings.method in OF_ARRAYS else cube
    else:
        as_it_is = cube.dtype == BIG_ENDIAN and settings.method not in OF_ARRAYS
        cube = np.ascontiguousarray(cube, BIG_ENDIAN if as_it_is else np.float32)
        if cube.ndim != 3:
            inner = None
            # Rows matter to one method only; fewer are quicker.
            rows = int(np.prod(shape[:-1])) if settings.method == "averaged" else 1
            cube = cube.reshape(n, rows, -1)
    whole = np.s_[0 : cube.shape[1], 0 : cube.shape[2]]
    inner = whole if inner is None else tuple(np.s_[slice(*p.indices(k)[:2])] for p, k in zip(inner, cube.shape[1:]))
    if inner != whole:
        shape = tuple(part.stop - part.start for part in inner)
    if settings.method in ("min", "max", "chi2"):
        mean, variance, kept = (plane.reshape(shape) for plane in extreme(cube[:, *inner], settings.method, terms))
        none = np.zeros(shape, np.int32)
        return Combined(mean, variance, kept, none, none.copy(), np.zeros(n, np.int64))
    samples = cube if isinstance(cube, Samples) else Samples.of(cube)
    bright = None
    if settings.method == "adaptive":
        planes = _adaptive(cube, inner, settings, terms, variance_from_scatter)
    else:
        grows = terms.seeing is not None and settings.grows(n)
        outer, within = wider(inner, cube.shape[1:], settings.grow if grows else 0)
        size = tuple(part.stop - part.start for part in outer)
        verdict = Verdict.blank(n, size, buffers) if grows else None
        white, bright = _white(full, terms), _bright(size, full, buffers)
        planes = _combine(
            samples, outer, within, settings, terms, variance_from_scatter, verdict, buffers, white, bright
        )
        if verdict:
            planes = _grown(planes, samples, outer, verdict, within, settings, terms, variance_from_scatter)
    mean, variance, *rest, hits = planes
    if settings.rejects:
        none_missing = sum(int(plane.sum()) for plane in rest) == n * variance.size
        measured = np.array([n]) if none_missing else sum(rest)
        correct_variance(variance, measured, settings, terms, variance_from_scatter)
    if settings.method == "weighted-median":
        _weighted_medians(cube, inner, terms, mean)
    if settings.method in ("median", "weighted-median"):
        variance *= median_factors(n)[rest[0]] ** 2
    elif settings.method == "sum":
        mean *= np.float32(n)
        variance *= np.float32(n) ** 2
    places = None
    if full is not None and bright is not None:
        ys, xs = np.nonzero(bright[within])
        hit = (samples.at(ys + inner[0].start, xs + inner[1].start) >= full[:, None]).any(axis=0)
        places = ys[hit], xs[hit]
    return Combined(*(plane.reshape(shape) for plane in (mean, variance, *rest)), hits, places)


def correct_variance(
    variance: np.ndarray, measured: np.ndarray, settings: Combine, terms: FrameTerms, from_scatter: bool = False
) -> None:
    """Multiply, in place, by what rejection does to the noise where so many samples were ``measured``."""
    noise = float(np.mean(terms.noise))
    if not from_scatter and not noise > 0:
        return
    # Limits by the level itself ask how many sigma it is; two digits are enough.
    level = float(f"{terms.level / noise**0.5:.2g}") if settings.method in _BY_LEVEL and noise > 0 else 0.0
    known = (settings.model_copy(update={"guard": 0.0, "grow": 0}), noise > 0, level, from_scatter)
    most = int(measured.max(initial=0))
    alike = most == int(measured.min(initial=most))
    factors = np.ones(most + 1, np.float32)
    for n in [most] if alike else np.flatnonzero(np.bincount(measured.ravel())):
        factors[n] = between_nodes(int(n), lambda n: _cost(n, *known)) if n else 1.0
    variance *= factors[most] if alike else factors[measured]


@lru_cache(maxsize=256)
def _cost(n: int, settings: Combine, noise_known: bool, level: float, from_scatter: bool) -> float:
    """`true_over_claimed` of ``n`` samples; 1 where nothing can be rejected, or told from one sample."""
    if n <= (1 if settings.method == "minmax" else settings.fewest):
        return 1.0
    missing = max(int(settings.low + settings.high) + 1 - n, 0) if settings.method == "minmax" else 0
    terms = replace(FrameTerms.equal(n + missing, noise=float(noise_known)), level=level)

    def trial(cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        whole = np.full((n + missing, 1, cube.shape[1]), np.nan, np.float32)
        whole[:n, 0] = cube + np.float32(level)
        where = np.s_[0:1, 0 : cube.shape[1]]
        if settings.method == "adaptive":
            planes = _adaptive(whole, where, settings, terms, from_scatter)
        else:
            planes = _combine(Samples.of(whole), where, None, settings, terms, from_scatter, None)
        return planes[0][0] - np.float32(level), planes[1][0]

    return true_over_claimed(n, trial)


def _check(settings: Combine, terms: FrameTerms, n: int) -> None:
    if settings.method == "minmax" and int(settings.low) + int(settings.high) >= n:
        raise InputError(
            f"minmax: {settings.low:g} + {settings.high:g} samples to drop of {n} frames; at least one must stay"
        )
    if settings.method in ("noise", "chi2") and not (terms.noise > 0).all():
        raise InputError(
            f"{settings.method}: the noise of the frames is not known; it must be above 0; use winsorized or sigma"
        )


def _blank(size: tuple[int, int], kept: int, buffers: Buffers | None = None) -> tuple[np.ndarray, ...]:
    """Mean, variance, kept and rejected samples of a region, before anything is known of them."""
    buffers = buffers or Buffers()
    floats, counts = buffers.own("combined", (2, *size)), buffers.own("counted", (3, *size), np.int32)
    counts[0] = kept
    counts[1:] = 0
    return *floats, *counts


def _white(full: np.ndarray | None, terms: FrameTerms) -> float:
    """Sample after gain and zero below which none is saturated."""
    if full is None:
        return np.inf
    # Samples are rounded once more than this.
    return float(np.min(terms.gain * full * np.float32(1 - 1e-5) + terms.zero))


def _bright(size: tuple[int, ...], full: np.ndarray | None, buffers: Buffers | None) -> np.ndarray:
    """Room for what may be saturated."""
    known = full is not None and np.isfinite(full).any()
    return (buffers or Buffers()).own("bright", size if known else (0, 0), np.bool_)


def _combine(
    samples: Samples, where: tuple[slice, slice], within: tuple[slice, slice] | None, settings: Combine,
    terms: FrameTerms, variance_from_scatter: bool, verdict: Verdict | None, buffers: Buffers | None = None,
    white: float = np.inf, bright: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Run the kernel over a region; rejected samples are counted for the frames in the part ``within`` only."""
    n, height, _ = samples.shape
    rows, columns = where
    top, bottom, left, right = region = (rows.start, rows.stop, columns.start, columns.stop)
    planes = _blank((bottom - top, right - left), n, buffers)
    hits = np.zeros(n, np.int64)
    rule = RULES[settings.method].kernel
    # Read-only like the tables of the other methods: a writable array is another type, compiled for anew.
    critical = np.frombuffer(bytes(4 * (n + 1)), np.float32)
    if settings.method == "esd":
        critical = critical_deviates(n, settings.significance)
    low, high = settings.outliers if settings.method == "esd" else settings.low, settings.high
    mean_noise, mean_photons = float(np.mean(terms.noise)), float(np.mean(terms.photons))
    stretch = np.sqrt(terms.noise / np.float32(mean_noise)) if mean_noise > 0 else np.ones(n, np.float32)
    stretch = np.where(stretch > NOISIER, stretch, np.float32(1.0))
    models = np.empty((height, 3), np.float32)
    models[:] = mean_noise, mean_photons, terms.level
    if settings.method == "averaged":
        for y in range(top, bottom):
            models[y] = _row_noise(samples.row(y)[:, columns], terms)
    guarded = terms.seeing is not None and settings.guards(n)
    bend, sway, wing, share = _tolerances(terms, settings) if guarded else (*np.zeros((2, n), np.float32), 0.0, 0.0)
    inner = region
    if within is not None:
        inner = (top + within[0].start, top + within[0].stop, left + within[1].start, left + within[1].stop)
    pairs = sorting_network(1 if rule == reject.MEAN else n)
    kernels.combine(
        samples.bits, samples.starts, samples.size, samples.swapped, region, inner, guarded,
        pairs, median_network(n), rule, np.float32(low), np.float32(high), critical,
        terms.gain, terms.zero, terms.weight, terms.noise, terms.photons, np.float32(terms.level), models,
        stretch, bend, sway, np.float32(wing), np.float32(share), variance_from_scatter,
        terms.by_light and terms.noise_known, *planes, hits,
        verdict.samples if verdict else np.empty((2, n, 0, 0), np.uint64),
        np.float32(white), np.empty((0, 0), np.bool_) if bright is None else bright,
    )  # fmt: skip
    return (*planes, hits)


def _tolerances(terms: FrameTerms, settings: Combine) -> tuple[np.ndarray, np.ndarray, float, float]:
    """What frames may be off by where the image is steep, and how much of the noise of one sample the image has.

    The image is a weighted mean where that holds no outlier, a median of five means elsewhere; its noise that of the
    worse.
    """
    sway = SWAY_UNSEEN if settings.method in _BLIND else SWAY
    tolerances = guard.tolerances(terms.seeing, settings.guard * BEND, settings.guard * sway)
    weight = terms.weight.astype(np.float64)
    share = float(np.sum(weight**2) / max(np.sum(weight) ** 2, 1e-300))
    return *tolerances, max(guard.MEAN_OF_GROUPS / len(weight), share)


def _adaptive(
    cube: np.ndarray, inner: tuple[slice, slice], settings: Combine, terms: FrameTerms, variance_from_scatter: bool
) -> tuple[np.ndarray, ...]:
    n = len(cube)
    size = tuple(part.stop - part.start for part in inner)
    planes, hits = _blank(size, 0), np.zeros(n, np.int64)
    flat = np.ascontiguousarray(cube[:, *inner]).reshape(n, -1)
    model = float(np.mean(terms.noise)), float(np.mean(terms.photons)), terms.level
    tolerated = Guard.none(n, flat.shape[1])
    if terms.seeing is not None and settings.guards(n):
        bend, sway = settings.guard * BEND, settings.guard * SWAY_UNSEEN
        tolerated = guard.guard_stars(cube, terms.seeing, terms.gain, terms.zero, model, inner, bend, sway)
    # A limit below 2 sigma could leave nothing.
    limits = (np.maximum(np.float32(limit), np.float32(2.0)) for limit in (settings.low, settings.high))
    weigh.adaptive(
        flat, 0, flat.shape[1], *limits,
        terms.gain, terms.zero, terms.weight, terms.noise, terms.photons, np.float32(terms.level),
        *map(np.float32, model), tolerated.bend, tolerated.sway, tolerated.slope, tolerated.curve,
        variance_from_scatter, *(plane.reshape(-1) for plane in planes), hits,
    )  # fmt: skip
    return (*planes, hits)


def _weighted_medians(cube: np.ndarray, inner: tuple[slice, slice], terms: FrameTerms, out: np.ndarray) -> None:
    flat = np.ascontiguousarray(cube[:, *inner]).reshape(len(cube), -1)
    pairs = sorting_network(len(cube))
    weigh.weighted_median(flat, 0, flat.shape[1], pairs, terms.gain, terms.zero, terms.weight, out.reshape(-1))


def _grown(
    planes: tuple[np.ndarray, ...], samples: Samples, where: tuple[slice, slice], verdict: Verdict,
    within: tuple[slice, slice], settings: Combine, terms: FrameTerms, variance_from_scatter: bool,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Planes without the samples beside trails, of the pixels ``within`` only."""
    *planes, hits = planes
    pixels = verdict.grow(settings.grow)
    pixels = pixels[verdict.inside(pixels, within)]
    if pixels.size:
        n = samples.shape[0]
        gathered = np.empty((n, pixels.size), np.uint32)
        more = np.zeros(pixels.size, np.int32)
        grow_kernels.collect(
            samples.bits, samples.starts, samples.size[1], samples.swapped, where[0].start, where[1].start,
            verdict.samples, verdict.grown, *np.divmod(pixels, verdict.shape[1]), settings.fewest, gathered, more, hits,
        )  # fmt: skip
        plain, enough = Combine(method="mean", guard=0), more >= 0
        again = Samples(gathered.reshape(-1), np.arange(n) * pixels.size, (1, pixels.size), samples.swapped)
        again = _combine(again, np.s_[0:1, 0 : pixels.size], None, plain, terms, variance_from_scatter, None)
        for plane, values in zip(planes[:3], again):
            plane.reshape(-1)[pixels[enough]] = values[0, enough]
        planes[4].reshape(-1)[pixels[enough]] += more[enough]
    return (*(plane[within] for plane in planes), hits)


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
