"""Medians and scatter of the good neighbours of pixels."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def scatter(plane, bad, ys, xs, step, half, fewest, centre, out):
    """Mean squared distance of the good neighbours of the pixels (ys, xs) from ``centre``, by one more than counted.

    Neighbours as in `firstlight.kernels.calibrate.repair`; ``out`` (n,) is NaN where there are fewer than ``fewest``.
    The factor (n + 1) / n turns the scatter about the centre into that of a pixel not yet seen.
    """
    height, width = plane.shape
    for k in range(ys.shape[0]):
        n = 0
        total = 0.0
        for dy in range(-half, half + 1):
            y = ys[k] + dy * step
            if y < 0 or y >= height:
                continue
            for dx in range(-half, half + 1):
                x = xs[k] + dx * step
                if x < 0 or x >= width or bad[y, x]:
                    continue
                total += (plane[y, x] - centre[k]) ** 2
                n += 1
        out[k] = total / n * (n + 1) / n if n >= fewest else np.nan


@kernel
def box_median(plane, good, half, out):
    """Median of the good pixels up to ``half`` rows and columns away, at good pixels; others are left as they are."""
    height, width = plane.shape
    values = np.empty((2 * half + 1) ** 2, np.float32)
    for y in range(height):
        top, bottom = max(y - half, 0), min(y + half + 1, height)
        for x in range(width):
            if not good[y, x]:
                continue
            left, right = max(x - half, 0), min(x + half + 1, width)
            n = 0
            for j in range(top, bottom):
                for i in range(left, right):
                    if good[j, i]:
                        # Sorted as it grows: boxes are small and nearly in order already.
                        value = plane[j, i]
                        k = n
                        while k > 0 and values[k - 1] > value:
                            values[k] = values[k - 1]
                            k -= 1
                        values[k] = value
                        n += 1
            out[y, x] = values[n // 2] if n % 2 else np.float32(0.5) * (values[n // 2 - 1] + values[n // 2])
