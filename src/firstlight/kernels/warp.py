"""Resample a plane through a projective map.

Two paths give the same picture. *Two-pass*: for maps that hardly turn (or turn by half a circle), rows are resampled
first and columns after; along a row the phase of the kernel changes so slowly that long runs of pixels share one set
of weights, and both passes are plain vector sums. *Direct*: any map, all taps of the kernel at once.

An output pixel whose inner samples (the 2 x 2 around its position) are not all inside the plane is NaN: missing. Outer
samples beyond the edge repeat the edge. Clamping keeps the negative lobes of Lanczos from digging dark rings: no value
may fall below the lowest of the four inner samples of an axis by more than ``sqrt(clamp + photons * highest)``, a
multiple of the noise that such pixels have, so that noise itself passes unchanged. (A limit that knew only the noise of
the sky added 0.27 % to the light of bright stars, whose flanks are noisier.)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel

PHASES = 2048
"""Steps of a kernel's table per pixel: positions are right to 1/4096 px."""

NEAREST, BILINEAR, LANCZOS3 = 0, 1, 3
"""Half width of each interpolation kernel."""


@lru_cache(maxsize=4)
def kernel_table(half: int) -> np.ndarray:
    """Weights (PHASES + 1, 2 * half) for each phase in 0..1; each line sums to 1. float32.

    >>> kernel_table(1)[PHASES // 4].tolist()
    [0.75, 0.25]
    """
    phase = np.arange(PHASES + 1)[:, None] / PHASES
    distance = np.abs(np.arange(1 - half, half + 1)[None, :] - phase)
    if half == BILINEAR:
        table = 1.0 - distance
    else:
        table = np.where(distance < half, np.sinc(distance) * np.sinc(distance / half), 0.0)
    table /= table.sum(axis=1, keepdims=True)
    result = np.ascontiguousarray(table, dtype=np.float32)
    result.flags.writeable = False
    return result


@kernel
def _split(position):
    """Whole pixel below a position and the number of the nearest phase of the table."""
    whole = int(np.floor(position))
    step = int((position - whole) * PHASES + 0.5)
    return whole, step


@fast_kernel
def _floor(a, b, c, d, clamp, photons):
    """Lowest value allowed between the inner samples b, c and their neighbours a, d."""
    low = min(min(a, d), min(b, c))
    high = max(max(a, d), max(b, c))
    return low - np.sqrt(clamp + photons * max(high, np.float32(0.0)))


@fast_kernel
def _row_pass(source, table, half, start, slope, clamp, photons, out):
    """Resample one row: out[x] = source(start + slope * x); beyond its ends the row repeats them."""
    width = source.shape[0]
    n = out.shape[0]
    x = 0
    low_limit = half - 1
    high_limit = width - half
    while x < n:
        position = start + slope * x
        whole = int(np.floor(position))
        step = int((position - whole) * PHASES + 0.5)
        # All pixels up to the next change of phase share these weights: whole - x is constant over the run.
        run = 1
        if abs(slope - 1.0) < 0.5:
            drift = abs(slope - 1.0) * PHASES
            run = n - x
            if drift * run > 1e-9:
                offset = (position - whole) * PHASES + 0.5 - step
                room = (1.0 - offset) if slope > 1.0 else offset
                run = min(run, max(1, int(room / drift)))
        end = x + run
        shift = whole - x
        # The part of the run whose taps all lie inside.
        inside_from = min(max(x, low_limit - shift), end)
        inside_to = max(min(end, high_limit - shift), inside_from)
        weights = table[step]
        for i in range(x, inside_from):
            out[i] = _edge(source, weights, half, i + shift, clamp, photons)
        if half == 3:
            w0 = weights[0]
            w1 = weights[1]
            w2 = weights[2]
            w3 = weights[3]
            w4 = weights[4]
            w5 = weights[5]
            s = source[inside_from + shift - 2 : inside_to + shift + 4]
            t = out[inside_from:inside_to]
            for i in range(t.shape[0]):
                value = (w0 * s[i] + w5 * s[i + 5]) + (w1 * s[i + 1] + w4 * s[i + 4]) + (w2 * s[i + 2] + w3 * s[i + 3])
                floor = _floor(s[i + 1], s[i + 2], s[i + 3], s[i + 4], clamp, photons)
                t[i] = floor if value < floor else value
        else:
            w0 = weights[0]
            w1 = weights[1]
            s = source[inside_from + shift : inside_to + shift + 2]
            t = out[inside_from:inside_to]
            for i in range(t.shape[0]):
                t[i] = w0 * s[i] + w1 * s[i + 1]
        for i in range(inside_to, end):
            out[i] = _edge(source, weights, half, i + shift, clamp, photons)
        x = end


