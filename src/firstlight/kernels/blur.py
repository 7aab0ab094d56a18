"""Blurring by a kernel that is a sum of few products of a column and a row, and what deconvolution does with it.

A kernel of 15 x 15 px as three products costs 90 multiplications a pixel instead of 225; a Gaussian, one product, 30.
Edges are mirrored. Rows are computed on their own: bands equal the whole.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel
from firstlight.kernels.starlet import _mirrored


@inner_kernel
def _blur_row(source, y, down, across, line, target):
    """Row y of the blurred plane into ``target``; ``line`` is room for a row and its mirrored ends."""
    height, width = source.shape
    taps = down.shape[1]
    half = taps // 2
    middle = line[half : half + width]
    for x in range(width):
        target[x] = np.float32(0.0)
    for k in range(down.shape[0]):
        weights = down[k]
        for x in range(width):
            middle[x] = np.float32(0.0)
        # Four rows at a time: the sum is fetched and stored a quarter as often.
        t = 0
        while t + 4 <= taps:
            a = source[_mirrored(y + t - half, height)]
            b = source[_mirrored(y + t + 1 - half, height)]
            c = source[_mirrored(y + t + 2 - half, height)]
            d = source[_mirrored(y + t + 3 - half, height)]
            p, q, r, s = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
            for x in range(width):
                middle[x] += (p * a[x] + q * b[x]) + (r * c[x] + s * d[x])
            t += 4
        while t < taps:
            a = source[_mirrored(y + t - half, height)]
            p = weights[t]
            for x in range(width):
                middle[x] += p * a[x]
            t += 1
        for x in range(half):
            line[x] = middle[_mirrored(x - half, width)]
            line[half + width + x] = middle[_mirrored(width + x, width)]
        weights = across[k]
        t = 0
        while t + 4 <= taps:
            a, b = line[t : t + width], line[t + 1 : t + 1 + width]
            c, d = line[t + 2 : t + 2 + width], line[t + 3 : t + 3 + width]
            p, q, r, s = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
            for x in range(width):
                target[x] += (p * a[x] + q * b[x]) + (r * c[x] + s * d[x])
            t += 4
        while t < taps:
            a = line[t : t + width]
            p = weights[t]
            for x in range(width):
                target[x] += p * a[x]
            t += 1


@kernel
def blur_rows(source, down, across, first, last, out):
    """Rows first <= y < last of the blurred plane into the same of ``out``.

    ``down`` and ``across`` (products, taps), taps odd: sample (i, j) weighs sum of down[k, i] across[k, j].
    """
    line = np.empty(source.shape[1] + down.shape[1], np.float32)
    for y in range(first, last):
        _blur_row(source, y, down, across, line, out[y])


@kernel
def compare_rows(estimate, data, down, across, base, photons, damping, first, last, out):
    """What the data are over what the blurred estimate says, into ``out``; 1 where they agree.

    A pixel that the estimate gives m is expected to scatter by the variance base + photons m. ``damping`` above 0:
    differences below so many sigma count for less the smaller they are (White 1994, with N = 10). Returns the
    sum of the squared differences over the variance of pixels whose estimate is clear of the noise (3 sigma), and
    their number.
    """
    line = np.empty(estimate.shape[1] + down.shape[1], np.float32)
    total = 0.0
    number = 0
    tiny = np.float32(1e-12)
    for y in range(first, last):
        row = out[y]
        given = data[y]
        _blur_row(estimate, y, down, across, line, row)
        misfit = np.float32(0.0)
        clear = 0
        for x in range(row.shape[0]):
            model = max(row[x], tiny)
            variance = base + photons * model
            away = given[x] - model
            square = away * away / variance
            if model * model > np.float32(9.0) * base:
                misfit += square
                clear += 1
            if damping > 0:
                u = square / (damping * damping)
                if u < 1:
                    u2 = u * u
                    u4 = u2 * u2
                    away *= u4 * u4 * u * (np.float32(10.0) - np.float32(9.0) * u)
            row[x] = np.float32(1.0) + away / model
        total += misfit
        number += clear
    return total, number


@kernel
def update_rows(estimate, ratio, down, across, smoothness, first, last, out):
    """The estimate times the back-projected ratio, into ``out`` (another array); never below 0.

    ``smoothness`` above 0 divides by 1 - smoothness div(grad / |grad|) (total variation; Dey et al. 2006).
    """
    height, width = estimate.shape
    line = np.empty(width + down.shape[1], np.float32)
    one = np.float32(1.0)
    for y in range(first, last):
        row = out[y]
        _blur_row(ratio, y, down, across, line, row)
        here = estimate[y]
        if smoothness > 0:
            above, below = estimate[max(y - 1, 0)], estimate[min(y + 1, height - 1)]
            for x in range(width):
                left, right = max(x - 1, 0), min(x + 1, width - 1)
                # Curvature of the level line through the pixel: div(grad / |grad|).
                gx = np.float32(0.5) * (here[right] - here[left])
                gy = np.float32(0.5) * (below[x] - above[x])
                xx = here[right] + here[left] - np.float32(2.0) * here[x]
                yy = below[x] + above[x] - np.float32(2.0) * here[x]
                xy = np.float32(0.25) * (below[right] + above[left] - below[left] - above[right])
                slope = gx * gx + gy * gy + np.float32(1e-6) * here[x] * here[x] + np.float32(1e-30)
                bend = (xx * gy * gy - np.float32(2.0) * gx * gy * xy + yy * gx * gx) / (slope * np.sqrt(slope))
                bend = min(max(bend, np.float32(-2.0)), np.float32(2.0))
                row[x] = max(here[x] * row[x], np.float32(0.0)) / (one - smoothness * bend)
        else:
            for x in range(width):
                row[x] = max(here[x] * row[x], np.float32(0.0))
