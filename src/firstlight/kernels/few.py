"""Order statistics by counting: whole vectors of numbers are compared at once, where sorting goes one by one."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel


@fast_kernel
def _rank(values, n, value):
    """How many of the first ``n`` values are below ``value``, and how many are equal to it."""
    below = np.int32(0)
    equal = np.int32(0)
    for i in range(n):
        below += np.int32(values[i] < value)
        equal += np.int32(values[i] == value)
    return below, equal


@kernel
def median_of(values, n):
    """Median of the first ``n`` (at least 1) of the values; of an even number, the mean of the middle two."""
    lower, upper = (n - 1) // 2, n // 2
    low = high = values[0]
    found = 0
    for i in range(n):
        below, equal = _rank(values, n, values[i])
        if below <= lower < below + equal:
            low = values[i]
            found |= 1
        if below <= upper < below + equal:
            high = values[i]
            found |= 2
        if found == 3:
            break
    return np.float32(0.5) * (low + high)


@fast_kernel
def _at_most(bits, limit):
    """How many float32 numbers, seen as int32, are at most the one whose rank is ``limit``."""
    n = np.int64(0)
    for start in range(0, bits.shape[0], 4096):
        part = bits[start : start + 4096]
        found = np.int32(0)
        for i in range(part.shape[0]):
            found += np.int32((part[i] ^ ((part[i] >> np.int32(31)) & np.int32(0x7FFFFFFF))) <= limit)
        n += found
    return n


@kernel
def neighbours_in_order(bits, place):
    """Ranks (int32) of the float32 numbers, seen as int32 (n,), at a place in their order, and at the next.

    The first place is 0; at the last, both are the same. The rank is the number's bits, those of negative ones but the
    sign turned over: a whole number that orders as the floats do. It is found bit by bit, 32 times counting how many
    lie below.
    """
    n = bits.shape[0]
    low, high = np.int64(-(2**31)), np.int64(2**31 - 1)
    while low < high:
        middle = (low + high) >> 1
        if _at_most(bits, np.int32(middle)) > place:
            high = middle
        else:
            low = middle + 1
    first = np.int32(low)
    if place + 1 >= n or _at_most(bits, first) > place + 1:
        return first, first
    second = np.int32(2**31 - 1)
    for i in range(n):
        rank = bits[i] ^ ((bits[i] >> np.int32(31)) & np.int32(0x7FFFFFFF))
        if rank > first:
            second = min(second, rank)
    return first, second


@fast_kernel
def gather_between(values, low, high, out):
    """How many values are below ``low``; those from ``low`` to ``high`` are put into ``out``, and counted second."""
    below, n = np.int64(0), np.int64(0)
    for start in range(0, values.shape[0], 4096):
        part = values[start : start + 4096]
        found = np.int32(0)
        for i in range(part.shape[0]):
            found += np.int32(part[i] < low)
        below += found
        for i in range(part.shape[0]):
            out[n] = part[i]
            n += np.int64((part[i] >= low) & (part[i] <= high))
    return below, n
