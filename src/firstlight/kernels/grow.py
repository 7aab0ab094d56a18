"""Grow what was rejected: the faint wings of a trail lie beside what stands out of the noise."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel

LOW, HIGH, GROWN = 1, 2, 4
"""Bits of a verdict on a sample: too low, too high, beside many that are too high."""


@kernel
def grow(
    words, verdict, height, width, reach, fewest, top, bottom, left, right, counts, touched, hits
):  # fmt: skip
    """Mark the samples that have ``fewest`` or more HIGH ones of their own frame within ``reach`` rows and columns.

    ``verdict`` (n, 8 k) uint8 holds the planes of the frames, (height, width) each and zeros up to the next multiple of
    eight; ``words`` are the same bytes as (n, k) uint64. ``counts`` (8 k,) uint8 is zero and stays so; ``touched``
    (8 k,) becomes 1 where any frame was marked, and ``hits`` (n,) grows by the samples that had been rejected in the
    given rows and columns. Each mark depends on nothing further away than ``reach``.
    """
    for n in range(verdict.shape[0]):
        row = verdict[n]
        found = 0
        for k in range(words.shape[1]):
            if words[n, k] == 0:
                continue
            for i in range(8 * k, 8 * k + 8):
                if row[i] == 0:
                    continue
                y = i // width
                x = i - y * width
                hits[n] += (y >= top) & (y < bottom) & (x >= left) & (x < right)
                if row[i] & HIGH == 0:
                    continue
                found += 1
                for yy in range(max(y - reach, 0), min(y + reach + 1, height)):
                    for xx in range(max(x - reach, 0), min(x + reach + 1, width)):
                        counts[yy * width + xx] += np.uint8(1)
        if found == 0:
            continue
        if found >= fewest:
            for i in range(height * width):
                many = counts[i] >= fewest
                row[i] |= np.uint8(GROWN) if many else np.uint8(0)
                touched[i] |= np.uint8(1) if many else np.uint8(0)
        for i in range(height * width):
            counts[i] = 0
