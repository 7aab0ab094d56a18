"""Lowest values along diagonals."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def diagonal_extreme(plane, slope, half, out):
    """Lowest of the pixels (y + k, x + slope k), -half <= k <= half, into ``out``; those beyond the edge do not count.

    Running minima from both ends of blocks of the window's length (van Herk 1992): three comparisons a pixel, however
    long the window.
    """
    height, width = plane.shape
    window = 2 * half + 1
    longest = height + 2 * half + window
    line = np.empty(longest, np.float32)
    ahead = np.empty(longest, np.float32)
    back = np.empty(longest, np.float32)
    infinite = np.float32(np.inf)
    for start in range(-(height - 1), width + height - 1):
        first = max(0, -start if slope > 0 else start - (width - 1))
        last = min(height - 1, (width - 1 - start) if slope > 0 else start)
        n = last - first + 1
        if n <= 0:
            continue
        total = n + 2 * half
        total += (window - total % window) % window
        for k in range(total):
            y = first + k - half
            line[k] = plane[y, start + slope * y] if first <= y <= last else infinite
        for k in range(total):
            ahead[k] = line[k] if k % window == 0 else min(ahead[k - 1], line[k])
        for k in range(total - 1, -1, -1):
            back[k] = line[k] if (k + 1) % window == 0 or k == total - 1 else min(back[k + 1], line[k])
        for k in range(n):
            y = first + k
            out[y, start + slope * y] = min(back[k], ahead[k + window - 1])
