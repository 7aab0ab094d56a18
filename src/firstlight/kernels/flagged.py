"""Flags looked at and joined."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel

BLOCK = 1 << 13


@fast_kernel
def all_bits(flags):
    """All bits that are set in ``flags`` (n,) uint16."""
    found = np.uint16(0)
    for i in range(flags.size):
        found |= flags[i]
    return found


@fast_kernel
def join_flags(flags, first, last, out):
    """Flags (channels, n) uint16 of pixels ``first`` to ``last``, OR-ed over the channels, into each of ``out``."""
    channels = flags.shape[0]
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        whole = out[0, begin:end]
        whole[:] = flags[0, begin:end]
        for c in range(1, channels):
            own = flags[c, begin:end]
            for i in range(end - begin):
                whole[i] |= own[i]
        for c in range(1, channels):
            out[c, begin:end] = whole


@fast_kernel
def brightest(values, flags, excluded):
    """The largest of ``values`` (n,) float32 that have none of the ``excluded`` bits and are above 0; else 0."""
    found = np.float32(0)
    for i in range(values.size):
        v = values[i] if flags[i] & excluded == 0 else np.float32(0)
        found = v if v > found else found
    return found
