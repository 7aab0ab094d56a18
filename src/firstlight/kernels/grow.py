"""Grow what was rejected: the faint wings of a trail lie beside what stands out of the noise."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel
from firstlight.kernels.lanes import fetch

LOW, HIGH = 0, 1
"""Planes of a verdict: samples that are too low, too high."""
AHEAD = 24
"""Pixels ahead of which the next samples are asked for."""
DIGITS = 5
"""Binary digits of the counts; more than 31 count as 31."""


@inner_kernel
def set_bits(word):
    """How many bits of a word of 64 are set."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@inner_kernel
def _many(plane, y, k, reach, fewest, digits):
    """Which of the 64 samples of word ``k`` in row ``y`` have ``fewest`` set ones around them: counted for all at once,
    each word of ``digits`` holding one binary digit of 64 counts."""
    height, words = plane.shape
    nought, full = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
    for d in range(DIGITS):
        digits[d] = nought
    for yy in range(max(y - reach, 0), min(y + reach + 1, height)):
        here = plane[yy, k]
        before = plane[yy, k - 1] if k > 0 else nought
        after = plane[yy, k + 1] if k < words - 1 else nought
        if (here | before | after) == nought:
            continue
        for shift in range(-reach, reach + 1):
            carry = here
            if shift > 0:
                carry = (here >> np.uint64(shift)) | (after << np.uint64(64 - shift))
            elif shift < 0:
                carry = (here << np.uint64(-shift)) | (before >> np.uint64(64 + shift))
            for d in range(DIGITS):
                both = digits[d] & carry
                digits[d] ^= carry
                carry = both
            for d in range(DIGITS):
                digits[d] |= carry
    above, equal = nought, full
    for d in range(DIGITS - 1, -1, -1):
        if (fewest >> d) & 1:
            equal &= digits[d]
        else:
            above |= equal & digits[d]
            equal &= ~digits[d]
    return above | equal


@kernel
def grow(verdict, reach, fewest, last, grown, touched):
    """Mark the samples that have ``fewest`` or more HIGH ones of their own frame within ``reach`` rows and columns.

    ``verdict`` (2, n, y, words) uint64 holds a bit for each sample, 64 columns a word, the first in the lowest bit;
    ``last`` are the bits of the last word that stand for columns. ``grown`` (n, y, words) and ``touched`` (y, words),
    of any frame, receive bits likewise. Each mark depends on nothing further away than ``reach``.
    """
    _, n_frames, height, words = verdict.shape
    counts = np.zeros((height, words + 2), np.uint16)
    near = np.empty(words, np.uint16)
    digits = np.empty(DIGITS, np.uint64)
    for n in range(n_frames):
        plane = verdict[HIGH, n]
        for y in range(height):
            for k in range(words):
                counts[y, k + 1] = set_bits(plane[y, k]) if plane[y, k] else np.uint16(0)
        for y in range(height):
            for k in range(words):
                near[k] = 0
            for yy in range(max(y - reach, 0), min(y + reach + 1, height)):
                for k in range(words):
                    near[k] += counts[yy, k] + counts[yy, k + 1] + counts[yy, k + 2]
            for k in range(words):
                if near[k] < fewest:
                    continue
                marks = _many(plane, y, k, reach, fewest, digits)
                if k == words - 1:
                    marks &= last
                grown[n, y, k] = marks
                touched[y, k] |= marks


@kernel
def collect(bits, starts, width, swapped, top, left, verdict, grown, ys, xs, fewest, samples, more, hits):
    """Samples of some pixels without those that were rejected and grown.

    ``bits`` and ``starts`` are those of frames of this ``width``, as `firstlight.kernels.combine` takes them; the
    region begins at ``top`` and ``left``, the pixels are at ``ys`` and ``xs`` (k,) in it. Rejected samples become NaN
    in ``samples`` (n, k), uint32 like ``bits``. ``more`` (k,) receives how many of a pixel were grown, or -1
    where fewer than ``fewest`` would be left; ``hits`` (n,) grows by those of each frame.
    """
    nan = np.uint32(0x0000C07F) if swapped else np.uint32(0x7FC00000)
    grown_nan = np.uint32(0x0100C07F) if swapped else np.uint32(0x7FC00001)
    infinite = np.uint32(0x0000807F) if swapped else np.uint32(0x7F800000)
    one = np.uint64(1)
    count = ys.shape[0]
    kept = np.zeros(count, np.int32)
    places = (ys + top) * width + xs + left
    for n in range(starts.shape[0]):
        first = starts[n]
        low, high, beside_it = verdict[LOW, n], verdict[HIGH, n], grown[n]
        y_last, k_last = np.int64(-1), np.int64(-1)
        rejected, marked = np.uint64(0), np.uint64(0)
        for i in range(count):
            # The pixels of a trail lie in lines of the cache of their own: half of the time was waiting for them.
            fetch(bits, first + places[min(i + AHEAD, count - 1)])
            y, k, bit = ys[i], xs[i] >> 6, np.uint64(xs[i] & 63)
            if (y != y_last) | (k != k_last):
                y_last, k_last = y, k
                rejected, marked = low[y, k] | high[y, k], beside_it[y, k]
            word = bits[first + places[i]]
            good = (word & infinite != infinite) & ((rejected >> bit) & one == np.uint64(0))
            beside = good & ((marked >> bit) & one != np.uint64(0))
            samples[n, i] = grown_nan if beside else (word if good else nan)
            kept[i] += good & (not beside)
            more[i] += beside
    for i in range(count):
        more[i] = more[i] if kept[i] >= fewest else -1
    for n in range(starts.shape[0]):
        for i in range(count):
            hits[n] += (samples[n, i] == grown_nan) & (more[i] > 0)
