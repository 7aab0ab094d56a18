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
def _spline_of(a, b, c, d, e, step, line, out):
    """Five rows, ``step`` rows apart, smoothed into one; ``line`` is room for a row."""
    width = c.shape[0]
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
    height, width = source.shape
    line = np.empty(width, np.float32)
    for y in range(first, last):
        _spline_of(
            source[_mirrored(y - 2 * step, height)], source[_mirrored(y - step, height)], source[y],
            source[_mirrored(y + step, height)], source[_mirrored(y + 2 * step, height)], step, line, out[y],
        )  # fmt: skip


@inner_kernel
def _add_removed(fine, coarse, sigma, threshold, law, out):
    """Add to a row what shrinking the layer ``fine - coarse`` takes off; ``sigma`` (width,) or (1,)."""
    n = out.shape[0]
    same = sigma.shape[0] == 1
    level = threshold * sigma[0]
    if law == SOFT:
        for x in range(n):
            t = level if same else threshold * sigma[x]
            out[x] += min(max(fine[x] - coarse[x], -t), t)
    elif law == HARD:
        for x in range(n):
            t = level if same else threshold * sigma[x]
            w = fine[x] - coarse[x]
            out[x] += w if abs(w) <= t else np.float32(0.0)
    elif same:
        square = level * level
        for x in range(n):
            w = fine[x] - coarse[x]
            out[x] += w if abs(w) <= level else square / w
    else:
        for x in range(n):
            t = threshold * sigma[x]
            w = fine[x] - coarse[x]
            out[x] += w if abs(w) <= t else t * t / w


@kernel
def removed_rows(fine, coarse, sigma, threshold, law, first, last, out):
    """Add to ``out`` what shrinking the layer ``fine - coarse`` takes off.

    The threshold is ``threshold`` times ``sigma`` (y, x), or of one row and column if the noise is the same everywhere.
    """
    for y in range(first, last):
        noise = sigma[0] if sigma.shape[0] == 1 else sigma[y]
        _add_removed(fine[y], coarse[y], noise, threshold, law, out[y])


@kernel
def clean_rows(plane, sigma, thresholds, law, first, last, out):
    """Rows first <= y < last of the plane without its noise, into the same rows of ``out``.

    ``thresholds`` (rounds, scales) in units of ``sigma`` (as in `removed_rows`): a round shrinks the layers of what the
    one before took off, and the last is what is taken off. All rounds and scales go down the plane together, each some
    rows behind the one before it, so that a row is read once and no plane is needed beside both.
    """
    height, width = plane.shape
    rounds, scales = thresholds.shape
    reach = 2 * ((1 << scales) - 1)
    total = rounds * reach
    # Rows of each level wait in rings, until those that need them have been by: 4 step + 1, and what is taken off
    # by the layers of a row from the finest to the coarsest.
    start = np.empty(scales + 1, np.int64)
    used = 0
    for s in range(scales):
        start[s] = used
        used += (4 << s) + 1
    start[scales] = used
    ring = used + reach + 1
    rows = np.empty((rounds * ring, width), np.float32)
    coarsest, line = np.empty(width, np.float32), np.empty(width, np.float32)
    for t in range(max(first - total, 0), last + total):
        if t < height:
            given = rows[start[0] + t % 5]
            source = plane[t]
            for x in range(width):
                given[x] = source[x]
        for r in range(rounds):
            base = r * ring
            lag = r * reach
            for s in range(scales):
                step = 1 << s
                lag += 2 * step
                y = t - lag
                if y < max(first - total + lag, 0) or y >= min(last + total - lag, height):
                    continue
                size = 4 * step + 1
                level = base + start[s]
                here = rows[level + y % size]
                if s + 1 < scales:
                    coarse = rows[base + start[s + 1] + y % (8 * step + 1)]
                else:
                    coarse = coarsest
                _spline_of(
                    rows[level + _mirrored(y - 2 * step, height) % size],
                    rows[level + _mirrored(y - step, height) % size], here,
                    rows[level + _mirrored(y + step, height) % size],
                    rows[level + _mirrored(y + 2 * step, height) % size], step, line, coarse,
                )  # fmt: skip
                taken = rows[base + start[scales] + y % (reach + 1)]
                if s == 0:
                    for x in range(width):
                        taken[x] = np.float32(0.0)
                noise = sigma[0] if sigma.shape[0] == 1 else sigma[y]
                _add_removed(here, coarse, noise, thresholds[r, s], law, taken)
                if s + 1 < scales:
                    continue
                if r + 1 < rounds:
                    following = rows[base + ring + start[0] + y % 5]
                    for x in range(width):
                        following[x] = taken[x]
                elif first <= y < last:
                    source, target = plane[y], out[y]
                    for x in range(width):
                        target[x] = source[x] - taken[x]
