"""Combine a cube (frame, pixel) by weights: weighted median, and weights that fall with the distance of a sample."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel
from firstlight.kernels.tiles import (
    HIGH,
    KEPT,
    LOW,
    NOISE_SUM,
    PHOTON_SUM,
    SQUARES,
    SUM,
    TILE,
    TOTAL,
    first_sample,
    load_tile,
    settled,
    sort_tile,
)

KAPPA_SQUARE = np.float32(4.0)
"""Square of the limit, in sigma, of the pass that finds mean and scale."""


@fast_kernel
def _adaptive(
    tile, count, low, high, centre, edges, weight, noise, photons, model_noise, model_photons, level,
    bend, sway, slope, curve, added, counts, hits,
):  # fmt: skip
    """Weights 1 / (2 + chi^2) about the mean of a kappa-sigma pass, added up for a tile."""
    total, sums, squares = added[TOTAL], added[SUM], added[SQUARES]
    kept = counts[KEPT]
    mean, scale = edges[0], edges[1]
    for step in range(2):
        for p in range(count):
            if step == 0:
                mean[p] = 0.0
                scale[p] = np.float32(np.inf)
            else:
                _scatter(added, counts, p, np.float32(0.0), mean, scale)
            total[p] = 0.0
            sums[p] = 0.0
            squares[p] = 0.0
            kept[p] = 0
        for n in range(tile.shape[0]):
            w = weight[n]
            line = tile[n]
            for p in range(count):
                d = line[p] - centre[p]
                near = (d - mean[p]) * (d - mean[p]) <= KAPPA_SQUARE * scale[p]
                total[p] += w if near else np.float32(0.0)
                sums[p] += w * d if near else np.float32(0.0)
                squares[p] += w * d * d if near else np.float32(0.0)
                kept[p] += near
    for p in range(count):
        signal = max(centre[p] - level, np.float32(0.0))
        _scatter(added, counts, p, model_noise + model_photons * signal, mean, scale)
        # Where all samples are equal any scale does.
        scale[p] = max(scale[p], np.float32(1e-30))
        for k in range(5):
            added[k, p] = 0.0
        for k in range(3):
            counts[k, p] = 0
    variance, shot, few, many = added[NOISE_SUM], added[PHOTON_SUM], counts[LOW], counts[HIGH]
    for n in range(tile.shape[0]):
        line = tile[n]
        rejected = 0
        for p in range(count):
            d = line[p] - centre[p]
            bent = bend[n] * curve[p]
            swayed = sway[n] * slope[p]
            far = d - mean[p]
            above = max(far - swayed - max(bent, np.float32(0.0)), np.float32(0.0))
            below = min(far + swayed - min(bent, np.float32(0.0)), np.float32(0.0))
            square = (above + below) * (above + below) / scale[p]
            too_low = (below < 0) & (square > low * low)
            too_high = (above > 0) & (square > high * high)
            stays = (d == d) & (not too_low) & (not too_high)
            w = weight[n] / (1 + np.float32(0.5) * square) if stays else np.float32(0.0)
            d = d if stays else np.float32(0.0)
            total[p] += w
            sums[p] += w * d
            squares[p] += w * d * d
            variance[p] += w * w * noise[n]
            shot[p] += w * w * photons[n]
            kept[p] += stays
            few[p] += too_low
            many[p] += too_high
            rejected += too_low | too_high
        hits[n] += rejected


@kernel
def _scatter(added, counts, p, least, mean, variance):
    """Weighted mean of what was added up (about the centre) and the variance of one sample."""
    n = counts[KEPT, p]
    total = added[TOTAL, p]
    if n == 0 or total <= 0:
        mean[p] = 0.0
        variance[p] = 0.0
        return
    m = added[SUM, p] / total
    mean[p] = m
    variance[p] = max((added[SQUARES, p] / total - m * m) * n / max(n - 1, 1), least)


@fast_kernel
def _weighted_median(tile, ranked, count, valid, weight, sums, span, centre):
    """The sample at which half of the weight is reached, by bisection of the ranks; halfway to the next at a tie."""
    n_frames = tile.shape[0]
    total, below = sums[0], sums[1]
    low, high = span[0], span[1]
    for p in range(count):
        total[p] = 0.0
        low[p] = 0
        high[p] = max(valid[p] - 1, 0)
    steps = 1
    while 1 << (steps - 1) < n_frames:
        steps += 1
    for step in range(steps + 1):
        for p in range(count):
            below[p] = 0.0
            centre[p] = ranked[(low[p] + high[p]) // 2, p]
        for n in range(n_frames):
            w = weight[n]
            line = tile[n]
            for p in range(count):
                below[p] += w if line[p] <= centre[p] else np.float32(0.0)
                if step == 0:
                    total[p] += w if line[p] == line[p] else np.float32(0.0)
        for p in range(count):
            middle = (low[p] + high[p]) // 2
            if 2 * below[p] >= total[p]:
                high[p] = middle
            else:
                low[p] = min(middle + 1, high[p])
    for p in range(count):
        k = low[p] + 1
        if 2 * below[p] == total[p]:
            while k < valid[p] and ranked[k, p] == centre[p]:
                k += 1
            if k < valid[p]:
                centre[p] = np.float32(0.5) * (centre[p] + ranked[k, p])
        if valid[p] == 0:
            centre[p] = 0.0


@kernel
def weighted_median(cube, first, last, pairs, gain, zero, weight, median):
    """Weighted median of the pixels ``first`` to ``last`` of ``cube`` (n, pixels) into ``median`` (m,).

    The other arguments are those of `firstlight.kernels.combine.combine`.
    """
    n_frames = cube.shape[0]
    tile = np.empty((n_frames, TILE), np.float32)
    ranked = np.empty((n_frames, TILE), np.float32)
    sums = np.empty((2, TILE), np.float32)
    span = np.empty((2, TILE), np.int32)
    valid = np.empty(TILE, np.int32)
    centre = np.empty(TILE, np.float32)
    for start in range(first, last, TILE):
        count = min(TILE, last - start)
        load_tile(cube, start, count, gain, zero, tile, ranked, valid)
        sort_tile(ranked, pairs)
        _weighted_median(tile, ranked, count, valid, weight, sums, span, centre)
        for p in range(count):
            median[start - first + p] = centre[p] if valid[p] > 0 else np.float32(np.nan)


@kernel
def adaptive(
    cube, first, last, low, high, gain, zero, weight, noise, photons, level, model_noise, model_photons, model_level,
    bend, sway, slope, curve, from_scatter, mean, variance, kept, rejected_low, rejected_high, hits,
):  # fmt: skip
    """Weighted mean with weights that fall with the distance of a sample; see `firstlight.kernels.combine.combine`.

    Pass 1 is the weighted mean and its scatter, pass 2 the same of the samples within 2 sigma, pass 3 weights each
    sample by ``1 / (2 + chi^2)``, chi being its distance from the second mean beyond what its frame explains. Samples
    beyond ``low`` and ``high`` sigma are left out of the last pass.
    """
    n_frames = cube.shape[0]
    tile = np.empty((n_frames, TILE), np.float32)
    ranked = np.empty((n_frames, TILE), np.float32)
    valid = np.empty(TILE, np.int32)
    centre = np.empty(TILE, np.float32)
    edges = np.empty((2, TILE), np.float32)
    added = np.empty((5, TILE), np.float32)
    counts = np.empty((3, TILE), np.int32)
    for start in range(first, last, TILE):
        count = min(TILE, last - start)
        at = start - first
        load_tile(cube, start, count, gain, zero, tile, ranked, valid)
        for p in range(count):
            centre[p] = first_sample(tile, p)
        _adaptive(
            tile, count, low, high, centre, edges, weight, noise, photons, model_noise, model_photons, model_level,
            bend, sway, slope[at : at + count], curve[at : at + count], added, counts, hits,
        )  # fmt: skip
        for p in range(count):
            i = at + p
            mean[i], variance[i] = settled(added, counts, p, centre[p], False, np.float32(level), from_scatter)
            kept[i] = counts[KEPT, p]
            rejected_low[i] = counts[LOW, p]
            rejected_high[i] = counts[HIGH, p]
