"""Which samples of a pixel are outliers: limits from its sorted samples.

Every method looks at one column of a sorted tile (frame, pixel) and narrows the range first <= i < last of kept
samples from both ends. Scales are never taken smaller than the noise model says: from few samples a scale is
uncertain by 1 / sqrt(2 N), and a limit set too tight by chance throws good samples away.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import exact_kernel

MEAN, MEDIAN, MINMAX, PERCENTILE, SIGMA, MAD, WINSORIZED, LINEAR, ESD, NOISE = range(10)
"""Methods as the kernels know them; `firstlight.ops.stack` names them in words."""

BOTTOM, TOP, SOFT_BOTTOM, SOFT_TOP, MIDDLE = range(5)
"""Rows of the table of limits: the extreme kept samples, the limits they were judged by, and their middle."""

HUBER = 1.5
"""Winsorizing limit in sigma, and the factor that undoes its effect on the scale of Gaussian data."""
HUBER_SCALE = 1.134
HUBER_TOLERANCE = 5e-4
MAD_SCALE = 1.4826
FEWEST = 3
"""Nothing is rejected where so few samples, or fewer, are left."""
FEWEST_KNOWN = 2
"""The same where the noise is known beforehand: the outlier of three samples stands alone against two that agree."""
NOISE_REACH = 3.0
"""Methods whose limits are no multiples of sigma leave alone what noise alone may do: so many sigma of the model."""


@exact_kernel
def middle_of(ranked, p, first, last):
    """Median of the sorted samples first <= i < last of pixel p."""
    middle = ranked[(first + last) // 2, p]
    if (last - first) % 2 == 0:
        middle = np.float32(0.5) * (middle + ranked[(first + last) // 2 - 1, p])
    return middle


@exact_kernel
def spread(sums, squares, p, first, last):
    """Standard deviation (n - 1) of the sorted samples first <= i < last of pixel p."""
    n = last - first
    s = sums[last, p] - sums[first, p]
    q = squares[last, p] - squares[first, p] - s * s / n
    return np.sqrt(max(q, np.float32(0.0)) / max(n - 1, 1))


@exact_kernel
def _winsorized_spread(ranked, sums, squares, p, first, last, centre, middle):
    """Scale of the samples after Huber's winsorizing about their median, iterated until it stands."""
    n = last - first
    scale = spread(sums, squares, p, first, last)
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


