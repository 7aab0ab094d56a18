"""Ensemble photometry: zero points of frames and mean magnitudes of stars from all measurements at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError

ROUNDS = 24
SETTLED = 6
"""Rounds until single points are judged: before, a variable star has not yet lost its say."""
TURNS = 60
"""Turns of frames and stars in each round, at most; without gaps in the data two are enough."""
OUTLIER = 5.0
"""Sigma beyond which one measurement of a comparison star takes no part."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """``magnitude[frame, star] = zero(frame, place) + mean[star]``, as well as noise allows."""

    coefficients: np.ndarray
    """(frames, terms): of the zero point over the field, mag; NaN where a frame shows too few stars."""
    covariance: np.ndarray
    """(frames, terms, terms)."""
    centre: np.ndarray
    """(2,): the middle of the comparison stars, px; and ``spread``, what one unit of the polynomial is."""
    spread: float
    mean: np.ndarray
    """(stars,), mag."""
    apart: np.ndarray
    """(frames, stars): magnitude of each star against the ensemble **without it**, less its mean."""
    apart_error: np.ndarray
    """What measurements and ensemble let expect of it, without the excess."""
    excess: np.ndarray
    """(stars,): standard deviation that a star has beyond its errors, mag."""

    @property
    def scatter(self) -> np.ndarray:
        """(stars,): robust standard deviation of ``apart``."""
        return robust_sigma(self.apart)

    @property
    def expected(self) -> np.ndarray:
        """(stars,): what the errors let expect of the scatter."""
        return np.sqrt(median_of_finite(self.apart_error**2))

    @property
    def zero(self) -> np.ndarray:
        """(frames,): zero point in the middle of the comparison stars, mag."""
        return self.coefficients[:, 0]

    def zero_at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Zero points (frames, n) at places (n, 2) of the reference frame, and their standard errors."""
        basis = _basis(positions, self.centre, self.spread, self.coefficients.shape[1])
        variance = np.einsum("np,fpq,nq->fn", basis, self.covariance, basis)
        return self.coefficients @ basis.T, np.sqrt(np.maximum(variance, 0.0))


def robust_sigma(values: np.ndarray) -> np.ndarray:
    """1.4826 MAD along the first axis, made up for few values; NaN is left out.

    >>> float(robust_sigma(np.array([[1.0], [2.0], [3.0]]))[0].round(2))
    2.02
    """
    values = np.asarray(values, np.float64)
    count = np.isfinite(values).sum(axis=0)
    mad = median_of_finite(np.abs(values - median_of_finite(values)))
    # Of n Gaussian numbers the MAD is too small by about 0.8/n (Croux & Rousseeuw 1992).
    return np.where(count > 1, 1.4826 * mad * count / np.maximum(count - 0.8, 0.5), np.nan)


def median_of_finite(values: np.ndarray) -> np.ndarray:
    """Median along the first axis of what is finite; NaN where nothing is, without a warning."""
    some = np.isfinite(values).any(axis=0)
    clear = np.where(np.isfinite(values), values, np.nan)
    return np.where(some, np.nanmedian(np.where(some, clear, 0.0), axis=0), np.nan)


def _basis(positions: np.ndarray, centre: np.ndarray, spread: float, terms: int) -> np.ndarray:
    scaled = (np.asarray(positions, np.float64).reshape(-1, 2) - centre) / spread
    return np.column_stack([np.ones(len(scaled)), scaled])[:, :terms]