@kernel
def _edge(source, weights, half, whole, clamp, photons):
    """One sample whose taps reach beyond the border."""
    width = source.shape[0]
    value = np.float32(0.0)
    for k in range(2 * half):
        value += weights[k] * source[min(max(whole + 1 - half + k, 0), width - 1)]
    if half == 1:
        return value
    a = source[max(whole - 1, 0)]
    b = source[min(max(whole, 0), width - 1)]
    c = source[min(max(whole + 1, 0), width - 1)]
    d = source[min(max(whole + 2, 0), width - 1)]
    return max(value, _floor(a, b, c, d, clamp, photons))


@fast_kernel
def _column_pass(rows, table, half, wholes, steps, clamp, photons, out):
    """One output row from the resampled rows: at x, taps around row ``wholes[x]`` with phase ``steps[x]``."""
    height = rows.shape[0]
    n = out.shape[0]
    x = 0
    while x < n:
        whole = wholes[x]
        end = x + 1
        while end < n and wholes[end] == whole:
            end += 1
        if half == 3 and whole >= 2 and whole + 3 < height:
            r0 = rows[whole - 2]
            r1 = rows[whole - 1]
            r2 = rows[whole]
            r3 = rows[whole + 1]
            r4 = rows[whole + 2]
            r5 = rows[whole + 3]
            for i in range(x, end):
                w = table[steps[i]]
                value = (w[0] * r0[i] + w[5] * r5[i]) + (w[1] * r1[i] + w[4] * r4[i]) + (w[2] * r2[i] + w[3] * r3[i])
                floor = _floor(r1[i], r2[i], r3[i], r4[i], clamp, photons)
                out[i] = floor if value < floor else value
        else:
            for i in range(x, end):
                w = table[steps[i]]
                if whole < 0 or whole + 1 >= height:
                    on_last = whole == height - 1 and w[half - 1] == 1.0
                    out[i] = rows[height - 1, i] if on_last else np.float32(np.nan)
                    continue
                value = np.float32(0.0)
                for k in range(2 * half):
                    value += w[k] * rows[min(max(whole + 1 - half + k, 0), height - 1), i]
                if half == 3:
                    a = rows[max(whole - 1, 0), i]
                    d = rows[min(whole + 2, height - 1), i]
                    value = max(value, _floor(a, rows[whole, i], rows[whole + 1, i], d, clamp, photons))
                out[i] = value
        x = end


@kernel
def warp_two_pass(source, first_row, height, table, half, inverse, top, clamp, photons, rows, out):
    """Resample a band through an affine map that hardly turns.

    ``source`` (band rows, x) holds rows ``first_row`` ... of a plane of ``height`` rows; ``inverse`` (2, 3) maps
    output positions (x, y) to plane positions; ``out`` (rows, x) begins at output row ``top``. ``rows`` is scratch of
    shape (source rows, output columns). Rows outside the plane are missing; the caller gives every row that is needed.
    """
    a, b, c = inverse[0]
    d, e, f = inverse[1]
    # Along plane row v, output column x sees x_source = (a - b d / e) x + (b / e)(v - f) + c.
    slope = a - b * d / e
    n_rows = source.shape[0]
    for r in range(n_rows):
        start = b / e * (r + first_row - f) + c
        if slope > 0:
            _row_pass(source[r], table, half, start, slope, clamp, photons, rows[r])
        else:
            _row_pass(source[r, ::-1].copy(), table, half, source.shape[1] - 1 - start, -slope, clamp, photons, rows[r])
    width = out.shape[1]
    wholes = np.empty(width, np.int64)
    steps = np.empty(width, np.int64)
    for y in range(out.shape[0]):
        base = e * (y + top) + f
        for x in range(width):
            position = d * x + base
            whole = int(np.floor(position))
            step = int((position - whole) * PHASES + 0.5)
            if whole < 0 or whole > height - 1 or (whole == height - 1 and step > 0):
                whole = -(10**6)
            else:
                whole -= first_row
            wholes[x] = whole
            steps[x] = step
        _column_pass(rows, table, half, wholes, steps, clamp, photons, out[y])
        across = b * (y + top) + c
        last = source.shape[1] - 1.0
        # Columns seen from outside the plane lie at the ends of the line: stop at the first that is inside.
        x = 0
        while x < width and not 0.0 <= a * x + across <= last:
            out[y, x] = np.nan
            x += 1
        x = width - 1
        while x >= 0 and not 0.0 <= a * x + across <= last:
            out[y, x] = np.nan
            x -= 1


