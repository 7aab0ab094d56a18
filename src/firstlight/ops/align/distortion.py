"""Smooth corrections to the transform between two frames, from many stars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.model.distortion import Bend, Distorted, monomials
from firstlight.model.registration import Transform
from firstlight.ops.align.models import solve_normal

FEWEST = {2: 60, 3: 80, 4: 150}
"""Stars without which a polynomial of a degree is not tried."""
FOLDS = 5
GAIN = 0.93
"""A degree is taken if stars that were left out lie nearer to it by this factor than to the one below."""
WORTH = 0.03
"""px (root mean square over the stars); smaller corrections change nothing in a picture and cost time."""
CELLS = 4
EMPTY = 2
"""Of 4 x 4 cells of the field, this many may be without a star: polynomials run away where there are none."""
SIGMAS = 4.0


def fit_distortion(
    source: np.ndarray, target: np.ndarray, sigma: np.ndarray, transform: Transform, field: np.ndarray
) -> Distorted | None:
    """The transform with a polynomial of degree 2 to 4 between, if matched stars show clearly that it is needed.

    What is left of the stars after ``transform`` is fitted in the frame's own pixels. A fifth of the stars at a time is
    left out and predicted from the others; only a degree that predicts them better than the one below counts, so
    that neither noise nor a few wrong pairs make a distortion.

    Parameters
    ----------
    source, target : matched positions (n, 2) on the frame and on the reference.
    sigma : errors (n,) of the pairs, reference px.
    transform : the best affine map or homography.
    field : positions of all stars of the frame, whose extent the correction must hold for.

    Returns
    -------
    None where the plain transform serves as well, or where the stars are too few or leave parts of the field empty.
    """
    low, high = field.min(axis=0), field.max(axis=0)
    if len(source) < FEWEST[2] or not _covers(source, low, high):
        return None
    centre, size = 0.5 * (low + high), 0.5 * float(np.hypot(*(high - low)))
    left = transform.inverse(target) - source
    u, v = ((source - centre) / size).T
    weights = (transform.scale / sigma) ** 2
    for _ in range(4):
        degree, coefficients = _choose(u, v, left, weights)
        residual = np.hypot(*(left - _design(u, v, degree) @ coefficients).T) * np.sqrt(weights.clip(1e-300))
        kept = weights > 0
        scale = max(float(np.median(residual[kept])) / 1.1774, 1e-3)
        outliers = kept & (residual > SIGMAS * scale)
        if not outliers.any() or kept.sum() - outliers.sum() < FEWEST[2]:
            break
        weights = np.where(outliers, 0.0, weights)
    if degree < 2:
        return None
    # The linear part joins the matrix: x + a + B x + D(x) = A (x + A^-1 D(x)) + a, with A = 1 + B.
    linear = np.eye(2) + coefficients[1:3].T / size
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = coefficients[0] - (linear - np.eye(2)) @ centre
    bend = Bend((float(centre[0]), float(centre[1])), size, coefficients[3:] @ np.linalg.inv(linear).T)
    moved = np.hypot(*bend.shift(source).T)
    if np.sqrt(np.mean(moved**2)) < WORTH:
        return None
    return Distorted.of(bend, Transform(matrix).then(transform))


def _covers(source: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    cells = np.minimum(((source - low) / (high - low) * CELLS).astype(int), CELLS - 1)
    return len(np.unique(cells, axis=0)) >= CELLS**2 - EMPTY


def _choose(u: np.ndarray, v: np.ndarray, left: np.ndarray, weights: np.ndarray) -> tuple[int, np.ndarray]:
    """The degree that predicts best, and its coefficients (terms, 2)."""
    n = np.count_nonzero(weights)
    degrees = [degree for degree, fewest in FEWEST.items() if n >= fewest]
    # The terms of a degree are the first of those of the next: the sums of products of the highest serve all.
    design = _design(u, v, max([1, *degrees]))
    folds = _Folds.of(design, left, weights)
    chosen, error = 1, folds.predicted(3)
    for degree in degrees:
        tried = folds.predicted(_terms(degree))
        # A radial distortion shows in the third degree only: each is held against the best before, not the last.
        if tried < GAIN * error:
            chosen, error = degree, tried
    return chosen, folds.solved(_terms(chosen))


@dataclass(frozen=True, eq=False)
class _Folds:
    """Fifths of the stars, with the sums of products of each."""

    design: tuple[np.ndarray, ...]
    left: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    matrices: np.ndarray
    """(folds, terms, terms)."""
    vectors: np.ndarray
    """(folds, terms, 2)."""

    @classmethod
    def of(cls, design: np.ndarray, left: np.ndarray, weights: np.ndarray) -> _Folds:
        fold = np.arange(len(left)) * 7 % FOLDS
        parts = [tuple(each[fold == k] for k in range(FOLDS)) for each in (design, left, weights)]
        scaled = [(d * w[:, None]).T for d, w in zip(parts[0], parts[2])]
        matrices = np.stack([s @ d for s, d in zip(scaled, parts[0])])
        vectors = np.stack([s @ t for s, t in zip(scaled, parts[1])])
        return cls(*parts, matrices, vectors)

    def predicted(self, terms: int) -> float:
        """Weighted rms distance of stars from the fits, with so many terms, that they were left out of."""
        matrix, vector = self.matrices.sum(axis=0), self.vectors.sum(axis=0)
        squares = 0.0
        for k in range(FOLDS):
            others = matrix - self.matrices[k], vector - self.vectors[k]
            coefficients = solve_normal(others[0][:terms, :terms], others[1][:terms])
            distance = self.left[k] - self.design[k][:, :terms] @ coefficients
            squares += float(np.sum(self.weights[k] * (distance**2).sum(axis=1)))
        return (squares / sum(float(w.sum()) for w in self.weights)) ** 0.5

    def solved(self, terms: int) -> np.ndarray:
        """Coefficients (terms, 2) of the fit to all stars."""
        return solve_normal(self.matrices.sum(axis=0)[:terms, :terms], self.vectors.sum(axis=0)[:terms])


def _terms(degree: int) -> int:
    return (degree + 1) * (degree + 2) // 2


def _design(u: np.ndarray, v: np.ndarray, degree: int) -> np.ndarray:
    """Columns 1, u, v, then `monomials` up to a degree."""
    return np.column_stack(
        [np.ones_like(u), u, v, *(term for _, term in zip(range(_terms(degree) - 3), monomials(u, v)))]
    )
