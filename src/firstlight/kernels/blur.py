"""Blurring by a kernel that is a sum of few products of a column and a row, and what deconvolution does with it.

A kernel of 15 x 15 px as three products costs 90 multiplications a pixel instead of 225; a Gaussian, one product, 30.
Edges are mirrored. Rows are computed on their own: bands equal the whole.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel, kernel
from firstlight.kernels.starlet import _mirrored

BLOCK, BATCH = 256, 8
"""Columns and rows of sums at a time: what they are made of stays in the fastest cache until all have it."""


@inner_kernel
def _add_two(out, a, b, weights, t):
    p, q = weights[t], weights[t + 1]
    for x in range(out.shape[0]):
        out[x] = out[x] + p * a[x] + q * b[x]


@inner_kernel
def _add_four(out, a, b, c, d, weights, t):
    p, q, r, s = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
    for x in range(out.shape[0]):
        out[x] = out[x] + p * a[x] + q * b[x] + r * c[x] + s * d[x]


@inner_kernel
def _add_eight(out, a, b, c, d, e, f, g, h, weights, t):
    """Eight at a time: the sum is fetched and stored an eighth as often."""
    p, q, r, s = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
    u, v, w, z = weights[t + 4], weights[t + 5], weights[t + 6], weights[t + 7]
    for x in range(out.shape[0]):
        first = out[x] + p * a[x] + q * b[x] + r * c[x] + s * d[x]
        out[x] = first + u * e[x] + v * f[x] + w * g[x] + z * h[x]


@inner_kernel
def _sum_down(source, first, last, down, lines):
    """Sums along the columns for rows first <= y < last into ``lines`` (row, product, half a kernel on in x)."""
    height, width = source.shape
    taps = down.shape[1]
    half = taps // 2
    for start in range(0, width, BLOCK):
        stop = min(start + BLOCK, width)
        for y in range(first, last):
            for k in range(down.shape[0]):
                out = lines[y - first, k, half + start : half + stop]
                weights = down[k]
                a = source[_mirrored(y - half, height), start:stop]
                p = weights[0]
                for x in range(out.shape[0]):
                    out[x] = p * a[x]
                t = 1
                while t + 8 <= taps:
                    _add_eight(
                        out, source[_mirrored(y + t - half, height), start:stop],
                        source[_mirrored(y + t + 1 - half, height), start:stop],
                        source[_mirrored(y + t + 2 - half, height), start:stop],
                        source[_mirrored(y + t + 3 - half, height), start:stop],
                        source[_mirrored(y + t + 4 - half, height), start:stop],
                        source[_mirrored(y + t + 5 - half, height), start:stop],
                        source[_mirrored(y + t + 6 - half, height), start:stop],
                        source[_mirrored(y + t + 7 - half, height), start:stop], weights, t,
                    )  # fmt: skip
                    t += 8
                if t + 4 <= taps:
                    _add_four(
                        out, source[_mirrored(y + t - half, height), start:stop],
                        source[_mirrored(y + t + 1 - half, height), start:stop],
                        source[_mirrored(y + t + 2 - half, height), start:stop],
                        source[_mirrored(y + t + 3 - half, height), start:stop], weights, t,
                    )  # fmt: skip
                    t += 4
                if t < taps:
                    # Taps are odd: two are left.
                    _add_two(
                        out, source[_mirrored(y + t - half, height), start:stop],
                        source[_mirrored(y + t + 1 - half, height), start:stop], weights, t,
                    )  # fmt: skip


@inner_kernel
def _sum_across(lines, across, out):
    """A row of the blurred plane from sums (product, x) along the columns."""
    width = out.shape[0]
    products, taps = across.shape
    half = taps // 2
    for k in range(products):
        line, weights = lines[k], across[k]
        for x in range(half):
            line[x] = line[half + _mirrored(x - half, width)]
            line[half + width + x] = line[half + _mirrored(width + x, width)]
        p = weights[0]
        if k == 0:
            for x in range(width):
                out[x] = p * line[x]
        else:
            for x in range(width):
                out[x] += p * line[x]
        t = 1
        while t + 8 <= taps:
            _add_eight(
                out, line[t : t + width], line[t + 1 : t + 1 + width], line[t + 2 : t + 2 + width],
                line[t + 3 : t + 3 + width], line[t + 4 : t + 4 + width], line[t + 5 : t + 5 + width],
                line[t + 6 : t + 6 + width], line[t + 7 : t + 7 + width], weights, t,
            )  # fmt: skip
            t += 8
        if t + 4 <= taps:
            _add_four(
                out, line[t : t + width], line[t + 1 : t + 1 + width], line[t + 2 : t + 2 + width],
                line[t + 3 : t + 3 + width], weights, t,
            )  # fmt: skip
            t += 4
        if t < taps:
            _add_two(out, line[t : t + width], line[t + 1 : t + 1 + width], weights, t)


@kernel
def blur_rows(source, down, across, first, last, out):
    """Rows first <= y < last of the blurred plane into the same of ``out``.

    ``down`` and ``across`` (products, taps), taps odd: sample (i, j) weighs sum of down[k, i] across[k, j].
    """
    lines = np.empty((BATCH, down.shape[0], source.shape[1] + down.shape[1]), np.float32)
    for top in range(first, last, BATCH):
        bottom = min(top + BATCH, last)
        _sum_down(source, top, bottom, down, lines)
        for y in range(top, bottom):
            _sum_across(lines[y - top], across, out[y])


@fast_kernel
def _misfit(model, given, base, photons):
    """Sum of the squared differences over the variance, and the number of pixels clear of the noise (3 sigma)."""
    total = np.float32(0.0)
    number = np.float32(0.0)
    limit = np.float32(9.0) * base
    for x in range(model.shape[0]):
        m = max(model[x], np.float32(1e-12))
        away = given[x] - m
        square = away * away / (base + photons * m)
        clear = m * m > limit
        total += square if clear else np.float32(0.0)
        number += np.float32(1.0) if clear else np.float32(0.0)
    return total, number


@inner_kernel
def _compare(row, given, base, photons, damping):
    """Ratio of the data to the model in ``row``, in place."""
    tiny, one = np.float32(1e-12), np.float32(1.0)
    if damping > 0:
        limit = one / (damping * damping)
        for x in range(row.shape[0]):
            model = max(row[x], tiny)
            away = given[x] - model
            u = min(away * away * limit / (base + photons * model), one)
            u2 = u * u
            u4 = u2 * u2
            row[x] = one + away * (u4 * u4 * u * (np.float32(10.0) - np.float32(9.0) * u)) / model
    else:
        for x in range(row.shape[0]):
            row[x] = given[x] / max(row[x], tiny)


@kernel
def compare_rows(estimate, data, down, across, base, photons, damping, first, last, sums, out):
    """What the data are over what the blurred estimate says, into ``out``; 1 where they agree.

    A pixel that the estimate gives m is expected to scatter by the variance base + photons m. ``damping`` above 0:
    differences below so many sigma count for less the smaller they are (White 1994, with N = 10). ``sums`` (height, 2)
    float64 takes, for each row, the sum of the squared differences over the variance of pixels whose estimate is clear
    of the noise (3 sigma), and their number; an array of no rows takes nothing.
    """
    lines = np.empty((BATCH, down.shape[0], estimate.shape[1] + down.shape[1]), np.float32)
    for top in range(first, last, BATCH):
        bottom = min(top + BATCH, last)
        _sum_down(estimate, top, bottom, down, lines)
        for y in range(top, bottom):
            _sum_across(lines[y - top], across, out[y])
            if sums.shape[0] > 0:
                sums[y, 0], sums[y, 1] = _misfit(out[y], data[y], base, photons)
            _compare(out[y], data[y], base, photons, damping)


@inner_kernel
def _smoother(above, here, below, smoothness, flat, row):
    """Multiply a row by 1 / (1 - smoothness div(grad / |grad|)), the curvature of the level lines of ``here``.

    Squared slopes far below ``flat`` count as none: without that, rounding would rule where the picture is flat.
    """
    n = here.shape[0]
    half, quarter, two, one = np.float32(0.5), np.float32(0.25), np.float32(2.0), np.float32(1.0)
    up_left, up, up_right = above[: n - 2], above[1 : n - 1], above[2:n]
    left, centre, right = here[: n - 2], here[1 : n - 1], here[2:n]
    low_left, low, low_right = below[: n - 2], below[1 : n - 1], below[2:n]
    target = row[1 : n - 1]
    for x in range(n - 2):
        gx = half * (right[x] - left[x])
        gy = half * (low[x] - up[x])
        xx = right[x] + left[x] - two * centre[x]
        yy = low[x] + up[x] - two * centre[x]
        xy = quarter * (low_right[x] + up_left[x] - low_left[x] - up_right[x])
        slope = gx * gx + gy * gy + flat + np.float32(1e-6) * centre[x] * centre[x] + np.float32(1e-30)
        bend = (xx * gy * gy - two * gx * gy * xy + yy * gx * gx) / (slope * np.sqrt(slope))
        bend = min(max(bend, -two), two)
        target[x] /= one - smoothness * bend


@kernel
def update_rows(estimate, ratio, down, across, smoothness, flat, first, last, out):
    """The estimate times the back-projected ratio, into ``out`` (another array); never below 0.

    ``smoothness`` above 0 divides by 1 - smoothness div(grad / |grad|) (total variation; Dey et al. 2006), but for the
    outermost columns; slopes whose square is far below ``flat`` count as none.
    """
    height, width = estimate.shape
    lines = np.empty((BATCH, down.shape[0], width + down.shape[1]), np.float32)
    for top in range(first, last, BATCH):
        bottom = min(top + BATCH, last)
        _sum_down(ratio, top, bottom, down, lines)
        for y in range(top, bottom):
            row, here = out[y], estimate[y]
            _sum_across(lines[y - top], across, row)
            for x in range(width):
                row[x] = max(here[x] * row[x], np.float32(0.0))
            if smoothness > 0 and width > 2:
                _smoother(estimate[max(y - 1, 0)], here, estimate[min(y + 1, height - 1)], smoothness, flat, row)
