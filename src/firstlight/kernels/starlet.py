"""The starlet transform: a picture as a sum of layers, each holding the structure of one scale.

A layer is what a smoothing with the cubic spline (1, 4, 6, 4, 1) / 16, its taps 1, 2, 4 ... px apart, takes away
(a trous algorithm; Starck & Murtagh 2002). Edges are mirrored. Rows are computed on their own: bands equal the whole.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel

SOFT, HARD, GARROTE = range(3)
"""How a coefficient w within and beyond a threshold t is shrunk: to sign(w) (|w| - t); to w; to w - t^2 / w."""


@inner_kernel
def _mirrored(i, n):
    """Index of sample i of a line of n that is mirrored at its ends, without repeating them."""
    if n == 1:
        return 0
    period = 2 * (n - 1)
    i = i % period
    return i if i < n else period - i


@inner_kernel
def _spline_row(source, y, step, line, out):
    """Row y of the smoothed plane into ``out``; ``line`` is room for a row."""
    height, width = source.shape
    a = source[_mirrored(y - 2 * step, height)]
    b = source[_mirrored(y - step, height)]
    c = source[y]
    d = source[_mirrored(y + step, height)]
    e = source[_mirrored(y + 2 * step, height)]
    far, near, here = np.float32(0.0625), np.float32(0.25), np.float32(0.375)
    for x in range(width):
        line[x] = far * (a[x] + e[x]) + near * (b[x] + d[x]) + here * c[x]
    left, right = min(2 * step, width), max(width - 2 * step, min(2 * step, width))
    for x in range(left):
        out[x] = (
            far * (line[_mirrored(x - 2 * step, width)] + line[_mirrored(x + 2 * step, width)])
            + near * (line[_mirrored(x - step, width)] + line[_mirrored(x + step, width)])
            + here * line[x]
        )
    n = right - left
    if n > 0:
        p, q, r = line[left - 2 * step : right], line[left - step : right], line[left:right]
        s, t = line[left + step : right + step], line[left + 2 * step : right + 2 * step]
        target = out[left:right]
        for x in range(n):
            target[x] = far * (p[x] + t[x]) + near * (q[x] + s[x]) + here * r[x]
    for x in range(right, width):
        out[x] = (
            far * (line[_mirrored(x - 2 * step, width)] + line[_mirrored(x + 2 * step, width)])
            + near * (line[_mirrored(x - step, width)] + line[_mirrored(x + step, width)])
            + here * line[x]
        )


@kernel
def smooth_rows(source, step, first, last, out):
    """Rows first <= y < last of the plane smoothed with taps ``step`` px apart, into the same rows of ``out``."""
    line = np.empty(source.shape[1], np.float32)
    for y in range(first, last):
        _spline_row(source, y, step, line, out[y])


@inner_kernel
def _removed(w, t, law):
    """What shrinking takes off a coefficient."""
    size = abs(w)
    if size <= t:
        return w
    if law == SOFT:
        return t if w > 0 else -t
    if law == GARROTE:
        return t * t / w
    return np.float32(0.0)


@kernel
def shrink_rows(fine, coarse, sigma, threshold, law, first, last, out):
    """Take off ``out`` what shrinking the layer ``fine - coarse`` removes.

    The threshold is ``threshold`` times ``sigma`` (y, x), or of one row and column if the noise is the same everywhere.
    """
    for y in range(first, last):
        upper, lower, target = fine[y], coarse[y], out[y]
        if sigma.shape[0] == 1:
            t = threshold * sigma[0, 0]
            for x in range(target.shape[0]):
                target[x] -= _removed(upper[x] - lower[x], t, law)
        else:
            noise = sigma[y]
            for x in range(target.shape[0]):
                target[x] -= _removed(upper[x] - lower[x], threshold * noise[x], law)
