"""Raw numbers of the file to calibrated float32 in one pass over memory."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.few import median_of
from firstlight.kernels.jit import fast_kernel, inner_kernel, kernel


@fast_kernel
def decode_uint16(raw, swapped, sign, scale, zero, out):
    """``raw`` (rows, x) uint16 as it lies in the file to adu: byte order, sign bit, scale and zero point.

    ``sign`` is 0x8000 where the file holds signed numbers for unsigned pixels (FITS with BZERO = 32768), else 0.
    """
    for y in range(raw.shape[0]):
        line = raw[y]
        target = out[y]
        if swapped:
            for x in range(line.shape[0]):
                v = line[x]
                v = np.uint16((v << 8) | (v >> 8)) ^ sign
                target[x] = np.float32(v) * scale + zero
        else:
            for x in range(line.shape[0]):
                target[x] = np.float32(line[x] ^ sign) * scale + zero


@inner_kernel
def _calibrate_line(line, swapped, sign, scale, zero, white, offset, gain, out):
    """One line of `calibrate_uint16`; returns how many pixels are saturated."""
    full = np.int32(0)
    if swapped:
        for x in range(line.shape[0]):
            v = line[x]
            adu = np.float32(np.uint16((v << 8) | (v >> 8)) ^ sign) * scale + zero
            full += np.int32(not (adu < white))
            out[x] = (adu - offset[x]) * gain[x]
    else:
        for x in range(line.shape[0]):
            adu = np.float32(line[x] ^ sign) * scale + zero
            full += np.int32(not (adu < white))
            out[x] = (adu - offset[x]) * gain[x]
    return full


@kernel
def calibrate_uint16(raw, swapped, sign, scale, zero, white, offset, has_offset, gain, has_gain, out, ys, xs):
    """`decode_uint16`, `find_at_or_above` and `correct` in one pass: each pixel is read once and written once.

    Positions of pixels at or above ``white`` go to ``ys`` and ``xs`` up to their room; returns how many there are.
    """
    width = raw.shape[1]
    nothing = np.zeros(width, np.float32)
    one = np.ones(width, np.float32)
    n = 0
    for y in range(raw.shape[0]):
        below = offset[y] if has_offset else nothing
        factor = gain[y] if has_gain else one
        line = raw[y]
        if _calibrate_line(line, swapped, sign, scale, zero, white, below, factor, out[y]) == 0:
            continue
        for x in range(width):
            v = line[x]
            if swapped:
                v = np.uint16((v << 8) | (v >> 8))
            if not (np.float32(v ^ sign) * scale + zero < white):
                if n < ys.shape[0]:
                    ys[n] = y
                    xs[n] = x
                n += 1
    return n


@fast_kernel
def swap_uint32(raw, out):
    """``raw`` (rows, x) uint32 with its bytes turned over: big-endian float32 to native, seen as bits."""
    for y in range(raw.shape[0]):
        line = raw[y]
        target = out[y]
        for x in range(line.shape[0]):
            v = line[x]
            target[x] = (
                ((v & np.uint32(0xFF)) << np.uint32(24))
                | ((v & np.uint32(0xFF00)) << np.uint32(8))
                | ((v >> np.uint32(8)) & np.uint32(0xFF00))
                | (v >> np.uint32(24))
            )


@fast_kernel
def correct(adu, offset, has_offset, gain, has_gain, out):
    """``(adu - offset) * gain``: offset holds bias and dark, gain is 1 / flat. ``out`` may be ``adu`` itself."""
    for y in range(adu.shape[0]):
        source = adu[y]
        target = out[y]
        if has_offset and has_gain:
            o = offset[y]
            g = gain[y]
            for x in range(source.shape[0]):
                target[x] = (source[x] - o[x]) * g[x]
        elif has_offset:
            o = offset[y]
            for x in range(source.shape[0]):
                target[x] = source[x] - o[x]
        elif has_gain:
            g = gain[y]
            for x in range(source.shape[0]):
                target[x] = source[x] * g[x]
        else:
            for x in range(source.shape[0]):
                target[x] = source[x]


@fast_kernel
def any_at_or_above(adu, limit):
    """True if a pixel reaches ``limit`` or is not finite: the rare case that needs a closer look."""
    bad = 0
    for y in range(adu.shape[0]):
        line = adu[y]
        for x in range(line.shape[0]):
            bad += not (line[x] < limit)
    return bad > 0


@inner_kernel
def _reaches(line, limit):
    """How many values reach ``limit`` or are not numbers."""
    n = np.int32(0)
    for x in range(line.shape[0]):
        n += np.int32(not (line[x] < limit))
    return n


@kernel
def find_at_or_above(adu, limit, ys, xs, finite):
    """Positions of pixels at or above ``limit`` or not finite, up to the room in ``ys``; returns how many there are."""
    n = 0
    for y in range(adu.shape[0]):
        line = adu[y]
        if _reaches(line, limit) == 0:
            continue
        for x in range(line.shape[0]):
            if not (line[x] < limit):
                if n < ys.shape[0]:
                    ys[n] = y
                    xs[n] = x
                    finite[n] = abs(line[x]) < np.inf
                n += 1
    return n


@kernel
def repair(plane, bad, ys, xs, step, half, fewest, out):
    """Replace the pixels (ys, xs) by the median of the good pixels of the same colour around them.

    ``bad`` (y, x) uint8 marks pixels that may not lend their value; ``step`` is the distance of equal colours (1 for
    mono, 2 for a CFA), ``half`` the half width of the box in such steps. A pixel with fewer than ``fewest`` good
    neighbours keeps its value. ``out`` (n,) receives the new values; returns how many were replaced.
    """
    height, width = plane.shape
    side = 2 * half + 1
    values = np.empty(side * side, np.float32)
    replaced = 0
    for i in range(ys.shape[0]):
        n = np.int64(0)
        for dy in range(-half, half + 1):
            y = ys[i] + dy * step
            if y < 0 or y >= height:
                continue
            for dx in range(-half, half + 1):
                x = xs[i] + dx * step
                if x < 0 or x >= width or bad[y, x]:
                    continue
                values[n] = plane[y, x]
                n += 1
        if n >= fewest:
            out[i] = median_of(values, n)
            replaced += 1
        else:
            out[i] = plane[ys[i], xs[i]]
    return replaced


@fast_kernel
def smooth_mosaic(mosaic, out):
    """Luminance of a CFA mosaic: the 3 x 3 binomial mean, in which every colour weighs the same at every pixel.

    Green counts 1/2, red and blue 1/4 each, wherever the centre lies in the cell. Edges repeat the second line, so that
    the balance of colours holds there too.
    """
    height, width = mosaic.shape
    line = np.empty(width, np.float32)
    for y in range(height):
        above = mosaic[y - 1 if y > 0 else 1]
        below = mosaic[y + 1 if y < height - 1 else height - 2]
        centre = mosaic[y]
        for x in range(width):
            line[x] = np.float32(0.25) * (above[x] + below[x]) + np.float32(0.5) * centre[x]
        target = out[y]
        for x in range(1, width - 1):
            target[x] = np.float32(0.25) * (line[x - 1] + line[x + 1]) + np.float32(0.5) * line[x]
        target[0] = np.float32(0.5) * (line[0] + line[1])
        target[width - 1] = np.float32(0.5) * (line[width - 1] + line[width - 2])
