"""Find spots as wide as stars in one pass over the rows of a plane, leaving out pixels, columns and cosmic rays."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel, kernel

REACH = 3
"""Defects are followed this many pixels to each side."""
_LINES = np.array([(0, 1, 0), (1, 0, 0), (1, 1, 0), (1, -1, 0), (0, 1, -1), (1, 0, -1), (0, 1, 1), (1, 0, 1)])
"""Directions (dy, dx) of lines through a pixel, and the side on which a second line makes them wide."""
_INVERSE_ROOT = np.array([0.0, *(1.0 / math.sqrt(n) for n in range(1, 4 * REACH + 3))], np.float32)
BLOCK = 64
"""Pixels of a row that are looked over at once for a spot."""


@kernel
def _stretch(values, nodes, out):
    """Values at the nodes of the mesh to every pixel of a row, linear between them and beyond the outer ones."""
    last = nodes.shape[0] - 1
    for i in range(last):
        begin = 0 if i == 0 else math.ceil(nodes[i])
        end = out.shape[0] if i == last - 1 else math.ceil(nodes[i + 1])
        slope = (values[i + 1] - values[i]) / (nodes[i + 1] - nodes[i])
        start = np.float32(values[i] + (begin - nodes[i]) * slope)
        part = out[begin:end]
        for x in range(part.shape[0]):
            part[x] = start + np.float32(slope) * np.float32(x)


@fast_kernel
def _standardise(row, level, next_level, noise, next_noise, share, out):
    """``(row - background) * inverse noise``, both ``share`` of the way between two rows of the mesh, into ``out``."""
    for x in range(row.shape[0]):
        background = level[x] + share * (next_level[x] - level[x])
        v = (row[x] - background) * (noise[x] + share * (next_noise[x] - noise[x]))
        out[x] = v if abs(v) < np.inf else np.float32(0.0)


@fast_kernel
def _add_pairs(a, b, weight, c, d, other, out):
    for x in range(out.shape[0]):
        out[x] += weight * (a[x] + b[x]) + other * (c[x] + d[x])


@fast_kernel
def _add_pair(a, b, weight, out):
    for x in range(out.shape[0]):
        out[x] += weight * (a[x] + b[x])


@fast_kernel
def _begin(centre, weight, a, b, other, out):
    for x in range(out.shape[0]):
        out[x] = weight * centre[x] + other * (a[x] + b[x])


@inner_kernel
def _filter_row(padded, taps, out):
    """Symmetric filter along a row that is padded by its reach: two pairs of taps at a time, as loads cost most."""
    half = taps.shape[0] - 1
    n = out.shape[0]
    _begin(padded[half : half + n], taps[0], padded[half - 1 : half - 1 + n], padded[half + 1 : half + 1 + n], taps[1],
           out)  # fmt: skip
    k = 2
    while k < half:
        _add_pairs(
            padded[half - k : half - k + n], padded[half + k : half + k + n], taps[k],
            padded[half - k - 1 : half - k - 1 + n], padded[half + k + 1 : half + k + 1 + n], taps[k + 1], out,
        )  # fmt: skip
        k += 2
    if k == half:
        _add_pair(padded[half - k : half - k + n], padded[half + k : half + k + n], taps[k], out)


@inner_kernel
def _filter_column(ring, y, taps, out):
    """Symmetric filter across rows held in a ring, centred on row ``y``."""
    mask = ring.shape[0] - 1
    half = taps.shape[0] - 1
    _begin(ring[y & mask], taps[0], ring[(y - 1) & mask], ring[(y + 1) & mask], taps[1], out)
    k = 2
    while k < half:
        _add_pairs(
            ring[(y - k) & mask], ring[(y + k) & mask], taps[k],
            ring[(y - k - 1) & mask], ring[(y + k + 1) & mask], taps[k + 1], out,
        )  # fmt: skip
        k += 2
    if k == half:
        _add_pair(ring[(y - k) & mask], ring[(y + k) & mask], taps[k], out)


@inner_kernel
def _next_above(row, first, last, threshold):
    """Place of the first value above the threshold from ``first`` on, or ``last``.

    Whole blocks are looked over as vectors: most hold none.
    """
    for start in range(first, last, BLOCK):
        stop = min(start + BLOCK, last)
        above = np.int32(0)
        for i in range(start, stop):
            above += np.int32(row[i] > threshold)
        if above:
            for i in range(start, stop):
                if row[i] > threshold:
                    return i
    return last


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
    return ring[y & (ring.shape[0] - 1), x + pad]


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
            best = max(best, total * _INVERSE_ROOT[length * per_step])
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
    best = np.float32(0.0)
    # From a table: numbers written into the calls would be compiled each for itself, in seconds.
    for k in range(_LINES.shape[0]):
        best = max(best, _best_line(ring, py, px, _LINES[k, 0], _LINES[k, 1], _LINES[k, 2], pad))
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
    peaks = np.zeros((3, width), np.float32)
    levels = np.empty((2, width), np.float32)
    noises = np.empty((2, width), np.float32)
    stretched = -1
    start = pad - half
    n = 0
    counted = 0
    total = 0.0
    ahead = max(half, REACH + 1)
    # Rings of a power of two rows: their places come by a mask, where a division would take longer than all else.
    size = 16
    while size < ahead + max(half, REACH + 3) + 1:
        size *= 2
    lines = np.zeros((size, width + 2 * pad), np.float32)
    across = np.zeros((size, width), np.float32)
    begin = max(first - ahead - 1, -ahead - 1)
    node = 0
    # Rows outside the plane are empty sky.
    for y in range(begin, last + ahead + 2):
        line = lines[y & (size - 1)]
        if 0 <= y < height:
            while node < node_rows.shape[0] - 2 and y >= node_rows[node + 1]:
                node += 1
            share = (y - node_rows[node]) / (node_rows[node + 1] - node_rows[node])
            inner = line[pad : pad + width]
            if node != stretched:
                stretched = node
                for i in range(2):
                    _stretch(level[node + i], node_columns, levels[i])
                    _stretch(inverse_noise[node + i], node_columns, noises[i])
            _standardise(plane[y], levels[0], levels[1], noises[0], noises[1], np.float32(share), inner)
            if masked:
                bad = excluded[y]
                for x in range(width):
                    if bad[x]:
                        inner[x] = np.float32(0.0)
            _filter_row(line[start : start + width + 2 * half], taps, across[y & (size - 1)])
        else:
            line[:] = np.float32(0.0)
            across[y & (size - 1)] = np.float32(0.0)
        filtered = y - ahead
        if filtered < begin + ahead:
            continue
        below = peaks[(filtered + 3) % 3]
        _filter_column(across, filtered, taps, below)
        if filtered % 8 == 0:
            inside, square = _clipped_square(below, np.float32(3.0))
            counted += inside
            total += square
        y0 = filtered - 1
        if y0 < max(first, 1) or y0 >= min(last, height - 1):
            continue
        row = peaks[(y0 + 3) % 3]
        above = peaks[(y0 + 2) % 3]
        x = 0
        while True:
            # Numbers, not a slice: a reference would be counted for each place.
            x = _next_above(row, x + 1, width - 1, threshold)
            if x >= width - 1:
                break
            v = row[x]
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
            if _defect_strength(lines, y0, x, pad) >= height_here:
                continue
            if n < xs.shape[0]:
                xs[n] = x + offset_x
                ys[n] = y0 + offset_y
                strength[n] = height_here
            n += 1
    # The square of a normal law cut at 3 sigma.
    rms = math.sqrt(total / max(counted, 1) / 0.97334) if counted else 1.0
    return n, rms
