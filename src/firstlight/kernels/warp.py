"""Resample a plane through an affine map that hardly turns; what a bad pixel touches through any map.

Rows are resampled first and columns after. Along a row, and along a line of output, the phase of the kernel changes so
slowly that long runs of pixels see the same samples, one beside the other: both passes are sums of whole runs, with
weights that are polynomials of the phase. `firstlight.kernels.warp_any` takes all other maps, one pixel at a time.

An output pixel whose inner samples (the 2 x 2 around its position) are not all inside the plane is NaN: missing. Outer
samples beyond the edge repeat the edge. Clamping keeps the negative lobes of Lanczos from digging dark rings: no value
may fall below the lowest of the four inner samples of an axis by more than ``sqrt(clamp + photons * highest)``, a
multiple of the noise that such pixels have, so that noise itself passes unchanged. (A limit that knew only the noise of
the sky added 0.27 % to the light of bright stars, whose flanks are noisier.)

The output is worked through in strips of columns that lie at fixed places of the grid, so that a tile has the very
bytes of the whole. Resampled rows of a strip wait in a ring that stays in the cache.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import exact_kernel, inner_kernel, kernel

STRIP = 1024
"""Columns worked on at once: fewer cost calls, more leave the cache (256: -25 %, 512: -10 %, 2048: -10 %)."""
VECTOR = 16
"""Runs are rounded up to whole vectors, and what is beyond is overwritten by the next: remainders cost as much as
vectors do."""
PITCH = STRIP + VECTOR
SLOW = 1.0 / 64.0
"""Change of the phase over a strip below which weights are taken as linear in between (error below 1e-4)."""
EDGE = 1e-6
"""px; positions this far outside the plane are on its edge, and shifts this near to whole pixels are whole."""
GRAIN = 2.0**20


@inner_kernel
def snap(position):
    """The position on a grid so fine that it does not matter, in which whole numbers are whole after any rounding."""
    return np.floor(position * GRAIN + 0.5) / GRAIN


@inner_kernel
def _pair(terms, k, t):
    """Weights of sample k and of its mirror image at one phase."""
    q = t * t
    even = terms[k, 0, 0] + q * (terms[k, 0, 1] + q * (terms[k, 0, 2] + q * terms[k, 0, 3]))
    odd = t * (terms[k, 1, 0] + q * (terms[k, 1, 1] + q * (terms[k, 1, 2] + q * terms[k, 1, 3])))
    return even + odd, even - odd


@inner_kernel
def _add_even(near, far, a, b, out):
    """Add two samples whose weights are the same along the run."""
    for i in range(out.shape[0]):
        # One product a sum: two could be fused either way, and not alike in the body of the loop and its remainder.
        first = out[i] + a * near[i]
        out[i] = first + b * far[i]


@inner_kernel
def _add_linear(near, far, a, b, da, db, ramp, out):
    """Add two samples whose weights are linear along the run."""
    for i in range(out.shape[0]):
        first = out[i] + (a + da * ramp[i]) * near[i]
        out[i] = first + (b + db * ramp[i]) * far[i]


@inner_kernel
def _add_curved(near, far, terms, k, start, drift, ramp, out):
    """Add two samples whose weights are polynomials of the phase ``start + drift * ramp``."""
    a0, a1, a2, a3 = terms[k, 0, 0], terms[k, 0, 1], terms[k, 0, 2], terms[k, 0, 3]
    b0, b1, b2, b3 = terms[k, 1, 0], terms[k, 1, 1], terms[k, 1, 2], terms[k, 1, 3]
    for i in range(out.shape[0]):
        t = start + drift * ramp[i]
        q = t * t
        even = out[i] + (a0 + q * (a1 + q * (a2 + q * a3))) * (near[i] + far[i])
        out[i] = even + t * (b0 + q * (b1 + q * (b2 + q * b3))) * (near[i] - far[i])


@inner_kernel
def _clamp(a, b, c, d, clamp, photons, out):
    """Raise what falls too far below the inner samples b, c and their neighbours a, d."""
    for i in range(out.shape[0]):
        low = min(min(a[i], d[i]), min(b[i], c[i]))
        high = max(max(a[i], d[i]), max(b[i], c[i]))
        floor = low - np.sqrt(clamp + photons * max(high, np.float32(0.0)))
        out[i] = floor if out[i] < floor else out[i]


@inner_kernel
def _blend(samples, first, mask, pitch, terms, start, drift, origin, ramp, clamp, photons, out):
    """Resample one run: out[i] from samples that lie at ``((first + k) & mask) * pitch + origin + i`` for k < 2 * half.

    The phase less 1/2 is ``start + drift * x`` at place x of the strip; the run begins at place ``origin``.
    """
    half = terms.shape[0]
    n = out.shape[0]
    inner = first + half - 1
    b = (inner & mask) * pitch + origin
    if drift == 0.0 and start == -0.5:
        exact = samples[b : b + n]
        for i in range(n):
            out[i] = exact[i]
        return
    for i in range(n):
        out[i] = 0.0
    along = ramp[origin : origin + n]
    t0, t1 = np.float32(start), np.float32(start + drift * STRIP)
    for k in range(half):
        at = ((first + k) & mask) * pitch + origin
        near = samples[at : at + n]
        at = ((first + 2 * half - 1 - k) & mask) * pitch + origin
        far = samples[at : at + n]
        if drift == 0.0:
            w_near, w_far = _pair(terms, k, t0)
            _add_even(near, far, w_near, w_far, out)
        elif abs(drift) * STRIP < SLOW:
            w_near, w_far = _pair(terms, k, t0)
            v_near, v_far = _pair(terms, k, t1)
            each = np.float32(1.0 / STRIP)
            _add_linear(near, far, w_near, w_far, (v_near - w_near) * each, (v_far - w_far) * each, along, out)
        else:
            _add_curved(near, far, terms, k, t0, np.float32(drift), along, out)
    if half > 1 and clamp < np.inf:
        a = ((inner - 1) & mask) * pitch + origin
        c = ((inner + 1) & mask) * pitch + origin
        d = ((inner + 2) & mask) * pitch + origin
        _clamp(samples[a : a + n], samples[b : b + n], samples[c : c + n], samples[d : d + n], clamp, photons, out)


@inner_kernel
def _run(position, drift, i, n):
    """Whole pixel below ``position + drift * i``, and the end of the run (at most n) that shares it."""
    whole = int(np.floor(position + drift * i))
    if drift == 0.0:
        return whole, n
    crossing = ((whole + 1 - position) if drift > 0 else (whole - position)) / drift
    if crossing >= n:
        return whole, n
    end = max(int(crossing), i + 1)
    while end > i + 1 and int(np.floor(position + drift * (end - 1))) != whole:
        end -= 1
    while end < n and int(np.floor(position + drift * end)) == whole:
        end += 1
    return whole, end


@inner_kernel
def _inside(slope, base, last, first, end):
    """The part of first..end in which ``slope * x + base`` lies in 0..last."""
    if slope == 0.0:
        return (first, end) if -EDGE <= base <= last + EDGE else (first, first)
    one, other = (-EDGE - base) / slope, (last + EDGE - base) / slope
    low = max(min(one, other), first - 1.0)
    high = min(max(one, other), end + 0.0)
    begin = min(max(int(np.ceil(low)), first), end)
    return begin, max(min(int(np.floor(high)) + 1, end), begin)


@inner_kernel
def _resample_row(row, terms, slope, start, strip, n, ramp, line, clamp, photons, out):
    """Resample a row of the plane to ``start + slope * x`` for n columns from ``strip``; ``line`` is scratch."""
    half = terms.shape[0]
    width = row.shape[0]
    first, last = row[0], row[width - 1]
    flipped = slope < 0.0
    if flipped:
        slope, start, first, last = -slope, width - 1 - start, last, first
    position = snap(start + slope * strip)
    drift = slope - 1.0
    low = int(np.floor(position)) - half
    length = int(np.floor(position + slope * (n - 1))) + half + 1 - low
    # The part of the row that is seen, its ends repeated.
    begin = min(max(-low, 0), length)
    end = max(min(width - low, length), begin)
    for j in range(begin):
        line[j] = first
    seen = line[begin:end]
    if flipped:
        part = row[::-1][low + begin : low + end]
        for j in range(seen.shape[0]):
            seen[j] = part[j]
    else:
        given = row[low + begin : low + end]
        for j in range(seen.shape[0]):
            seen[j] = given[j]
    for j in range(end, length):
        line[j] = last
    # Typed numbers: a literal would be a type of its own, and compiled for itself.
    i = np.int64(0)
    while i < n:
        whole, stop = _run(position, drift, i, n)
        part_of_out = out[i : i + (stop - i + VECTOR - 1) // VECTOR * VECTOR]
        _blend(
            line, whole - low + 1 - half, np.int64(-1), np.int64(1), terms, position - whole - 0.5, drift, i, ramp,
            clamp, photons, part_of_out,
        )  # fmt: skip
        i = stop


@inner_kernel
def _resample_columns(ring, mask, terms, position, drift, begin, end, ramp, clamp, photons, line, out):
    """One line of output, places begin..end of the strip, from resampled rows; at place x its position is ``position +
    drift * x``. ``line`` is scratch."""
    i = begin
    while i < end:
        whole, stop = _run(position, drift, i, end)
        part = line[i : i + (stop - i + VECTOR - 1) // VECTOR * VECTOR]
        _blend(
            ring, whole + 1 - terms.shape[0], mask, np.int64(PITCH), terms, position - whole - 0.5, drift, i, ramp,
            clamp, photons, part,
        )  # fmt: skip
        i = stop
    made = line[begin:end]
    for i in range(out.shape[0]):
        out[i] = made[i]


@exact_kernel
def _two_pass(source, first_row, height, terms, inverse, top, left, clamp, photons, ring, slots, line, ramp, out):
    """`warp_two_pass` with room for rows along (``slots`` of them) and one more, and numbers 0, 1, 2 ..."""
    a, b, c = inverse[0]
    d, e, f = inverse[1]
    # Along plane row v, output column x sees x_source = (a - b d / e) x + (b / e)(v - f) + c.
    slope = a - b * d / e
    half = terms.shape[0]
    n_rows, width = source.shape
    rows, columns = out.shape
    for strip in range(left // STRIP * STRIP, left + columns, STRIP):
        x0, x1 = max(strip, left), min(strip + STRIP, left + columns)
        made = -(1 << 60)
        for step in range(rows):
            # Plane rows are seen in ascending order.
            y = step if e > 0 else rows - 1 - step
            down = e * (y + top) + f
            begin, end = _inside(a, b * (y + top) + c, width - 1.0, x0, x1)
            begin, end = _inside(d, down, height - 1.0, begin, end)
            out[y, x0 - left : begin - left] = np.nan
            out[y, end - left : x1 - left] = np.nan
            if begin >= end:
                continue
            position = snap(down + d * strip)
            at_begin, at_end = position + d * (begin - strip), position + d * (end - 1 - strip)
            made = max(made, int(np.floor(min(at_begin, at_end))) - half)
            needed = int(np.floor(max(at_begin, at_end))) + half
            while made < needed:
                made += 1
                v = min(max(made, 0), height - 1)
                given = source[min(max(v - first_row, 0), n_rows - 1)]
                slot = (made & (slots - 1)) * PITCH
                _resample_row(
                    given, terms, slope, b / e * (v - f) + c, strip, x1 - strip, ramp, line, clamp, photons,
                    ring[slot : slot + PITCH],
                )  # fmt: skip
            _resample_columns(
                ring, slots - 1, terms, position, d, begin - strip, end - strip, ramp, clamp, photons, line,
                out[y, begin - left : end - left],
            )  # fmt: skip


@kernel
def warp_two_pass(source, first_row, height, terms, inverse, top, left, clamp, photons, out):
    """Resample a band through an affine map that hardly turns (upright or by half a circle).

    ``source`` (band rows, x) holds rows ``first_row`` ... of a plane of ``height`` rows, every row that is needed;
    ``terms`` are those of `shapes.polynomials`; ``inverse`` (2, 3) maps output positions (x, y) to plane positions;
    ``out`` (rows, x) begins at output (top, left).
    """
    d, e, _ = inverse[1]
    half = terms.shape[0]
    slots = 8
    while slots < abs(d) * STRIP + abs(e) + 2 * half + 3:
        slots *= 2
    ring = np.zeros(slots * PITCH, np.float32)
    line = np.zeros(2 * PITCH, np.float32)
    ramp = np.arange(PITCH).astype(np.float32)
    _two_pass(source, first_row, height, terms, inverse, top, left, clamp, photons, ring, slots, line, ramp, out)


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
