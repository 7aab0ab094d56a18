"""Reject outliers and combine: a cube (frame, pixel) to one value per pixel.

A tile of 64 pixels is sorted along the frames by a sorting network, every compare-exchange working on the whole row.
Location, scale and limits then come from the sorted columns and their running sums. The mean is taken in a second
pass over the unsorted tile, so that each sample keeps its own weight. A sample that is not finite is missing.

Sums run in float32 about the pixel's median, where they are small: against float64 the mean of 60 frames differs
by less than 1e-6 of the spread.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel

TILE = 64
"""Pixels of a tile: 60 frames of it fill 15 kB, less than the first-level cache."""

MEAN, MEDIAN, SIGMA, WINSORIZED, MINMAX = range(5)
"""Methods as the kernel knows them; `firstlight.ops.stack` names them in words."""

HUBER = 1.5
"""Winsorizing limit in sigma, and the factor that undoes its effect on the scale of Gaussian data."""
HUBER_SCALE = 1.134
HUBER_TOLERANCE = 5e-4
FEWEST = 3
"""Nothing is rejected where so few samples, or fewer, are left."""


@fast_kernel
def _load(cube, start, count, gain, zero, tile, ranked, valid):
    """Normalised samples of ``count`` pixels into ``tile`` and, with +inf for missing ones, ``ranked``."""
    whole = 0
    for p in range(TILE):
        valid[p] = 0
    for n in range(cube.shape[0]):
        source = cube[n, start : start + count]
        line = tile[n]
        order = ranked[n]
        g = gain[n]
        z = zero[n]
        broken = np.float32(0.0)
        for p in range(count):
            value = source[p] * g + z
            line[p] = value
            order[p] = value
            # 0 for numbers, NaN for NaN and infinity: one sum tells whether the row is whole.
            broken += value * np.float32(0.0)
        for p in range(count, TILE):
            order[p] = np.float32(np.inf)
        if broken == 0:
            whole += 1
            continue
        for p in range(count):
            finite = abs(line[p]) < np.float32(np.inf)
            valid[p] += finite
            if not finite:
                line[p] = np.float32(np.nan)
                order[p] = np.float32(np.inf)
    for p in range(count):
        valid[p] += whole


@fast_kernel
def sort_tile(ranked, pairs):
    """Run the compare-exchanges on the rows of ``ranked`` (n, TILE), in place."""
    for k in range(pairs.shape[0]):
        low = ranked[pairs[k, 0]]
        high = ranked[pairs[k, 1]]
        for p in range(TILE):
            a = low[p]
            b = high[p]
            low[p] = a if a < b else b
            high[p] = b if a < b else a


@kernel
def _median(ranked, p, n):
    middle = ranked[n // 2, p]
    if n % 2 == 0:
        middle = np.float32(0.5) * (middle + ranked[n // 2 - 1, p])
    return middle


@fast_kernel
def _running_sums(ranked, centre, sums, squares):
    """Running sums of the sorted columns about ``centre``; missing samples (+inf, last) add nothing."""
    for p in range(TILE):
        sums[0, p] = 0.0
        squares[0, p] = 0.0
    for n in range(ranked.shape[0]):
        for p in range(TILE):
            value = ranked[n, p]
            d = value - centre[p] if value < np.float32(np.inf) else np.float32(0.0)
            sums[n + 1, p] = sums[n, p] + d
            squares[n + 1, p] = squares[n, p] + d * d


@kernel
def _spread(sums, squares, p, first, last):
    """Standard deviation (n - 1) of the sorted samples first <= i < last of pixel p."""
    n = last - first
    s = sums[last, p] - sums[first, p]
    q = squares[last, p] - squares[first, p] - s * s / n
    return np.sqrt(max(q, np.float32(0.0)) / max(n - 1, 1))


@kernel
def _winsorized_spread(ranked, sums, squares, p, first, last, centre, middle):
    """Scale of the samples after Huber's winsorizing about their median, iterated until it stands."""
    n = last - first
    scale = _spread(sums, squares, p, first, last)
    low = first
    high = last
    for _ in range(50):
        bottom = middle - HUBER * scale
        top = middle + HUBER * scale
        # The limits close in from iteration to iteration, hardly ever out again: both cases step from where they are.
        while low < last and ranked[low, p] < bottom:
            low += 1
        while low > first and ranked[low - 1, p] >= bottom:
            low -= 1
        while high > first and ranked[high - 1, p] > top:
            high -= 1
        while high < last and ranked[high, p] <= top:
            high += 1
        a = bottom - centre
        b = top - centre
        s = sums[high, p] - sums[low, p] + (low - first) * a + (last - high) * b
        q = squares[high, p] - squares[low, p] + (low - first) * a * a + (last - high) * b * b
        new = HUBER_SCALE * np.sqrt(max(q - s * s / n, 0.0) / max(n - 1, 1))
        if abs(new - scale) <= HUBER_TOLERANCE * scale:
            return new
        scale = new
    return scale