@kernel
def warp_direct(source, first_row, first_column, shape, table, half, inverse, top, left, clamp, photons, out):
    """Resample through any projective map (3, 3) with all taps at once.

    ``source`` holds the rectangle of a plane of ``shape`` that begins at (first_row, first_column); ``out`` begins at
    output (top, left).
    """
    height, width = shape
    last_y = source.shape[0] - 1
    last_x = source.shape[1] - 1
    for y in range(out.shape[0]):
        v = y + top
        for x in range(out.shape[1]):
            u = x + left
            scale = 1.0 / (inverse[2, 0] * u + inverse[2, 1] * v + inverse[2, 2])
            px = (inverse[0, 0] * u + inverse[0, 1] * v + inverse[0, 2]) * scale
            py = (inverse[1, 0] * u + inverse[1, 1] * v + inverse[1, 2]) * scale
            if not (px >= 0.0 and py >= 0.0 and px <= width - 1 and py <= height - 1):
                out[y, x] = np.nan
                continue
            x0, sx = _split(px)
            y0, sy = _split(py)
            x0 -= first_column
            y0 -= first_row
            value = np.float32(0.0)
            low = np.float32(np.inf)
            high = np.float32(0.0)
            for j in range(2 * half):
                row = source[min(max(y0 + 1 - half + j, 0), last_y)]
                part = np.float32(0.0)
                for i in range(2 * half):
                    sample = row[min(max(x0 + 1 - half + i, 0), last_x)]
                    part += table[sx, i] * sample
                    if 1 <= i <= 4 and 1 <= j <= 4:
                        low = min(low, sample)
                        high = max(high, sample)
                value += table[sy, j] * part
            out[y, x] = value if half == 1 else max(value, low - np.sqrt(clamp + photons * high))


@kernel
def mark_near(ys, xs, forward, top, left, value, out):
    """Set ``out`` (rows, x) to ``value`` at every output pixel whose inner 2 x 2 samples hold a plane pixel (ys, xs).

    ``forward`` (3, 3) maps plane positions to output positions. ``out`` begins at output (top, left).
    """
    rows, columns = out.shape
    for i in range(ys.shape[0]):
        scale = 1.0 / (forward[2, 0] * xs[i] + forward[2, 1] * ys[i] + forward[2, 2])
        px = (forward[0, 0] * xs[i] + forward[0, 1] * ys[i] + forward[0, 2]) * scale - left
        py = (forward[1, 0] * xs[i] + forward[1, 1] * ys[i] + forward[1, 2]) * scale - top
        for y in range(max(int(np.floor(py)), 0), min(int(np.floor(py)) + 2, rows)):
            if abs(y - py) >= 1.0:
                continue
            for x in range(max(int(np.floor(px)), 0), min(int(np.floor(px)) + 2, columns)):
                if abs(x - px) < 1.0:
                    out[y, x] = value


@kernel
def withdraw_near(ys, xs, forward, top, left, gain, zero, weight, out, sums, weights):
    """Make missing (NaN) every output pixel whose inner 2 x 2 samples hold a plane pixel (ys, xs).

    What is withdrawn is kept in ``sums`` and ``weights`` (float32, shape of ``out``), normalised and weighted, for
    pixels that no frame sees better. ``forward`` (3, 3) maps plane positions to output positions.
    """
    rows, columns = out.shape
    for i in range(ys.shape[0]):
        scale = 1.0 / (forward[2, 0] * xs[i] + forward[2, 1] * ys[i] + forward[2, 2])
        px = (forward[0, 0] * xs[i] + forward[0, 1] * ys[i] + forward[0, 2]) * scale - left
        py = (forward[1, 0] * xs[i] + forward[1, 1] * ys[i] + forward[1, 2]) * scale - top
        for y in range(max(int(np.floor(py)), 0), min(int(np.floor(py)) + 2, rows)):
            if abs(y - py) >= 1.0:
                continue
            for x in range(max(int(np.floor(px)), 0), min(int(np.floor(px)) + 2, columns)):
                value = out[y, x]
                if abs(x - px) < 1.0 and abs(value) < np.inf:
                    sums[y, x] += weight * (value * gain + zero)
                    weights[y, x] += weight
                    out[y, x] = np.nan
