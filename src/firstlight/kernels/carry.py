"""Combine samples that bring their own variance and their own number of frames: stacks of stacks."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def _kept(cube, gain, zero, p, low, high, order, kept):
    """Mark the samples of pixel p that stay when the ``low`` lowest and ``high`` highest are gone."""
    n = 0
    for i in range(cube.shape[0]):
        value = cube[i, p] * gain[i] + zero[i]
        kept[i] = abs(value) < np.inf
        if kept[i]:
            # Insertion: few pixels come here, and their columns are short.
            k = n
            while k > 0:
                before = cube[order[k - 1], p] * gain[order[k - 1]] + zero[order[k - 1]]
                if before <= value:
                    break
                order[k] = order[k - 1]
                k -= 1
            order[k] = i
            n += 1
    for k in range(min(low, n)):
        kept[order[k]] = False
    for k in range(max(n - high, 0), n):
        kept[order[k]] = False


@kernel
def carry(cube, variances, counts, gain, zero, weight, low, high, keep_mean, mean, variance, coverage):
    """Weighted mean, its variance and its frames, of samples with a variance and a number of frames each.

    ``cube``, ``variances`` and ``counts`` are (n, m): values, their variance, and the frames behind each, before the
    ``gain`` (n,) and ``zero`` (n,) of their file. A sample weighs ``weight[i] * counts[i]``. ``low`` and ``high`` (m,)
    say how many of the lowest and highest samples of a pixel have been rejected. Writes ``mean`` (unless
    ``keep_mean``), ``variance`` = sum(w^2 v) / sum(w)^2 and ``coverage`` = sum of the counts, all (m,); NaN, NaN and 0
    where nothing is left.
    """
    n_files, n_pixels = cube.shape
    order = np.empty(n_files, np.int64)
    kept = np.empty(n_files, np.bool_)
    for p in range(n_pixels):
        clipped = low[p] + high[p] > 0
        if clipped:
            _kept(cube, gain, zero, p, low[p], high[p], order, kept)
        total = 0.0
        level = 0.0
        spread = 0.0
        frames = 0.0
        for i in range(n_files):
            value = cube[i, p]
            if not abs(value) < np.inf or (clipped and not kept[i]):
                continue
            w = weight[i] * counts[i, p]
            total += w
            level += w * (value * gain[i] + zero[i])
            spread += w * w * gain[i] * gain[i] * variances[i, p]
            frames += counts[i, p]
        coverage[p] = frames
        if total > 0:
            variance[p] = spread / (total * total)
            if not keep_mean:
                mean[p] = level / total
        else:
            variance[p] = np.nan
            mean[p] = np.nan
