"""Scatter of the good neighbours of single pixels."""

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
