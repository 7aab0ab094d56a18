"""Least-squares fits of the maps between two lists of matched positions."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.model.registration import Transform

Model = Literal["shift", "similarity", "affine", "homography"]

FREE: dict[str, int] = {"shift": 2, "similarity": 4, "affine": 6, "homography": 8}
"""Numbers that each model fits."""

COLLINEAR = 1e-10
"""A term of which less than this share (of its sum of squares) is its own adds nothing to the others."""


def fit_model(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray, model: Model, mirrored: bool = False
) -> Transform:
    """Weighted least squares for ``target = T(source)``; positions (n, 2), ``weights`` (n,) inverse variances.

    ``mirrored`` gives a similarity (or shift) its reflection; affine maps and homographies find it themselves.

    >>> corners = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 50.0], [100.0, 50.0]])
    >>> fit_model(corners, corners + [3.0, -2.0], np.ones(4), "similarity").matrix[:2, 2].round(6).tolist()
    [3.0, -2.0]
    """
    shares = weights / weights.sum()
    middle, goal = shares @ source, shares @ target
    size = float(np.sqrt(shares @ ((source - middle) ** 2).sum(axis=1))) or 1.0
    s, t = (source - middle) / size, (target - goal) / size
    flip = np.diag([1.0, -1.0]) if mirrored else np.eye(2)
    matrix = np.eye(3)
    if model == "shift":
        # The centre of weight moves; the scale is 1.
        matrix[:2, :2] = flip
        matrix[:2, 2] = goal - flip @ middle
        return Transform(matrix)
    s0 = s @ flip
    if model == "similarity":
        norm = float(np.sum(weights[:, None] * s0 * s0))
        a = float(np.sum(weights[:, None] * s0 * t)) / norm
        b = float(np.sum(weights * (s0[:, 0] * t[:, 1] - s0[:, 1] * t[:, 0]))) / norm
        linear = np.array([[a, -b], [b, a]]) @ flip
        matrix[:2, :2] = linear
    else:
        matrix[:2] = least_squares(np.column_stack([s, np.ones(len(s))]), t, weights).T
        if model == "homography":
            matrix = _projective(s, t, weights, matrix)
    into = np.array([[1 / size, 0, -middle[0] / size], [0, 1 / size, -middle[1] / size], [0, 0, 1]])
    back = np.array([[size, 0, goal[0]], [0, size, goal[1]], [0, 0, 1]])
    matrix = back @ matrix @ into
    if model != "homography":
        matrix[2] = 0.0, 0.0, 1.0
    return Transform(matrix / matrix[2, 2])


def least_squares(design: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Coefficients (terms, k) for which ``design`` (n, terms) times them is nearest to ``target`` (n, k)."""
    weighted = design * weights[:, None]
    return solve_normal(weighted.T @ design, weighted.T @ target)


def solve_normal(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solution (terms, k) of normal equations; of those that leave something open, the smallest.

    With positions scaled to 1 they are right to 1e-10, and take a tenth of the time of a singular value decomposition
    of the whole design.
    """
    try:
        factor = np.linalg.cholesky(matrix)
        own = np.diagonal(factor) ** 2 / np.diagonal(matrix)
        if own.min() > COLLINEAR:
            return np.linalg.solve(matrix, vector)
    except np.linalg.LinAlgError:
        pass
    return np.linalg.lstsq(matrix, vector, rcond=COLLINEAR)[0]


def _projective(s: np.ndarray, t: np.ndarray, weights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Gauss-Newton on the true residuals, from the affine solution; scaled coordinates."""
    both = np.repeat(weights, 2)
    homogeneous = np.column_stack([s, np.ones(len(s))])
    matrix = matrix.copy()
    for _ in range(6):
        mapped = homogeneous @ matrix.T
        w = mapped[:, 2:]
        uv = mapped[:, :2] / w
        design = np.zeros((2 * len(s), 8))
        design[0::2, 0:3] = homogeneous / w
        design[1::2, 3:6] = homogeneous / w
        design[0::2, 6:8] = -uv[:, :1] * s / w
        design[1::2, 6:8] = -uv[:, 1:] * s / w
        step = least_squares(design, (t - uv).reshape(-1, 1), both)[:, 0]
        matrix[:2] += step[:6].reshape(2, 3)
        matrix[2, :2] += step[6:]
        if np.abs(step).max() < 1e-12:
            break
    return matrix


def fit_robustly(
    source: np.ndarray, target: np.ndarray, sigma: np.ndarray, model: Model, mirrored: bool = False
) -> tuple[Transform, np.ndarray]:
    """Fit with Tukey's biweight on residuals over ``sigma`` (n,), each at least the scatter that is seen.

    Returns the transform and the final weights (n,), 0 for outliers.
    """
    weights = 1.0 / sigma**2
    used = weights
    for _ in range(8):
        transform = fit_model(source, target, used, model, mirrored)
        residual = np.hypot(*(transform(source) - target).T) / sigma
        # The median of a Rayleigh law is 1.1774 sigma.
        scale = max(float(np.median(residual)) / 1.1774, 1e-3)
        u = residual / (6.0 * scale)
        tapered = weights * np.where(u < 1, (1 - u**2) ** 2, 0.0)
        if np.count_nonzero(tapered) < FREE[model] // 2 + 1:
            break
        change = np.abs(tapered - used).max()
        used = tapered
        if change < 1e-3 * used.max():
            break
    return fit_model(source, target, used, model, mirrored), used
