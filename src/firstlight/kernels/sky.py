"""Level and noise of the sky in the boxes of a mesh, where stars are the exception."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.few import median_of
from firstlight.kernels.jit import fast_kernel, kernel

_KEPT_3 = 0.97334
"""Variance of a normal law cut at 3 sigma."""


@fast_kernel
def _sums_within(values, n, centre, limit):
    """Count, sum and sum of squares of ``value - centre`` of the first ``n`` values within ``limit`` of it.

    In float32, where whole vectors of them run side by side: against float64 the mean differs by 1e-7 of the limit.
    """
    inside = np.float32(0.0)
    first = np.float32(0.0)
    second = np.float32(0.0)
    for i in range(n):
        d = values[i] - centre
        keep = abs(d) <= limit
        kept = d if keep else np.float32(0.0)
        inside += np.float32(1.0) if keep else np.float32(0.0)
        first += kept
        second += kept * kept
    return inside, first, second


@kernel
def _moments_within(values, n, centre, limit):
    """Count, mean and variance of the first ``n`` values within ``limit`` of ``centre``."""
    inside, first, second = _sums_within(values, n, centre, limit)
    if inside == 0:
        return 0, float(centre), 0.0
    mean = float(first) / inside
    return int(inside), centre + mean, max(second / float(inside) - mean * mean, 0.0)


@kernel
def _rough_centre(values, n, few):
    """Median and 1.4826 MAD of about 64 of the values: a start that stars and hot pixels cannot spoil."""
    step = max(1, n // 64)
    count = 0
    for i in range(0, n, step):
        few[count] = values[i]
        count += 1
    middle = median_of(few, count)
    for i in range(count):
        few[i] = abs(few[i] - middle)
    return middle, np.float32(1.4826) * median_of(few, count)


@kernel
def _level_and_noise(values, n, few):
    centre, sigma = _rough_centre(values, n, few)
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


@fast_kernel
def _append_row(row, excluded, masked, columns, values, counts):
    """Append the usable pixels of a row to the ``values`` (nx, room) of the boxes between the edges ``columns``."""
    for i in range(counts.shape[0]):
        part = row[columns[i] : columns[i + 1]]
        width = part.shape[0]
        out = values[i, counts[i] : counts[i] + width]
        left_out = np.int32(masked)
        for x in range(width):
            out[x] = part[x]
            left_out += np.int32(not (abs(part[x]) < np.inf))
        n = width
        if left_out:
            n = 0
            for x in range(width):
                out[n] = part[x]
                n += abs(part[x]) < np.inf and not (masked and excluded[columns[i] + x])
        counts[i] += n


@kernel
def mesh_statistics(plane, excluded, rows, columns, fewest, level, noise):
    """Level and noise of the boxes between the edges ``rows`` (ny + 1,) and ``columns`` (nx + 1,).

    ``excluded`` (y, x) bool or an empty array; pixels that are not finite count as excluded. ``level`` and ``noise``
    (ny, nx) float32 become NaN where fewer than the share ``fewest`` of a box is left. About 1400 pixels of each box
    are looked at: every third row of a box of 64. Rows are read as they lie in memory, all boxes at once: box by box,
    reading took longer than all else.
    """
    masked = excluded.shape[0] > 0
    ny, nx = level.shape
    widest = 0
    tallest = 0
    for i in range(nx):
        widest = max(widest, columns[i + 1] - columns[i])
    for j in range(ny):
        tallest = max(tallest, rows[j + 1] - rows[j])
    # An odd step, so that even and odd rows (which may be amplified apart) count alike.
    step = max(1, tallest * widest // 1365) | 1
    values = np.empty((nx, (tallest // step + 1) * widest), np.float32)
    few = np.empty(128, np.float32)
    counts = np.empty(nx, np.int64)
    nothing = np.empty(0, np.bool_)
    for j in range(ny):
        counts[:] = 0
        seen = 0
        for y in range(rows[j] + step // 2 if rows[j + 1] - rows[j] > step else rows[j], rows[j + 1], step):
            _append_row(plane[y], excluded[y] if masked else nothing, masked, columns, values, counts)
            seen += 1
        for i in range(nx):
            n = counts[i]
            if n < 8 or n < fewest * seen * (columns[i + 1] - columns[i]):
                level[j, i] = np.nan
                noise[j, i] = np.nan
            else:
                level[j, i], noise[j, i] = _level_and_noise(values[i], n, few)