def solve_ensemble(
    magnitudes: np.ndarray, errors: np.ndarray, positions: np.ndarray | None = None, *, plane: bool = False
) -> Ensemble:
    """Least squares over all frames and stars, missing measurements left out (Honeycutt 1992, PASP 104, 435).

    Weights are inverse variances of the measurements, to which each star's own excess scatter is added: a variable
    star among the comparisons loses its say. Both are found in turns. Single measurements beyond 5 sigma are left out.

    Parameters
    ----------
    magnitudes, errors : (frames, stars), instrumental; NaN where a star was not measured.
    positions : (stars, 2), px of the reference frame; for ``plane``.
    plane : the zero point of a frame is a plane over the field: thin clouds, differential extinction, a flat field that
        is not quite right while the stars drift over it.

    Raises
    ------
    FrameError
        No star has two measurements.

    >>> zero, mean = np.array([0.0, 0.3, -0.3]), np.array([1.0, 2.0])
    >>> found = solve_ensemble(zero[:, None] + mean, np.full((3, 2), 0.01))
    >>> found.zero.round(6).tolist(), found.mean.round(6).tolist()
    ([0.0, 0.3, -0.3], [1.0, 2.0])
    """
    magnitudes = np.asarray(magnitudes, np.float64)
    known = np.isfinite(magnitudes) & np.isfinite(errors) & (np.asarray(errors) > 0)
    if magnitudes.size == 0 or known.sum(axis=0).max() < 2:
        raise FrameError("ensemble: no comparison star was measured in two frames; choose others")
    n_stars = magnitudes.shape[1]
    positions = np.zeros((n_stars, 2)) if positions is None else np.asarray(positions, np.float64)
    terms = 3 if plane else 1
    centre = positions.mean(axis=0)
    spread = float(max(np.hypot(*(positions - centre).T).max(), 1.0))
    basis = _basis(positions, centre, spread, terms)
    m = np.where(known, magnitudes, 0.0)
    variance = np.where(known, np.square(np.where(known, errors, 1.0)), np.inf)
    excess, mean, kept = np.zeros(n_stars), _first_means(m, known), known
    for turn in range(ROUNDS):
        weights = np.where(kept, 1.0 / (variance + excess**2), 0.0)
        coefficients, covariance, mean = _alternate(m, weights, basis, mean)
        residual = m - mean - coefficients @ basis.T
        leverage = weights * np.einsum("np,fpq,nq->fn", basis, covariance, basis)
        with np.errstate(invalid="ignore", divide="ignore"):
            alone = known & (leverage < 1.0 - 1e-6)
            apart = np.where(alone, residual / (1.0 - leverage), np.nan)
            apart_variance = np.where(alone, variance + (variance + excess**2) * leverage / (1.0 - leverage), np.nan)
            ratio = np.abs(apart - median_of_finite(apart)) / np.sqrt(apart_variance + excess**2)
        fresh = np.sqrt(np.maximum(np.nan_to_num(robust_sigma(apart) ** 2 - median_of_finite(apart_variance)), 0.0))
        now = kept.copy()
        if turn >= SETTLED:
            # The worst of each frame alone: it makes the others of its frame look wild too.
            worst = np.argmax(np.where(kept & np.isfinite(ratio), ratio, -1.0), axis=1)
            frames = np.arange(len(m))
            now[frames, worst] &= ~(ratio[frames, worst] > OUTLIER)
        done = turn > SETTLED and np.allclose(fresh, excess, atol=1e-5) and np.array_equal(now, kept)
        # Half-way each time: two stars that trade places would never rest.
        excess, kept = 0.5 * (excess + fresh), now
        if done:
            break
    shift = np.nanmean(coefficients, axis=0)
    return Ensemble(
        coefficients - shift, covariance, centre, spread, mean + basis @ shift, apart - median_of_finite(apart),
        np.sqrt(apart_variance), excess,
    )  # fmt: skip


def _first_means(m: np.ndarray, known: np.ndarray) -> np.ndarray:
    middle = np.nanmedian(np.where(known, m, np.nan)[known.sum(axis=1) == known.sum(axis=1).max()], axis=0)
    return np.where(np.isfinite(middle), middle, np.where(known, m, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _alternate(
    m: np.ndarray, weights: np.ndarray, basis: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients of the frames and means of the stars, each from the other until they rest."""
    terms = basis.shape[1]
    normal = np.einsum("fn,np,nq->fpq", weights, basis, basis)
    enough = (weights > 0).sum(axis=1) >= (1 if terms == 1 else terms + 2)
    covariance = np.full(normal.shape, np.nan)
    covariance[enough] = np.linalg.pinv(normal[enough], hermitian=True)
    used = np.where(enough[:, None], weights, 0.0)
    whole = used.sum(axis=0)
    for _ in range(TURNS):
        right = np.einsum("fn,fn,np->fp", weights, m - mean, basis)
        coefficients = np.einsum("fpq,fq->fp", covariance, right)
        rest = np.where(enough[:, None], m - np.nan_to_num(coefficients) @ basis.T, 0.0)
        fresh = np.where(whole > 0, (used * rest).sum(axis=0) / np.maximum(whole, 1e-300), mean)
        step = np.abs(fresh - mean).max()
        mean = fresh
        if step < 1e-7:
            break
    return coefficients, covariance, mean
