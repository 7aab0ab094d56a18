"""Channels mixed, held back and shifted, one pass over the pixels each.

Arrays are float32 (channels, n), pixels from ``first`` to ``last``; planes are (n,). Not a number stays so.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel

BLOCK = 2048
"""Pixels whose channels are done together, so that they are read from memory once."""
AVERAGE, MAXIMUM, MAXIMUM_MASK, ADDITIVE_MASK, MINIMUM = range(5)
SMOOTH, ADD, MULT = range(3)


@fast_kernel
def mix_channels(x, first, last, matrix, out):
    """Sums of shares (rows, channels) of the channels; a channel without a share leaves nothing behind."""
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        for r in range(matrix.shape[0]):
            done, empty = out[r, begin:end], True
            for c in range(matrix.shape[1]):
                share = matrix[r, c]
                if share == 0:
                    continue
                own = x[c, begin:end]
                if empty:
                    for i in range(end - begin):
                        done[i] = share * own[i]
                else:
                    for i in range(end - begin):
                        done[i] += share * own[i]
                empty = False
            if empty:
                done[:] = np.float32(0)


@inner_kernel
def _larger(a, b):
    """The larger of two; not a number if one is none."""
    return a if a > b or a != a else b


@inner_kernel
def _smaller(a, b):
    return a if a < b or a != a else b


@fast_kernel
def hold_channel(x, first, last, held, others, mode, amount, weight, out):
    """One channel kept from exceeding what ``mode`` says of two ``others``; each channel gains ``weight`` times what it
    lost. Where the others are no number it stays."""
    one, zero, half = np.float32(1), np.float32(0), np.float32(0.5)
    lost = np.empty(BLOCK, np.float32)
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        own, done = x[held, begin:end], out[held, begin:end]
        a, b = x[others[0], begin:end], x[others[1], begin:end]
        if mode == MINIMUM:
            for i in range(end - begin):
                v = (one - amount) * own[i] + amount * _smaller(a[i], b[i])
                done[i] = v if v > own[i] else own[i]
        elif mode in (AVERAGE, MAXIMUM):
            for i in range(end - begin):
                limit = half * (a[i] + b[i]) if mode == AVERAGE else _larger(a[i], b[i])
                v = (one - amount) * own[i] + amount * limit
                done[i] = v if v < own[i] else own[i]
        else:
            for i in range(end - begin):
                keep = _larger(a[i], b[i]) if mode == MAXIMUM_MASK else a[i] + b[i]
                keep = zero if keep < zero else keep
                keep = one if keep > one else keep
                v = own[i] * ((one - amount) * (one - keep) + keep)
                done[i] = v if v < own[i] else own[i]
        if weight == 0:
            out[others[0], begin:end] = a
            out[others[1], begin:end] = b
            continue
        for i in range(end - begin):
            gone = own[i] - done[i]
            lost[i] = weight * gone if gone == gone else zero
        for i in range(end - begin):
            done[i] += lost[i]
        for c in others:
            given, whole = x[c, begin:end], out[c, begin:end]
            for i in range(end - begin):
                whole[i] = given[i] + lost[i]


@fast_kernel
def shift_plane(x, variance, level, shift, threshold, gain, mode, out, spread):
    """A plane shifted by a share of ``shift`` (of ``gain`` for `MULT`): all of it up to ``threshold`` above ``level``.

    Above, threshold / distance of it (`SMOOTH`, `MULT`), or less and less up to twice the threshold (`ADD`).
    ``variance`` is empty where it is not known, else carried into ``spread``.
    """
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    sharp = one / threshold
    noisy = variance.size > 0
    for begin in range(0, x.size, BLOCK):
        end = min(begin + BLOCK, x.size)
        own, done = x[begin:end], out[begin:end]
        if mode == ADD:
            for i in range(end - begin):
                share = two - (own[i] - level) * sharp
                share = zero if share < zero else share
                done[i] = own[i] + shift * (one if share > one else share)
        else:
            for i in range(end - begin):
                above = own[i] - level
                share = threshold / (above if above > threshold else threshold)
                done[i] = own[i] * (one + gain * share) if mode == MULT else own[i] + shift * share
        if not noisy:
            continue
        noise, left = variance[begin:end], spread[begin:end]
        for i in range(end - begin):
            above = own[i] - level
            if mode == ADD:
                slope = one - shift * sharp if threshold < above < two * threshold else one
            else:
                share = threshold / (above if above > threshold else threshold)
                falls = -share * share * sharp if above > threshold else zero
                slope = one + gain * (share + own[i] * falls) if mode == MULT else one + shift * falls
            left[i] = noise[i] * slope * slope
