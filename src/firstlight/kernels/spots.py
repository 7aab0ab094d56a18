"""Find spots as wide as stars in one pass over the rows of a plane, leaving out pixels, columns and cosmic rays."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel

REACH = 3
"""Defects are followed this many pixels to each side."""


@fast_kernel
def _standardise(row, above, below, share, noise_above, noise_below, nodes, out):
    """``(row - background) / noise``, both interpolated linearly between the nodes of the mesh, into ``out``."""
    last = nodes.shape[0] - 1
    for i in range(last):
        begin = 0 if i == 0 else math.ceil(nodes[i])
        end = row.shape[0] if i == last - 1 else math.ceil(nodes[i + 1])
        width = nodes[i + 1] - nodes[i]
        l0 = above[i] + share * (below[i] - above[i])
        l1 = above[i + 1] + share * (below[i + 1] - above[i + 1])
        q0 = noise_above[i] + share * (noise_below[i] - noise_above[i])
        q1 = noise_above[i + 1] + share * (noise_below[i + 1] - noise_above[i + 1])
        slope = np.float32((l1 - l0) / width)
        fall = np.float32((q1 - q0) / width)
        level = np.float32(l0 + (begin - nodes[i]) * (l1 - l0) / width)
        inverse = np.float32(q0 + (begin - nodes[i]) * (q1 - q0) / width)
        source = row[begin:end]
        target = out[begin:end]
        for x in range(source.shape[0]):
            t = np.float32(x)
            v = (source[x] - (level + slope * t)) * (inverse + fall * t)
            target[x] = v if abs(v) < np.inf else np.float32(0.0)


@fast_kernel
def _filter_row(padded, taps, out):
    """Symmetric filter along a row that is padded by its reach."""
    half = taps.shape[0] - 1
    n = out.shape[0]
    c = taps[0]
    middle = padded[half : half + n]
    for x in range(n):
        out[x] = c * middle[x]
    for k in range(1, half + 1):
        c = taps[k]
        left = padded[half - k : half - k + n]
        right = padded[half + k : half + k + n]
        for x in range(n):
            out[x] += c * (left[x] + right[x])


@fast_kernel
def _filter_column(ring, y, taps, out):
    """Symmetric filter across rows held in a ring, centred on row ``y``."""
    size = ring.shape[0]
    half = taps.shape[0] - 1
    n = out.shape[0]
    c = taps[0]
    middle = ring[y % size]
    for x in range(n):
        out[x] = c * middle[x]
    for k in range(1, half + 1):
        c = taps[k]
        a = ring[(y - k + size) % size]
        b = ring[(y + k) % size]
        for x in range(n):
            out[x] += c * (a[x] + b[x])


@fast_kernel
def _clipped_square(row, limit):
    n = 0
    total = np.float32(0.0)
    for x in range(row.shape[0]):
        v = row[x]
        keep = abs(v) < limit
        n += keep
        total += v * v if keep else np.float32(0.0)
    return n, total


@kernel
def _pixel(ring, y, x, pad):
    return ring[y % ring.shape[0], x + pad]


@kernel
def _best_line(ring, y, x, dy, dx, wide, pad):
    """Largest sum / sqrt(pixels) of lines through (y, x): grown pixel by pixel to the brighter side.

    ``wide`` adds the neighbour across (a double column); such lines count from 4 pixels on, as shorter ones may be
    undersampled stars.
    """
    total = _pixel(ring, y, x, pad)
    if wide != 0:
        total += _pixel(ring, y + wide * dx, x + wide * dy, pad)
    best = total if wide == 0 else np.float32(0.0)
    low, high = 1, 1
    per_step = 1 if wide == 0 else 2
    for length in range(2, 2 * REACH + 2):
        before = np.float32(-1e30)
        after = np.float32(-1e30)
        if low <= REACH:
            before = _pixel(ring, y - low * dy, x - low * dx, pad)
            if wide != 0:
                before += _pixel(ring, y - low * dy + wide * dx, x - low * dx + wide * dy, pad)
        if high <= REACH:
            after = _pixel(ring, y + high * dy, x + high * dx, pad)
            if wide != 0:
                after += _pixel(ring, y + high * dy + wide * dx, x + high * dx + wide * dy, pad)
        if before > after:
            total += before
            low += 1
        else:
            total += after
            high += 1
        if wide == 0 or length >= 4:
            best = max(best, total / math.sqrt(length * per_step))
    return best


@kernel
def _defect_strength(ring, y, x, pad):
    """How well the best pixel, pair or straight line around (y, x) explains what is there, in sigma."""
    py, px = y, x
    top = _pixel(ring, y, x, pad)
    for j in range(-1, 2):
        for i in range(-1, 2):
            v = _pixel(ring, y + j, x + i, pad)
            if v > top:
                top, py, px = v, y + j, x + i
    best = max(_best_line(ring, py, px, 0, 1, 0, pad), _best_line(ring, py, px, 1, 0, 0, pad))
    best = max(best, _best_line(ring, py, px, 1, 1, 0, pad))
    best = max(best, _best_line(ring, py, px, 1, -1, 0, pad))
    for wide in (-1, 1):
        best = max(best, _best_line(ring, py, px, 0, 1, wide, pad))
        best = max(best, _best_line(ring, py, px, 1, 0, wide, pad))
    return best


@kernel
def _vertex(before, centre, after):
    """Height of the parabola through three samples above the middle one, and its place."""
    curve = 2.0 * centre - before - after
    if curve <= 0.0:
        return 0.0, 0.0
    offset = 0.5 * (after - before) / curve
    return 0.25 * (after - before) * offset, offset


@kernel
def find_spots(
    plane, excluded, level, inverse_noise, node_rows, node_columns, taps, threshold, first, last, xs, ys, strength
):
    """Local maxima of the matched filter that no defect of one pixel, a pair or a line explains better.

    Parameters
    ----------
    plane : float32 (y, x).
    excluded : bool (y, x) or empty; excluded pixels count as empty sky.
    level, inverse_noise : float32 (ny, nx) mesh, with nodes at ``node_rows`` and ``node_columns`` (at least 2 each).
    taps : float32 (half + 1,): one side of the symmetric filter, sum of squares of the whole 1.
    threshold : in standard deviations of the filtered plane, were the noise white.
    first, last : rows to search.
    xs, ys, strength : room for the results; ``strength`` is the height of the maximum between pixels.

    Returns
    -------
    (n, rms) : how many were found (more than there is room for: the rest was not stored), and the standard deviation
        of the filtered plane (1 for white noise).
    """
    height, width = plane.shape
    half = taps.shape[0] - 1
    pad = max(half, REACH + 2)
    masked = excluded.shape[0] > 0
    size = 2 * (half + REACH + 3)
    lines = np.zeros((size, width + 2 * pad), np.float32)
    across = np.zeros((size, width), np.float32)
    peaks = np.zeros((3, width), np.float32)
    start = pad - half
    n = 0
    counted = 0
    total = 0.0
    ahead = max(half, REACH + 1)
    begin = max(first - ahead - 1, -ahead - 1)
    node = 0
    # Rows outside the plane are empty sky.
    for y in range(begin, last + ahead + 2):
        line = lines[(y + size) % size]
        if 0 <= y < height:
            while node < node_rows.shape[0] - 2 and y >= node_rows[node + 1]:
                node += 1
            share = (y - node_rows[node]) / (node_rows[node + 1] - node_rows[node])
            inner = line[pad : pad + width]
            _standardise(
                plane[y],
                level[node],
                level[node + 1],
                share,
                inverse_noise[node],
                inverse_noise[node + 1],
                node_columns,
                inner,
            )
            if masked:
                bad = excluded[y]
                for x in range(width):
                    if bad[x]:
                        inner[x] = np.float32(0.0)
            _filter_row(line[start : start + width + 2 * half], taps, across[(y + size) % size])
        else:
            line[:] = np.float32(0.0)
            across[(y + size) % size] = np.float32(0.0)
        filtered = y - ahead
        if filtered < begin + ahead:
            continue
        below = peaks[(filtered + 3) % 3]
        _filter_column(across, filtered + size, taps, below)
        if filtered % 8 == 0:
            inside, square = _clipped_square(below, np.float32(3.0))
            counted += inside
            total += square
        y0 = filtered - 1
        if y0 < max(first, 1) or y0 >= min(last, height - 1):
            continue
        row = peaks[(y0 + 3) % 3]
        above = peaks[(y0 + 2) % 3]
        for x in range(1, width - 1):
            v = row[x]
            if v <= threshold:
                continue
            if (
                v < row[x - 1]
                or v <= row[x + 1]
                or v < above[x - 1]
                or v < above[x]
                or v < above[x + 1]
                or v <= below[x - 1]
                or v <= below[x]
                or v <= below[x + 1]
            ):
                continue
            gain_x, offset_x = _vertex(row[x - 1], v, row[x + 1])
            gain_y, offset_y = _vertex(above[x], v, below[x])
            height_here = v + gain_x + gain_y
            if _defect_strength(lines, y0 + size, x, pad) >= height_here:
                continue
            if n < xs.shape[0]:
                xs[n] = x + offset_x
                ys[n] = y0 + offset_y
                strength[n] = height_here
            n += 1
    # The square of a normal law cut at 3 sigma.
    rms = math.sqrt(total / max(counted, 1) / 0.97334) if counted else 1.0
    return n, rms
