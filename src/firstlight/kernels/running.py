"""A stack that grows frame by frame: is a new sample like those before, and what does it make of the mean."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel
from firstlight.kernels.tiles import spread_at

QUIET = 2.0
"""Sigma: what noise alone explains so well needs no look at the neighbours (19 pixels of 20)."""
PATIENCE = 7
"""Samples a pixel may reject before it is doubted."""
REACH = 2
"""px: what lies so close to a strong outlier is judged more strictly: trails and cosmic rays have faint edges."""


@kernel
def _expected(scatter, count, model, trust):
    """Variance of a sample of weight 1: the noise model, as if it had been seen ``trust`` times, and the scatter."""
    return (trust * model + scatter) / (trust + max(count - 1, 0))


@kernel
def deviations(sample, mean, scatter, weight, count, own, noise, photons, level, trust, steep, out):
    """How many sigma each sample (y, x) lies off the running mean; NaN where there is none, 0 where it is the first.

    ``scatter`` is the weighted sum of squares about the mean, ``weight`` the sum of weights, ``own`` the weight of the
    sample. Where the image is steep, on stars, seeing and registration move values by a share of the range of the 3 x 3
    pixels around: that share, ``steep``, counts as noise.
    """
    height, width = sample.shape
    for y in range(height):
        for x in range(width):
            value = sample[y, x]
            if not abs(value) < np.inf:
                out[y, x] = np.nan
                continue
            if count[y, x] == 0:
                out[y, x] = 0.0
                continue
            model = noise + photons * max(mean[y, x] - level, np.float32(0.0))
            one = _expected(scatter[y, x], count[y, x], model, trust)
            settled = one / weight[y, x]
            spread = one / own + settled
            off = (value - mean[y, x]) / np.sqrt(spread)
            if abs(off) <= QUIET:
                out[y, x] = off
                continue
            low = mean[y, x]
            high = low
            for j in range(max(y - 1, 0), min(y + 2, height)):
                for i in range(max(x - 1, 0), min(x + 2, width)):
                    if count[j, i] > 0:
                        low = min(low, mean[j, i])
                        high = max(high, mean[j, i])
            # Nine values of noise alone span four sigma.
            slope = steep * max(high - low - np.float32(4.0) * np.sqrt(settled), np.float32(0.0))
            out[y, x] = (value - mean[y, x]) / np.sqrt(spread + slope * slope)


@kernel
def absorb(sample, off, own, limit, core, wing, mean, scatter, weight, count, rejected):
    """Take the samples into the running mean (in place), but for outliers; returns how many those were.

    ``off`` is what `deviations` found. A sample is an outlier beyond ``limit``, and beyond ``wing`` within two pixels
    of one beyond ``core``. A pixel that has rejected more than it holds (and more than a few) is begun anew: then it
    was the first samples that were wrong.
    """
    height, width = sample.shape
    hits = 0
    for y in range(height):
        for x in range(width):
            z = abs(off[y, x])
            if not z < np.inf:
                continue
            bad = z > limit
            if not bad and z > wing:
                for j in range(max(y - REACH, 0), min(y + REACH + 1, height)):
                    for i in range(max(x - REACH, 0), min(x + REACH + 1, width)):
                        bad |= abs(off[j, i]) > core
            value = sample[y, x]
            if bad:
                hits += 1
                rejected[y, x] += 1
                if rejected[y, x] <= max(count[y, x], PATIENCE):
                    continue
                rejected[y, x] = count[y, x]
                count[y, x] = 0
                weight[y, x] = 0.0
                scatter[y, x] = 0.0
                mean[y, x] = 0.0
            total = weight[y, x] + own
            step = value - mean[y, x] if count[y, x] > 0 else np.float32(0.0)
            before = mean[y, x] if count[y, x] > 0 else value
            new = before + own / total * step
            scatter[y, x] += own * step * (value - new)
            mean[y, x] = new
            weight[y, x] = total
            count[y, x] += 1
    return hits


@kernel
def settle(mean, scatter, weight, count, noise, photons, level, trust, out):
    """Variance of the running mean, (y, x); 0 where nothing was measured."""
    for y in range(mean.shape[0]):
        for x in range(mean.shape[1]):
            if count[y, x] == 0:
                out[y, x] = 0.0
            else:
                model = spread_at(noise, photons, mean[y, x] - level)
                one = _expected(scatter[y, x], count[y, x], model, trust)
                out[y, x] = one / weight[y, x]