@exact_kernel
def _deviation(ranked, p, first, last, middle):
    """Median absolute deviation about the middle: the two sorted sides are merged outwards from it."""
    n = last - first
    below = first + (n - 1) // 2
    above = below + 1
    now = np.float32(0.0)
    before = now
    for _ in range(n // 2 + 1):
        before = now
        if above >= last or (below >= first and middle - ranked[below, p] <= ranked[above, p] - middle):
            now = middle - ranked[below, p]
            below -= 1
        else:
            now = ranked[above, p] - middle
            above += 1
    return now if n % 2 else np.float32(0.5) * (now + before)


@exact_kernel
def _line(low, high, ranked, sums, p, n, centre, noise, photons, level, limits):
    """Clip the ends of the sorted samples by their distance from a line through them, in units of the mean distance."""
    first = np.int64(0)
    last = n
    middle = ranked[0, p]
    bottom = ranked[0, p]
    top = ranked[n - 1, p]
    for _ in range(n):
        count = last - first
        middle = middle_of(ranked, p, first, last)
        reach = NOISE_REACH * np.sqrt(noise + photons * max(middle - level, np.float32(0.0)))
        bottom = middle - reach
        top = middle + reach
        if count <= FEWEST or (ranked[first, p] >= bottom and ranked[last - 1, p] <= top):
            break
        half = 0.5 * (count - 1)
        mean = (sums[last, p] - sums[first, p]) / count
        slope = 0.0
        for i in range(count):
            slope += (i - half) * (ranked[first + i, p] - centre)
        slope /= half * (half + 1.0) * (count / 3.0)
        start = centre + mean - slope * half
        distance = 0.0
        for i in range(count):
            distance += abs(ranked[first + i, p] - (start + slope * i))
        distance /= count
        low_end = start - low * distance
        high_end = start + slope * (count - 1) + high * distance
        left = 0
        right = count
        while right - left > FEWEST and ranked[first + left, p] < min(low_end + slope * left, bottom):
            left += 1
        while right - left > FEWEST and ranked[first + right - 1, p] > max(high_end - slope * (count - right), top):
            right -= 1
        if right - left == count:
            break
        last = first + right
        first += left
    limits[SOFT_BOTTOM, p] = min(ranked[first, p], bottom)
    limits[SOFT_TOP, p] = max(ranked[last - 1, p], top)
    limits[MIDDLE, p] = middle
    return first, last


@exact_kernel
def _student(outliers, ranked, sums, squares, p, n, centre, expected, critical, limits):
    """Generalized extreme Studentized deviate: the most outliers whose last one is significant."""
    first = np.int64(0)
    last = n
    kept_first = first
    kept_last = n
    for _ in range(min(np.int64(outliers * n), n - FEWEST)):
        size = last - first
        middle = centre + (sums[last, p] - sums[first, p]) / size
        reach = critical[size] * max(spread(sums, squares, p, first, last), expected)
        below = middle - ranked[first, p]
        above = ranked[last - 1, p] - middle
        if below > above:
            first += 1
        else:
            last -= 1
        if max(below, above) > reach:
            kept_first = first
            kept_last = last
    size = kept_last - kept_first
    middle = centre + (sums[kept_last, p] - sums[kept_first, p]) / size
    reach = critical[size] * max(spread(sums, squares, p, kept_first, kept_last), expected)
    limits[SOFT_BOTTOM, p] = middle - reach
    limits[SOFT_TOP, p] = middle + reach
    limits[MIDDLE, p] = middle
    return kept_first, kept_last


@exact_kernel
def find_limits(
    method, low, high, ranked, sums, squares, centre, valid, count, noise, photons, level, critical, limits
):
    """Fill the table of limits (5, pixels) for the first ``count`` pixels of a sorted tile about its median."""
    reach_low = low
    reach_high = high
    if method == LINEAR:
        reach_low = np.float32(NOISE_REACH)
        reach_high = reach_low
    least = FEWEST_KNOWN if method == NOISE else FEWEST
    for p in range(count):
        n = np.int64(valid[p])
        if n == 0:
            for k in range(5):
                limits[k, p] = np.float32(-np.inf) if k == TOP else np.float32(np.inf)
            continue
        middle = centre[p]
        first = np.int64(0)
        last = n
        limits[MIDDLE, p] = middle
        limits[SOFT_BOTTOM, p] = ranked[0, p]
        limits[SOFT_TOP, p] = ranked[n - 1, p]
        if method == MINMAX:
            # low and high are the numbers of samples to drop; at least one stays.
            first = min(np.int64(low), n - 1)
            last = max(n - np.int64(high), first + 1)
        elif method == PERCENTILE:
            reach = NOISE_REACH * np.sqrt(noise + photons * max(middle - level, np.float32(0.0)))
            while last - first > FEWEST and ranked[first, p] < middle - max(low * abs(middle), reach):
                first += 1
            while last - first > FEWEST and ranked[last - 1, p] > middle + max(high * abs(middle), reach):
                last -= 1
        elif n > least:
            expected = np.sqrt(noise + photons * max(middle - level, np.float32(0.0)))
            scale = expected
            if method == ESD:
                reach_low = critical[n - min(np.int64(low * n), n - FEWEST)]
                reach_high = reach_low
            # Most pixels end here, six of seven in a stack of 60 frames: they are within what noise alone may do.
            if ranked[0, p] < middle - reach_low * expected or ranked[n - 1, p] > middle + reach_high * expected:
                if method == LINEAR:
                    first, last = _line(low, high, ranked, sums, p, n, middle, noise, photons, level, limits)
                elif method == ESD:
                    first, last = _student(low, ranked, sums, squares, p, n, middle, expected, critical, limits)
                else:
                    # Clip at multiples of a scale about the median until nothing is left to clip. Here and not in a
                    # function of its own: a call for each pixel halves the speed for few frames.
                    while last - first > least:
                        middle = middle_of(ranked, p, first, last)
                        expected = np.sqrt(noise + photons * max(middle - level, np.float32(0.0)))
                        scale = expected
                        if ranked[first, p] >= middle - low * scale and ranked[last - 1, p] <= middle + high * scale:
                            break
                        if method == SIGMA:
                            scale = max(scale, spread(sums, squares, p, first, last))
                        elif method == MAD:
                            scale = max(scale, MAD_SCALE * _deviation(ranked, p, first, last, middle))
                        elif method == WINSORIZED:
                            scale = max(
                                scale, _winsorized_spread(ranked, sums, squares, p, first, last, centre[p], middle)
                            )
                        bottom = middle - low * scale
                        top = middle + high * scale
                        before = last - first
                        if before == 3 and ranked[last - 1, p] > max(top, 2 * middle - ranked[first, p]):
                            # Of three samples the farther one goes; only where the noise is known do three get here.
                            last -= 1
                        while last - first > least and ranked[first, p] < bottom:
                            first += 1
                        while last - first > least and ranked[last - 1, p] > top:
                            last -= 1
                        if last - first == before:
                            break
                    limits[MIDDLE, p] = middle
                    limits[SOFT_BOTTOM, p] = middle - low * scale
                    limits[SOFT_TOP, p] = middle + high * scale
        limits[BOTTOM, p] = ranked[first, p]
        limits[TOP, p] = ranked[last - 1, p]
        if method in (MINMAX, PERCENTILE):
            limits[SOFT_BOTTOM, p] = ranked[first, p]
            limits[SOFT_TOP, p] = ranked[last - 1, p]
