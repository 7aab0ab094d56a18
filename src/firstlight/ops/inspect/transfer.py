"""Gain and read noise of a detector from pairs of frames: the photon transfer curve.

The noise of the difference of two equal exposures holds no fixed pattern. On bias frames it is the read noise; on flats
its square grows with the signal by 1 / gain (Janesick, *Photon Transfer*, 2007). Vignetting alone already spreads the
signal, so that every tile of a pair is a point of the curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CLIP = 4.0
"""Differences beyond so many sigma (cosmic rays, telegraph noise) are left out."""
CLIPPED_SPREAD = math.sqrt(
    1 - 2 * CLIP * math.exp(-(CLIP**2) / 2) / math.sqrt(2 * math.pi) / math.erf(CLIP / math.sqrt(2))
)
"""Standard deviation of a normal law cut off there, in units of that of the whole."""
TILE = 32
"""px of one colour: side of a tile, of 1024 differences."""
TOP = 0.8
"""Share of the range up to saturation, or up to where the noise breaks down, that the curve is fitted on."""
BREAK_DOWN = 0.7
"""Where the noise falls below this share of the curve, pixels are full."""
CURVED = 4.0
"""The curve is given a bend only where that is so many times its error."""


@dataclass(frozen=True, eq=False)
class Points:
    """Tiles of pairs of flats: signal and variance of one frame, of one colour."""

    signal: np.ndarray
    """adu above the bias."""
    variance: np.ndarray
    """adu^2."""
    count: np.ndarray
    """Pixels of the tile that took part."""

    @classmethod
    def join(cls, parts: Sequence[Points]) -> Points:
        """All points of several pairs."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("signal", "variance", "count")))

    def where(self, chosen: np.ndarray) -> Points:
        return Points(self.signal[chosen], self.variance[chosen], self.count[chosen])

    def binned(self, n: int) -> Points:
        """Means of about ``n`` classes of equal numbers of tiles, in order of signal."""
        order = np.array_split(np.argsort(self.signal, kind="stable"), min(n, len(self.signal)))
        return Points(
            np.array([self.signal[k].mean() for k in order]),
            np.array([np.average(self.variance[k], weights=self.count[k]) for k in order]),
            np.array([self.count[k].sum() for k in order]),
        )


@dataclass(frozen=True)
class Transfer:
    """A fitted photon transfer curve: variance = read variance + signal / gain + bend * signal^2, in adu."""

    gain: float
    """e-/adu, where the signal is small."""
    gain_error: float
    read_variance: float
    """adu^2."""
    bend: float
    """Below zero: the noise of bright pixels is too small, for their charge repels more of it (brighter-fatter)."""
    points: int
    chi2: float
    """Reduced: near 1 where nothing but noise moves the points."""
    lowest: float
    highest: float
    """adu: range of the signals fitted."""

    def variance(self, signal: np.ndarray) -> np.ndarray:
        """adu^2 at signals in adu."""
        return self.read_variance + signal / self.gain + self.bend * signal**2


