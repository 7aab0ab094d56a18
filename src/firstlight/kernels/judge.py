"""Which samples of a tile stay, by the limits of their pixels and what their frames explain; and their sums."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.grow import set_bits
from firstlight.kernels.jit import inner_kernel
from firstlight.kernels.reject import BOTTOM, MIDDLE, SOFT_BOTTOM, SOFT_TOP, TOP
from firstlight.kernels.tiles import NOISE_SUM, PHOTON_SUM, SQUARES, SUM, TOTAL

WORD = 32
"""Pixels of a word of verdicts."""
BIGGEST = np.float32(np.finfo(np.float32).max)


@inner_kernel
def settle(tile, count, limits, stretch, bend, sway, slope, curve):
    """Judge the samples of each frame by limits of their own: its noise is ``stretch`` times that of all, its seeing
    and place shift what is steep.

    Rejected samples become -inf and +inf, and the limits of all pixels the whole range of numbers.
    """
    zero = np.float32(0.0)
    bottom, top, middle = limits[BOTTOM], limits[TOP], limits[MIDDLE]
    soft_bottom, soft_top = limits[SOFT_BOTTOM], limits[SOFT_TOP]
    for n in range(tile.shape[0]):
        outside = 0
        for p in range(count):
            outside += (tile[n, p] < bottom[p]) | (tile[n, p] > top[p])
        if outside == 0:
            continue
        for p in range(count):
            bent = bend[n] * curve[p]
            swayed = sway[n] * slope[p]
            low = middle[p] - (middle[p] - soft_bottom[p]) * stretch[n] + min(bent, zero) - swayed
            high = middle[p] + (soft_top[p] - middle[p]) * stretch[n] + max(bent, zero) + swayed
            wide = (stretch[n] != 1) | (bent != 0) | (swayed != 0)
            low = low if wide & (low < bottom[p]) else bottom[p]
            high = high if wide & (high > top[p]) else top[p]
            value = tile[n, p]
            value = np.float32(-np.inf) if value < low else value
            tile[n, p] = np.float32(np.inf) if value > high else value
    for p in range(count):
        bottom[p] = -BIGGEST
        top[p] = BIGGEST


@inner_kernel
def weigh_by_light(tile, count, centre, limits, weight, noise, photons, level, signal, added):
    """Add up the kept samples again, each weight times ``noise / (noise + photons * signal)``: inverse variances.

    The signal of a pixel is the mean of its frames, the same for all of them. Weights that follow each sample's own
    light would favour those that came out faint; with inverse variances the error of this mean moves all weights
    together and, to first order, the result not at all.
    """
    bottom, top = limits[BOTTOM], limits[TOP]
    total, sums, squares, variance, shot = added[TOTAL], added[SUM], added[SQUARES], added[NOISE_SUM], added[PHOTON_SUM]
    for p in range(count):
        mean = centre[p] + sums[p] / total[p] if total[p] > 0 else level
        signal[p] = max(mean - level, np.float32(0.0))
        total[p] = 0.0
        sums[p] = 0.0
        squares[p] = 0.0
        variance[p] = 0.0
        shot[p] = 0.0
    for n in range(tile.shape[0]):
        a = noise[n]
        b = photons[n]
        for p in range(count):
            stays = (tile[n, p] >= bottom[p]) & (tile[n, p] <= top[p])
            w = weight[n] * a / (a + b * signal[p]) if stays else np.float32(0.0)
            d = tile[n, p] - centre[p] if stays else np.float32(0.0)
            total[p] += w
            sums[p] += w * d
            squares[p] += w * d * d
            variance[p] += w * w * a
            shot[p] += w * w * b


@inner_kernel
def tell(struck, count, places, y, left, width, verdict):
    """Set the bits of rejected samples in ``verdict`` (low or high, n, rows, words of 64 columns).

    ``struck`` (low or high, n, words of 32 pixels) are those of `columns.add_kept`; the first ``count`` pixels are at
    ``places``.
    """
    for side in range(2):
        for n in range(struck.shape[1]):
            for k in range(struck.shape[2]):
                marks = struck[side, n, k]
                while marks:
                    lowest = marks & (~marks + np.uint32(1))
                    marks ^= lowest
                    p = k * WORD + np.int64(set_bits(np.uint64(lowest - np.uint32(1))))
                    if p >= count:
                        break
                    x = places[p] - left
                    if 0 <= x < width:
                        verdict[side, n, y, x >> 6] |= np.uint64(1) << np.uint64(x & 63)
