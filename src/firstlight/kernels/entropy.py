"""Entropy of the surroundings of the corners of blocks."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel

LEVELS = 256
LANES = 16
"""Levels that are treated together, whether they occur or not."""


@inner_kernel
def _move(into, counts, sign, low, high):
    for i in range(low, high):
        into[i] += sign * counts[i]


@inner_kernel
def _count(levels, first, last, block, step, counts):
    for y in range(first, last):
        for i in range(counts.shape[0]):
            for x in range(i * block, (i + 1) * block):
                counts[i, levels[y, x]] += step


@inner_kernel
def _block_levels(levels, block, lowest, highest):
    """The least and the largest level of each block."""
    for j in range(lowest.shape[0]):
        for i in range(lowest.shape[1]):
            low, high = levels[j * block, i * block], levels[j * block, i * block]
            for y in range(j * block, (j + 1) * block):
                for x in range(i * block, (i + 1) * block):
                    v = levels[y, x]
                    low = v if v < low else low
                    high = v if v > high else high
            lowest[j, i], highest[j, i] = low, high


@inner_kernel
def _columns(lowest, highest, first, last, lows, highs):
    """Of each column of blocks, between two rows: the levels to look at, from a multiple of `LANES` to one."""
    for i in range(lows.size):
        low, high = lowest[first, i], highest[first, i]
        for j in range(first + 1, last):
            low = lowest[j, i] if lowest[j, i] < low else low
            high = highest[j, i] if highest[j, i] > high else high
        lows[i] = np.int64(low) // LANES * LANES
        highs[i] = (np.int64(high) // LANES + 1) * LANES


@fast_kernel
def corner_entropy(levels, block, half, table, out):
    """Shannon entropy, bits, of the levels in the square of ``2 half`` blocks a side about each corner of a block.

    At the edges the square ends where the plane does. Counts of the columns of blocks are kept while the square goes
    down, and their sum while it goes along: vectors of counts, added and taken off, of those levels that occur.

    Parameters
    ----------
    levels : uint8 (y, x); what does not fill a block below and on the right is left out
    block : pixels of a block along an axis
    table : float32, n log2 n for n from 0 to the pixels of the square
    out : float32 (blocks down + 1, blocks along + 1)
    """
    down, along = out.shape[0] - 1, out.shape[1] - 1
    lowest, highest = np.empty((down, along), np.uint8), np.empty((down, along), np.uint8)
    _block_levels(levels, block, lowest, highest)
    lows, highs = np.empty(along, np.int64), np.empty(along, np.int64)
    counts = np.zeros((along, LEVELS), np.int32)
    square = np.zeros(LEVELS, np.int32)
    one = np.int32(1)
    for j in range(down + 1):
        for sign in (-1, 1):
            # The row of blocks that leaves, then the one that comes; all that begin in the square at the first corner.
            first = (j - half - 1 if sign < 0 else (0 if j == 0 else j + half - 1)) * block
            last = (j - half if sign < 0 else j + half) * block
            _count(levels, max(first, 0), min(last, down * block), block, np.int32(sign), counts)
        upper, lower = max(j - half, 0), min(j + half, down)
        _columns(lowest, highest, upper, lower, lows, highs)
        square[:] = 0
        for i in range(min(half, along)):
            _move(square, counts[i], one, lows[i], highs[i])
        for i in range(along + 1):
            left, right = max(i - half, 0), min(i + half, along)
            if i > 0:
                if i + half <= along:
                    _move(square, counts[right - 1], one, lows[right - 1], highs[right - 1])
                if i - half > 0:
                    _move(square, counts[left - 1], -one, lows[left - 1], highs[left - 1])
            low, high = lows[left], highs[left]
            for k in range(left + 1, right):
                low, high = min(low, lows[k]), max(high, highs[k])
            energy = np.float32(0)
            for k in range(low, high):
                energy += table[square[k]]
            total = np.float32((lower - upper) * (right - left) * block * block)
            value = np.log2(total) - energy / total
            out[j, i] = value if value > np.float32(1e-5) else np.float32(0)