@kernel
def _limits(method, low, high, ranked, sums, squares, centre, valid, count, noise, photons, level, bottom, top):
    """Lowest and highest value that each pixel keeps.

    The scale is never taken smaller than the noise model says (``noise + photons * signal``): from few samples it is
    uncertain by 1 / sqrt(2 N), and a limit set too tight by chance throws good samples away.
    """
    for p in range(count):
        n = valid[p]
        first = 0
        last = n
        if method == MINMAX:
            # low and high are the numbers of samples to drop; at least one stays.
            first = min(int(low), max(n - 1, 0))
            last = max(n - int(high), first + 1)
        elif method in (SIGMA, WINSORIZED):
            for _ in range(n):
                if last - first <= FEWEST:
                    break
                middle = ranked[(first + last) // 2, p]
                if (last - first) % 2 == 0:
                    middle = np.float32(0.5) * (middle + ranked[(first + last) // 2 - 1, p])
                expected = np.sqrt(noise + photons * max(middle - level, np.float32(0.0)))
                if ranked[first, p] >= middle - low * expected and ranked[last - 1, p] <= middle + high * expected:
                    # Within what noise alone may do: six pixels of seven of a 60-frame stack end here.
                    break
                if method == SIGMA:
                    scale = _spread(sums, squares, p, first, last)
                else:
                    scale = _winsorized_spread(ranked, sums, squares, p, first, last, centre[p], middle)
                scale = max(scale, expected)
                before = last - first
                while last - first > FEWEST and ranked[first, p] < middle - low * scale:
                    first += 1
                while last - first > FEWEST and ranked[last - 1, p] > middle + high * scale:
                    last -= 1
                if last - first == before:
                    break
        if n == 0:
            bottom[p] = np.float32(np.inf)
            top[p] = np.float32(-np.inf)
        else:
            bottom[p] = ranked[first, p]
            top[p] = ranked[last - 1, p]


@fast_kernel
def _average(
    tile,
    count,
    centre,
    bottom,
    top,
    weight,
    noise,
    photons,
    total,
    sums,
    squares,
    variance,
    slope,
    kept,
    low,
    high,
    hits,
):
    """Weighted sums over the kept samples; ``hits`` counts the rejected samples of each frame."""
    for p in range(TILE):
        total[p] = 0.0
        sums[p] = 0.0
        squares[p] = 0.0
        variance[p] = 0.0
        slope[p] = 0.0
        kept[p] = 0
        low[p] = 0
        high[p] = 0
    for n in range(tile.shape[0]):
        w = weight[n]
        v = w * w * noise[n]
        s = w * w * photons[n]
        line = tile[n]
        outside = 0
        for p in range(count):
            outside += not ((line[p] >= bottom[p]) & (line[p] <= top[p]))
        if outside == 0:
            # Most rows of most tiles: every sample stays. Each pixel adds in the order of the frames all the same, so
            # that its bytes do not depend on its neighbours in the tile.
            for p in range(count):
                d = line[p] - centre[p]
                total[p] += w
                sums[p] += w * d
                squares[p] += w * d * d
                variance[p] += v
                slope[p] += s
                kept[p] += 1
            continue
        rejected = 0
        for p in range(count):
            value = line[p]
            if value < bottom[p]:
                low[p] += 1
                rejected += 1
            elif value > top[p]:
                high[p] += 1
                rejected += 1
            elif value == value:
                total[p] += w
                d = value - centre[p]
                sums[p] += w * d
                squares[p] += w * d * d
                variance[p] += v
                slope[p] += s
                kept[p] += 1
        hits[n] += rejected


@kernel
def combine(
    cube, pairs, method, low, high, gain, zero, weight, noise, photons, level, from_scatter,
    mean, variance, kept, rejected_low, rejected_high, hits,
):  # fmt: skip
    """Combine the frames of ``cube`` (n, m) pixel by pixel.

    Sample i of a pixel is ``cube[i] * gain[i] + zero[i]``. ``pairs`` is the sorting network for n (for the mean: empty;
    for the median the median network is enough if no sample is missing). ``low`` and ``high`` are limits in sigma, or,
    for min-max, numbers of samples. ``noise`` is the variance of each frame's background and ``photons`` the variance
    added per unit of signal above ``level``, both after the gain; they give the variance of the mean,
    ``sum(w^2 (noise + photons * signal)) / sum(w)^2``; with ``from_scatter`` that is taken from the scatter of the kept
    samples instead.

    Writes ``mean`` (NaN where nothing was measured), ``variance``, ``kept`` and the two rejection counts, all (m,),
    and adds to ``hits`` (n,) the number of samples rejected in each frame.
    """
    n_frames, n_pixels = cube.shape
    tile = np.empty((n_frames, TILE), np.float32)
    ranked = np.empty((n_frames, TILE), np.float32)
    sums = np.empty((n_frames + 1, TILE), np.float32)
    squares = np.empty((n_frames + 1, TILE), np.float32)
    valid = np.empty(TILE, np.int32)
    centre = np.empty(TILE, np.float32)
    bottom = np.empty(TILE, np.float32)
    top = np.empty(TILE, np.float32)
    accumulated = np.empty((5, TILE), np.float32)
    counts = np.empty((3, TILE), np.int32)
    mean_noise = np.float32(np.mean(noise))
    mean_photons = np.float32(np.mean(photons))
    for start in range(0, n_pixels, TILE):
        count = min(TILE, n_pixels - start)
        _load(cube, start, count, gain, zero, tile, ranked, valid)
        if method == MEAN:
            for p in range(count):
                centre[p] = ranked[0, p] if valid[p] == n_frames else np.float32(level)
                bottom[p] = np.float32(-np.inf)
                top[p] = np.float32(np.inf)
        else:
            sort_tile(ranked, pairs)
            for p in range(count):
                centre[p] = _median(ranked, p, valid[p]) if valid[p] > 0 else np.float32(0.0)
            for p in range(count, TILE):
                centre[p] = np.float32(0.0)
            if method == MEDIAN:
                for p in range(count):
                    bottom[p] = np.float32(-np.inf)
                    top[p] = np.float32(np.inf)
            else:
                if method != MINMAX:
                    _running_sums(ranked, centre, sums, squares)
                _limits(
                    method, low, high, ranked, sums, squares, centre, valid, count,
                    mean_noise, mean_photons, np.float32(level), bottom, top,
                )  # fmt: skip
        _average(
            tile, count, centre, bottom, top, weight, noise, photons,
            accumulated[0], accumulated[1], accumulated[2], accumulated[3], accumulated[4],
            counts[0], counts[1], counts[2], hits,
        )  # fmt: skip
        for p in range(count):
            i = start + p
            kept[i] = counts[0, p]
            rejected_low[i] = counts[1, p]
            rejected_high[i] = counts[2, p]
            total = accumulated[0, p]
            if counts[0, p] == 0 or total <= 0:
                mean[i] = np.float32(np.nan)
                variance[i] = np.float32(np.nan)
                continue
            value = centre[p] if method == MEDIAN else centre[p] + accumulated[1, p] / total
            mean[i] = value
            if from_scatter:
                n = counts[0, p]
                offset = accumulated[1, p] / total
                scatter = max(accumulated[2, p] / total - offset * offset, np.float32(0.0))
                variance[i] = scatter / (n - 1) if n > 1 else np.float32(np.nan)
            else:
                spread = accumulated[3, p] + accumulated[4, p] * max(value - np.float32(level), np.float32(0.0))
                variance[i] = spread / (total * total)
