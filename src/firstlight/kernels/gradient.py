"""What sky gradients need of planes: medians of cells, and a surface between nodes taken from rows."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel

NARROWER, WIDER = 0.95, 1.9
"""Changes of the interval in which a median is looked for, from cell to cell: one of thirteen cells is looked at twice.
Cells of 21 x 21 then take 2.8 ns a pixel in place of 9."""


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
def cell_medians(plane, good, tops, tall, lefts, wide, value):
    """Median of the good pixels of each cell, into ``value`` (rows, columns) float64; NaN where less than half is good.

    Cell (j, i) begins at (tops[j], lefts[i]) and has ``tall`` x ``wide`` pixels. ``good`` (y, x) bool, or empty: all
    are. Where the median of a cell lies near that of the cell before, as it does in a sky, only the pixels around it
    are put in order.
    """
    room = np.empty(tall * wide, np.float32)
    few = np.empty(tall * wide + 1, np.float32)
    masked = good.shape[0] > 0
    # About where the next median is, and half the width of the interval in which it is looked for.
    middle, around = np.float32(np.nan), np.float32(0.0)
    for j in range(tops.shape[0]):
        for i in range(lefts.shape[0]):
            total = 0
            for y in range(tops[j], tops[j] + tall):
                part = plane[y, lefts[i] : lefts[i] + wide]
                for x in range(wide):
                    room[total + x] = part[x]
                total += wide
            n = np.int32(0)
            for x in range(total):
                n += np.int32(abs(room[x]) < np.inf)
            if masked or n < total:
                n = _good_first(plane, good, masked, tops[j], tall, lefts[i], wide, room)
            if 2 * n < total or n == 0:
                value[j, i] = np.nan
                continue
            found, reach = np.nan, around
            while reach > 0:
                low, high = middle - reach, middle + reach
                below = np.int32(0)
                for x in range(n):
                    below += np.int32(room[x] < low)
                inside = 0
                for x in range(n):
                    few[inside] = room[x]
                    inside += (room[x] >= low) & (room[x] < high)
                first = (n - 1) // 2 - below
                if first >= 0 and n // 2 - below < inside:
                    found = _between(few, inside, first, n % 2 == 1)
                    break
                around *= np.float32(WIDER)
                reach = np.float32(4.0) * reach if 2 * inside < n else np.float32(0.0)
            if found != found:
                found = _between(room, n, (n - 1) // 2, n % 2 == 1)
            if not around > 0:
                middle, around = np.float32(found), _scatter(room, n, found)
            middle += np.float32(0.3) * (np.float32(found) - middle)
            around *= np.float32(NARROWER)
            value[j, i] = found


@kernel
def _good_first(plane, good, masked, top, tall, left, wide, room):
    """The good pixels of a cell, at the beginning of ``room``; how many they are."""
    n = 0
    for y in range(top, top + tall):
        for x in range(left, left + wide):
            room[n] = plane[y, x]
            n += (abs(plane[y, x]) < np.inf) and (not masked or good[y, x])
    return np.int32(n)


@kernel
def _between(values, n, k, odd):
    """The k-th smallest of ``n``; or, unless ``odd``, the mean of it and the next."""
    _select(values, n, k)
    low = np.float64(values[k])
    if odd:
        return low
    high = np.inf
    for i in range(k + 1, n):
        high = min(high, np.float64(values[i]))
    return 0.5 * (low + high)


@kernel
def _scatter(values, n, middle):
    total = 0.0
    for i in range(n):
        total += abs(np.float64(values[i]) - middle)
    return np.float32(total / n)


@inner_kernel
def _row(nodes, begins, height, width, y, line, row):
    """Row ``y`` of a surface through evenly spread nodes: see `surface_rows`."""
    rows, columns = nodes.shape[0] - 4, nodes.shape[1] - 4
    t = (y + 0.5) * rows / height - 0.5
    j = min(int(np.floor(t)), rows - 1)
    f = t - j
    w0 = f * (-0.5 + f * (1.0 - 0.5 * f))
    w1 = 1.0 + f * f * (-2.5 + 1.5 * f)
    w2 = f * (0.5 + f * (2.0 - 1.5 * f))
    w3 = f * f * (-0.5 + 0.5 * f)
    for i in range(columns + 4):
        line[i] = w0 * nodes[j + 1, i] + w1 * nodes[j + 2, i] + w2 * nodes[j + 3, i] + w3 * nodes[j + 4, i]
    step = np.float32(columns / width)
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


@kernel
def surface_rows(nodes, begins, height, width, rows, power, factor, plane, out):
    """Rows treated with a surface through evenly spread nodes, into ``out`` (row, x) float32.

    ``power`` 0: the surface itself, whatever ``plane`` is; -1: ``plane`` less the surface; 1 or 2: ``plane`` times
    (``factor`` / surface) to this power. ``rows`` says which rows of the surface those of ``plane`` and ``out`` are.

    Node (j, i) of the n x m in the middle of ``nodes`` (n + 4, m + 4), which are continued by two on each side, lies at
    pixel ((j + 0.5) height / n - 0.5, (i + 0.5) width / m - 0.5). Between them a cubic through four nodes runs (Keys
    1981, a = -1/2), exact for parabolas. ``begins`` (m + 2,): first column at or after each node from -1 on.
    """
    line = np.empty(nodes.shape[1], np.float64)
    sky = np.empty(out.shape[1], np.float32)
    for k in range(rows.shape[0]):
        _row(nodes, begins, height, width, rows[k], line, sky)
        given, row = plane[k], out[k]
        if power == 0:
            for x in range(row.shape[0]):
                row[x] = sky[x]
        elif power == -1:
            for x in range(row.shape[0]):
                row[x] = given[x] - sky[x]
        else:
            for x in range(row.shape[0]):
                ratio = factor / sky[x]
                row[x] = given[x] * (ratio if power == 1 else ratio * ratio)
