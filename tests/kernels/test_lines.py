"""The richest straight line, against a plain Hough transform in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from firstlight.kernels.lines import richest_line, vote_for_lines

SHORTEST = 40


def plain_best_line(lit: np.ndarray, limit: float) -> tuple[float, float, float] | None:
    """Angle of the normal, distance from the origin, and significance, of the richest line of the binned frame."""
    height, width = lit.shape
    ys, xs = np.nonzero(lit)
    if len(ys) < SHORTEST:
        return None
    density = len(ys) / lit.size
    diagonal = math.ceil(math.hypot(height, width))
    best = (0.0, 0.0, limit)
    for theta in np.arange(0, math.pi, 1 / diagonal):
        c, s = math.cos(theta), math.sin(theta)
        counts = np.bincount((xs * c + ys * s + diagonal + 0.5).astype(np.int64), minlength=2 * diagonal + 2)
        # Two bins together: a line seldom falls into the middle of one.
        pairs = counts[:-1] + counts[1:]
        rhos = np.arange(len(pairs)) - diagonal + 0.5
        length = plain_chord(rhos, c, s, height, width)
        expected = np.maximum(2 * density * length, 1.0)
        significance = np.where(length >= SHORTEST, (pairs - expected) / np.sqrt(expected), 0.0)
        k = int(np.argmax(significance))
        if significance[k] > best[2]:
            best = (float(theta), float(rhos[k]), float(significance[k]))
    return best if best[2] > limit else None


def plain_chord(rho: np.ndarray, c: float, s: float, height: int, width: int) -> np.ndarray:
    """Length of the lines x c + y s = rho within the frame."""
    low, high = np.full(rho.shape, -np.inf), np.full(rho.shape, np.inf)
    for start, slope, size in ((rho * c, -s, width), (rho * s, c, height)):
        if abs(slope) < 1e-9:
            outside = (start < 0) | (start > size - 1)
            low, high = np.where(outside, 0.0, low), np.where(outside, 0.0, high)
            continue
        a, b = (0 - start) / slope, (size - 1 - start) / slope
        low, high = np.maximum(low, np.minimum(a, b)), np.minimum(high, np.maximum(a, b))
    return np.maximum(high - low, 0.0)


def best_line(lit, limit, gone=None):
    """With the kernels; pixels that are ``gone`` have voted and take their votes back."""
    diagonal = math.ceil(math.hypot(*lit.shape))
    thetas = np.arange(0, math.pi, 1 / diagonal)
    normals = [np.array([f(theta) for theta in thetas]) for f in (math.cos, math.sin)]
    votes = np.zeros((len(thetas), 2 * diagonal + 2), np.int32)
    for pixels, sign in ((lit, 1), (gone, -1)):
        if pixels is not None:
            ys, xs = np.nonzero(pixels)
            vote_for_lines(xs, ys, *normals, float(diagonal), sign, votes)
    left = lit if gone is None else lit & ~gone
    number, rho, significance = richest_line(
        votes, *normals, float(diagonal), np.count_nonzero(left) / left.size, *lit.shape, SHORTEST, limit
    )
    return None if number < 0 else (float(thetas[number]), rho, significance)


@pytest.mark.parametrize("seed", range(4))
def test_is_the_plain_transform(seed):
    rng = np.random.default_rng(seed)
    lit = rng.random((90 + 40 * seed, 150)) < 0.06
    y, x = np.ogrid[: lit.shape[0], : lit.shape[1]]
    for theta, rho in ((0.3 + seed, 40.0), (math.pi / 2, 33.0), (0.0, 70.0)):
        on = np.abs(x * math.cos(theta) + y * math.sin(theta) - rho) < 1
        lit |= on & (rng.random(lit.shape) < 0.6)
        assert best_line(lit, 5.0) == plain_best_line(lit, 5.0)
    gone = on & lit
    assert best_line(lit, 5.0, gone) == plain_best_line(lit & ~gone, 5.0)


def test_chance_makes_no_line():
    lit = np.random.default_rng(9).random((120, 160)) < 0.05
    assert best_line(lit, 8.0) is None
    assert plain_best_line(lit, 8.0) is None
