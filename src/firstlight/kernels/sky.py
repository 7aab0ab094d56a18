"""Level and noise of the sky in the boxes of a mesh, where stars are the exception."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel

_KEPT_3 = 0.97334
"""Variance of a normal law cut at 3 sigma."""


@fast_kernel
def _moments_within(values, n, centre, limit):
    """Count, mean and variance of the first ``n`` values within ``limit`` of ``centre``."""
    inside = 0
    first = 0.0
    second = 0.0
    for i in range(n):
        d = values[i] - centre
        keep = abs(d) <= limit
        kept = d if keep else np.float32(0.0)
        inside += keep
        first += kept
        second += kept * kept
    if inside == 0:
        return 0, float(centre), 0.0
    mean = first / inside
    return inside, centre + mean, max(second / inside - mean * mean, 0.0)


@kernel
def _rough_centre(values, n):
    """Median and 1.4826 MAD of about 64 of the values: a start that stars and hot pixels cannot spoil."""
    step = max(1, n // 64)
    few = np.sort(values[:n:step])
    middle = few[few.shape[0] // 2]
    spread = np.sort(np.abs(few - middle))
    return middle, np.float32(1.4826) * spread[spread.shape[0] // 2]


@kernel
def _level_and_noise(values, n):
    centre, sigma = _rough_centre(values, n)
    if sigma <= 0.0:
        # Half of the pixels are equal: coarse numbers, or no noise at all. Begin with all that is there.
        _, mean, variance = _moments_within(values, n, centre, np.float32(np.inf))
        centre, sigma = np.float32(mean), np.float32(math.sqrt(variance))
    inside = 0
    wide = float(centre)
    spread = float(sigma)
    for _ in range(12):
        count, wide, variance = _moments_within(values, n, np.float32(wide), np.float32(3.0 * spread))
        spread = math.sqrt(variance / _KEPT_3)
        if count == inside:
            break
        inside = count
    if inside < 2:
        return float(centre), 0.0
    narrow = wide
    for _ in range(4):
        _, narrow, _ = _moments_within(values, n, np.float32(narrow), np.float32(2.0 * spread))
    # Faint stars pull the wide mean up more than the narrow one: as far again lies the empty sky.
    level = 2.0 * narrow - wide if abs(wide - narrow) < 0.3 * spread else narrow
    return level, spread


@kernel
def mesh_statistics(plane, excluded, rows, columns, fewest, level, noise):
    """Level and noise of the boxes between the edges ``rows`` (ny + 1,) and ``columns`` (nx + 1,).

    ``excluded`` (y, x) bool or an empty array; pixels that are not finite count as excluded. ``level`` and ``noise``
    (ny, nx) float32 become NaN where fewer than the share ``fewest`` of a box is left. About 1400 pixels of each box
    are looked at: every third row of a box of 64.
    """
    masked = excluded.shape[0] > 0
    largest = 0
    for j in range(level.shape[0]):
        for i in range(level.shape[1]):
            largest = max(largest, (rows[j + 1] - rows[j]) * (columns[i + 1] - columns[i]))
    values = np.empty(largest, np.float32)
    for j in range(level.shape[0]):
        for i in range(level.shape[1]):
            left, right = columns[i], columns[i + 1]
            # An odd step, so that even and odd rows (which may be amplified apart) count alike.
            step = max(1, (rows[j + 1] - rows[j]) * (right - left) // 2730) | 1
            n = 0
            seen = 0
            for y in range(rows[j] + step // 2 if rows[j + 1] - rows[j] > step else rows[j], rows[j + 1], step):
                seen += right - left
                if masked:
                    for x in range(left, right):
                        v = plane[y, x]
                        if not excluded[y, x] and abs(v) < np.inf:
                            values[n] = v
                            n += 1
                else:
                    for x in range(left, right):
                        v = plane[y, x]
                        values[n] = v
                        n += abs(v) < np.inf
            if n < 8 or n < fewest * seen:
                level[j, i] = np.nan
                noise[j, i] = np.nan
            else:
                level[j, i], noise[j, i] = _level_and_noise(values, n)
