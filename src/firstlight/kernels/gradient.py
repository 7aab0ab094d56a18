"""What sky gradients need of whole planes: medians of cells, the exact median, and a surface between nodes."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def _select(values, n, k):
    """Order the first ``n`` values so far that the k-th smallest is at its place (Hoare 1961)."""
    left, right = 0, n - 1
    while left < right:
        pivot = values[(left + right) >> 1]
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            right = j
        elif k >= i:
            left = i
        else:
            return


@kernel
def _median(values, n):
    k = n // 2
    _select(values, n, k)
    high = np.float64(values[k])
    if n % 2:
        return high
    low = values[0]
    for i in range(1, k):
        low = max(low, values[i])
    return 0.5 * (high + np.float64(low))


@kernel
def cell_medians(plane, good, tops, tall, lefts, wide, every, value):
    """Median of the good pixels of each cell, into ``value`` (rows, columns) float64; NaN where less than half is good.

    Cell (j, i) begins at (tops[j], lefts[i]) and has ``tall`` x ``wide`` pixels, of which every ``every``-th row is
    looked at. ``good`` (y, x) bool, or empty: all are.
    """
    room = np.empty((tall // every + 1) * wide, np.float32)
    masked = good.shape[0] > 0
    for j in range(tops.shape[0]):
        first = tops[j] + (min(every, tall) - 1) // 2
        for i in range(lefts.shape[0]):
            n = 0
            seen = 0
            for y in range(first, tops[j] + tall, every):
                for x in range(lefts[i], lefts[i] + wide):
                    room[n] = plane[y, x]
                    n += abs(plane[y, x]) < np.inf and (not masked or good[y, x])
                seen += wide
            value[j, i] = _median(room, n) if 2 * n >= seen and n > 0 else np.nan


@kernel
def _order(bits):
    """A number that orders as the float32 does whose bits these are."""
    return bits ^ np.uint32(0x80000000) if bits < np.uint32(0x80000000) else ~bits


@kernel
def _kth(bits, good, masked, k):
    """The k-th smallest (from 0), as an ordered number: first its upper, then its lower 16 bits are found."""
    counts = np.zeros(65536, np.int64)
    for y in range(bits.shape[0]):
        for x in range(bits.shape[1]):
            if not masked or good[y, x]:
                counts[_order(bits[y, x]) >> np.uint32(16)] += 1
    upper = 0
    while k >= counts[upper]:
        k -= counts[upper]
        upper += 1
    counts[:] = 0
    for y in range(bits.shape[0]):
        for x in range(bits.shape[1]):
            if not masked or good[y, x]:
                rank = _order(bits[y, x])
                if rank >> np.uint32(16) == np.uint32(upper):
                    counts[rank & np.uint32(0xFFFF)] += 1
    lower = 0
    before = k
    while before >= counts[lower]:
        before -= counts[lower]
        lower += 1
    return np.uint32(upper) << np.uint32(16) | np.uint32(lower), counts[lower] - before > 1


@kernel
def middle_two(bits, good, total):
    """The middle two of ``total`` (at least 1) float32 numbers given by their bits (y, x) uint32, as ordered numbers.

    Equal for odd ``total``. ``good`` (y, x) bool says which count, or is empty: all do. Two passes of counting, and a
    third where the middle two differ.
    """
    masked = good.shape[0] > 0
    low, again = _kth(bits, good, masked, (total - 1) // 2)
    if total % 2 or again:
        return low, low
    high = np.uint32(0xFFFFFFFF)
    for y in range(bits.shape[0]):
        for x in range(bits.shape[1]):
            if not masked or good[y, x]:
                rank = _order(bits[y, x])
                if rank > low:
                    high = min(high, rank)
    return low, high


@kernel
def cubic_rows(nodes, begins, height, width, top, out):
    """Rows ``top`` .. of the surface through evenly spread nodes, into ``out`` (rows, width) float32.

    Node (j, i) of the n x m in the middle of ``nodes`` (n + 4, m + 4), which are continued by two on each side, lies at
    pixel ((j + 0.5) height / n - 0.5, (i + 0.5) width / m - 0.5). Between them a cubic through four nodes runs (Keys
    1981, a = -1/2), exact for parabolas. ``begins`` (m + 2,): first column at or after each node from -1 on.
    """
    rows, columns = nodes.shape[0] - 4, nodes.shape[1] - 4
    line = np.empty(columns + 4, np.float64)
    step = np.float32(columns / width)
    for y in range(out.shape[0]):
        t = (y + top + 0.5) * rows / height - 0.5
        j = int(np.floor(t))
        f = t - j
        w0 = f * (-0.5 + f * (1.0 - 0.5 * f))
        w1 = 1.0 + f * f * (-2.5 + 1.5 * f)
        w2 = f * (0.5 + f * (2.0 - 1.5 * f))
        w3 = f * f * (-0.5 + 0.5 * f)
        for i in range(columns + 4):
            line[i] = w0 * nodes[j + 1, i] + w1 * nodes[j + 2, i] + w2 * nodes[j + 3, i] + w3 * nodes[j + 4, i]
        row = out[y]
        for i in range(columns + 1):
            begin, end = begins[i], begins[i + 1]
            if end <= begin:
                continue
            p0, p1, p2, p3 = line[i], line[i + 1], line[i + 2], line[i + 3]
            a = np.float32(p1)
            b = np.float32(0.5 * (p2 - p0))
            c = np.float32(p0 - 2.5 * p1 + 2.0 * p2 - 0.5 * p3)
            d = np.float32(0.5 * (p3 - p0) + 1.5 * (p1 - p2))
            start = np.float32((begin + 0.5) * columns / width - 0.5 - (i - 1))
            part = row[begin:end]
            for x in range(part.shape[0]):
                g = start + step * np.float32(x)
                part[x] = a + g * (b + g * (c + g * d))