def clipped_noise(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of values that are normal but for a few wild ones (`CLIP` sigma).

    >>> rng = np.random.default_rng(1)
    >>> values = rng.normal(5, 2, 100_000); values[:50] = 1000
    >>> mean, sigma = clipped_noise(values)
    >>> round(mean, 1), round(sigma, 1)
    (5.0, 2.0)
    """
    values = np.asarray(values, np.float64).ravel()
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan, math.nan
    centre = float(np.median(values))
    # Numbers are whole adu: a quiet sensor's MAD may be nought.
    sigma = max(1.4826 * float(np.median(np.abs(values - centre))), 0.3)
    for _ in range(6):
        kept = values[np.abs(values - centre) <= CLIP * sigma]
        before, centre = sigma, float(kept.mean())
        sigma = float(kept.std()) / CLIPPED_SPREAD
        if abs(sigma - before) <= 1e-4 * before or sigma == 0:
            break
    return centre, sigma


def pair_noise(one: np.ndarray, two: np.ndarray) -> float:
    """Noise of one frame (adu) from two equal ones; what both share drops out.

    >>> rng = np.random.default_rng(1)
    >>> pattern = rng.normal(0, 50, (300, 300))
    >>> round(pair_noise(pattern + rng.normal(0, 3, (300, 300)), pattern + rng.normal(0, 3, (300, 300))), 1)
    3.0
    """
    return clipped_noise(np.subtract(one, two, dtype=np.float64))[1] / math.sqrt(2)


def transfer_points(one: np.ndarray, two: np.ndarray, offset: np.ndarray | float, limit: float = np.inf) -> Points:
    """Signal and variance of each tile of two flats of one colour (y, x); tiles that reach ``limit`` are left out.

    ``offset`` is the bias, in adu. The lamp may have changed between the frames: the second is scaled to the first.
    """
    a = np.subtract(one, offset, dtype=np.float64)
    b = np.subtract(two, offset, dtype=np.float64)
    level = float(np.median(b))
    ratio = float(np.median(a)) / level if level > 0 else 1.0
    side = max(4, min(TILE, *a.shape))
    difference, mean = _tiles(a - ratio * b, side), _tiles(0.5 * (a + ratio * b), side)
    full = (_tiles(np.maximum(one, two).astype(np.float64), side) >= limit).any(axis=1)
    centre = np.median(difference, axis=1, keepdims=True)
    sigma = np.maximum(1.4826 * np.median(np.abs(difference - centre), axis=1, keepdims=True), 0.3)
    for _ in range(3):
        kept = np.abs(difference - centre) <= CLIP * sigma
        count = kept.sum(axis=1)
        some = np.maximum(count, 2)[:, None]
        centre = np.sum(difference, axis=1, keepdims=True, where=kept) / some
        squares = np.sum((difference - centre) ** 2, axis=1, keepdims=True, where=kept)
        sigma = np.sqrt(squares / (some - 1)) / CLIPPED_SPREAD
    usable = ~full & (count >= side * side // 2) & (sigma[:, 0] > 0)
    # Of the first frame, with r = ratio: var(a - r b) = n (1 + r^2) + S_a (1 + r) / gain.
    weight = 1 + ratio**2
    signal = np.sum(mean, axis=1, where=kept) / some[:, 0] * (1 + ratio) / weight
    return Points(signal[usable], (sigma[:, 0] ** 2 / weight)[usable], count[usable].astype(np.float64))


def _tiles(plane: np.ndarray, side: int) -> np.ndarray:
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    cut = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return cut.transpose(0, 2, 1, 3).reshape(rows * columns, side * side)


def pair_gain(points: Points, read_variance: float) -> float:
    """Gain (e-/adu) by the pair method: all signal over all photon variance. NaN without signal.

    >>> signal = np.array([100.0, 200.0])
    >>> pair_gain(Points(signal, signal / 2 + 9, np.ones(2)), 9.0)
    2.0
    """
    photons = float(np.sum((points.variance - read_variance) * points.count))
    return float(np.sum(points.signal * points.count)) / photons if photons > 0 else math.nan


def breaking_point(points: Points) -> float | None:
    """Signal (adu) at which the noise falls away because pixels are full; None where it never does."""
    if len(points.signal) < 20:
        return None
    shown = points.binned(40)
    top = int(np.argmax(shown.variance))
    if top == len(shown.signal) - 1:
        return None
    after = shown.variance[top + 1 :] < BREAK_DOWN * shown.variance[top]
    return float(shown.signal[top]) if after.any() else None


def fit_transfer(points: Points, read_variance: float | None, limit: float | None = None) -> Transfer | None:
    """Fit the curve to tiles; None where their signals do not tell a gain.

    Parameters
    ----------
    points : Points
    read_variance : float or None
        From bias frames, adu^2; None fits it too, from the lights' own spread of signals.
    limit : float, optional
        Signal (adu) of full pixels; the curve is fitted up to 80 % of it.

    Notes
    -----
    Weights come from the fitted curve, not from the single variances: those that chance made small would weigh most
    and make the gain too large. A bend is fitted only where the signals span a factor of 3 and it is significant.
    """
    inside = points.signal > 0
    if limit is not None:
        inside &= points.signal <= TOP * limit
    points = points.where(inside)
    if len(points.signal) < 3:
        return None
    spread = float(np.quantile(points.signal, 0.98) / max(np.quantile(points.signal, 0.02), 1e-9))
    if read_variance is None and spread < 1.5:
        return None
    straight = _solve(points, read_variance, bent=False)
    if straight is None or spread < 3 or len(points.signal) < 30:
        return straight
    bent = _solve(points, read_variance, bent=True)
    return bent if bent is not None and bent.bend != 0 else straight


def _solve(points: Points, read_variance: float | None, bent: bool) -> Transfer | None:
    signal, variance, count = points.signal, points.variance, points.count
    columns = [signal] + ([signal**2] if bent else []) + ([np.ones_like(signal)] if read_variance is None else [])
    matrix = np.stack(columns, axis=1)
    target = variance - (read_variance or 0.0)
    model, kept = np.maximum(variance, 1e-9), np.ones(len(signal), bool)
    for _ in range(8):
        sigma = np.sqrt(2.0 / count) * model
        design, values = matrix[kept] / sigma[kept, None], target[kept] / sigma[kept]
        solution, *_ = np.linalg.lstsq(design, values, rcond=None)
        fitted = matrix @ solution + (read_variance or 0.0)
        model = np.maximum(fitted, 0.05 * variance)
        kept = np.abs(variance - fitted) <= 5 * np.sqrt(2.0 / count) * model
        if kept.sum() <= matrix.shape[1]:
            return None
    freedom = max(int(kept.sum()) - matrix.shape[1], 1)
    chi2 = float(np.sum(((design @ solution) - values) ** 2)) / freedom
    errors = np.sqrt(np.diag(np.linalg.pinv(design.T @ design)) * max(chi2, 1.0))
    slope, slope_error = float(solution[0]), float(errors[0])
    if not slope > 0:
        return None
    bend = float(solution[1]) if bent and abs(solution[1]) > CURVED * errors[1] else 0.0
    noise = float(solution[-1]) if read_variance is None else float(read_variance)
    return Transfer(
        1 / slope, slope_error / slope**2, noise, bend, int(kept.sum()), chi2,
        float(signal[kept].min()), float(signal[kept].max()),
    )  # fmt: skip
