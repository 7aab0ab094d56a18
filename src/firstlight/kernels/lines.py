"""Hough transform: which straight line runs through most of some pixels."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def vote_for_lines(xs, ys, cosines, sines, offset, sign, votes):
    """Add ``sign`` to the votes (angle, distance + ``offset``) of all lines through each pixel."""
    for i in range(cosines.shape[0]):
        c, s, row = cosines[i], sines[i], votes[i]
        for p in range(xs.shape[0]):
            row[int(xs[p] * c + ys[p] * s + offset + 0.5)] += sign


@kernel
def richest_line(votes, cosines, sines, offset, density, height, width, shortest, limit):
    """``(angle number, distance, significance)`` of the line that is most sigma richer than chance makes it.

    Two bins together: a line seldom falls into the middle of one. ``density``: share of the pixels that vote. Lines
    shorter than ``shortest`` within the frame do not count; angle number -1 where none exceeds ``limit``.
    """
    best, where, distance = limit, -1, 0.0
    for i in range(cosines.shape[0]):
        c, s, row = cosines[i], sines[i], votes[i]
        for k in range(row.shape[0] - 1):
            pair = row[k] + row[k + 1]
            # At least one vote is always expected.
            if pair - 1.0 <= best:
                continue
            rho = k - offset + 0.5
            length = _chord(rho, c, s, height, width)
            if length < shortest:
                continue
            expected = max(2 * density * length, 1.0)
            significance = (pair - expected) / np.sqrt(expected)
            if significance > best:
                best, where, distance = significance, i, rho
    return where, distance, best


@kernel
def _chord(rho, c, s, height, width):
    """Length of the line x c + y s = rho within the frame."""
    low, high = -np.inf, np.inf
    for axis in range(2):
        start, slope, size = (rho * c, -s, width) if axis == 0 else (rho * s, c, height)
        if abs(slope) < 1e-9:
            if start < 0 or start > size - 1:
                low, high = 0.0, 0.0
            continue
        a, b = (0 - start) / slope, (size - 1 - start) / slope
        low, high = max(low, min(a, b)), min(high, max(a, b))
    return max(high - low, 0.0)
