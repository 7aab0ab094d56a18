"""Pixels whose colours act on each other, one pass over all channels: (channels, n) arrays, from ``first`` to ``last``.

They are done some hundred at a time, channel after channel, so that each loop runs along a plane. ``factor`` makes
pixels fractions of white; tables are those of `lookup`. Not a number stays so.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel
from firstlight.kernels.lookup import look_up

BLOCK = 1024


@inner_kernel
def _at_most(v, top):
    """Without sign, and no more than ``top``; not a number becomes ``top``."""
    v = abs(v)
    return v if v < top else top


@inner_kernel
def _shown(v):
    """Clipped to 0..1."""
    v = np.float32(0) if v < np.float32(0) else v
    return np.float32(1) if v > np.float32(1) else v


@fast_kernel
def _light(x, begin, n, factor, black, scale, weights, clipped, light):
    light[:n] = np.float32(0)
    for c in range(x.shape[0]):
        own, weight = x[c, begin : begin + n], weights[c]
        for i in range(n):
            v = (own[i] * factor - black) * scale
            light[i] += weight * (_shown(v) if clipped else v)


@fast_kernel
def boost_colours(x, first, last, factor, black, scale, weights, top, cells, start, shift, above, below, out):
    """``(level - black) * scale`` times what a table says to its weighted mean (without sign); clipped to 0..1."""
    light = np.empty(BLOCK, np.float32)
    for begin in range(first, last, BLOCK):
        n = min(BLOCK, last - begin)
        _light(x, begin, n, factor, black, scale, weights, False, light)
        for i in range(n):
            light[i] = _at_most(light[i], top)
        look_up(light, n, cells, start, shift, above, below)
        for c in range(x.shape[0]):
            own, done = x[c, begin : begin + n], out[c, begin : begin + n]
            for i in range(n):
                done[i] = _shown((own[i] * factor - black) * scale * light[i])


@fast_kernel
def dim_colours(x, first, last, factor, black, white, weights, top, cells, start, shift, above, below, out):
    """Levels clipped to 0..1, times what a table says to their weighted mean, brought to black..white."""
    light = np.empty(BLOCK, np.float32)
    zero, one = np.float32(0), np.float32(1)
    for begin in range(first, last, BLOCK):
        n = min(BLOCK, last - begin)
        _light(x, begin, n, factor, zero, one, weights, True, light)
        for i in range(n):
            light[i] = _at_most(light[i], top)
        look_up(light, n, cells, start, shift, above, below)
        for c in range(x.shape[0]):
            own, done = x[c, begin : begin + n], out[c, begin : begin + n]
            for i in range(n):
                done[i] = black + (white - black) * _shown(own[i] * factor) * light[i]


@fast_kernel
def boost_noise(
    x, variance, first, last, factor, black, scale, weights, beta, norm, top, cells, start, shift, above, below, spread
):  # fmt: skip
    """Variance of `boost_colours` with the table of asinh(beta L) / L * norm, to first order, from all channels."""
    light, boosts, shares = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    zero, one = np.float32(0), np.float32(1)
    squared = (factor * scale) * (factor * scale)
    for begin in range(first, last, BLOCK):
        n = min(BLOCK, last - begin)
        _light(x, begin, n, factor, black, scale, weights, False, light)
        for i in range(n):
            boosts[i] = _at_most(light[i], top)
        look_up(boosts, n, cells, start, shift, above, below)
        for i in range(n):
            v, boost = light[i], boosts[i]
            reach = beta * v
            near = abs(reach) < np.float32(0.02)
            far = (beta * norm / np.sqrt(one + reach * reach) - boost) / (one if near else v)
            # The difference loses all digits near 0; there the series stands in.
            light[i] = -beta * beta * reach * norm / np.float32(3) if near else far
        shares[:n] = zero
        for c in range(x.shape[0]):
            noise, weight = variance[c, begin : begin + n], weights[c]
            for i in range(n):
                shares[i] += weight * weight * squared * noise[i]
        for c in range(x.shape[0]):
            own, noise, weight = x[c, begin : begin + n], variance[c, begin : begin + n], weights[c]
            done = spread[c, begin : begin + n]
            for i in range(n):
                v = (own[i] * factor - black) * scale
                through = v * light[i]
                mixed = weight * through
                total = boosts[i] * (boosts[i] + mixed + mixed) * squared * noise[i] + through * through * shares[i]
                shown = v * boosts[i]
                done[i] = zero if shown < zero or shown > one or total < zero else total


@fast_kernel
def lupton_colours(x, first, last, factor, blacks, scale, top, cells, start, shift, above, below, out):
    """``(level - black) * scale`` times what a table says to their mean, 0 where it is not above 0; over the largest of
    the channels where it is above 1."""
    channels = x.shape[0]
    light, boosts, largest = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    zero, one = np.float32(0), np.float32(1)
    share = one / np.float32(channels)
    for begin in range(first, last, BLOCK):
        n = min(BLOCK, last - begin)
        light[:n] = zero
        for c in range(channels):
            own, black = x[c, begin : begin + n], blacks[c]
            for i in range(n):
                light[i] += (own[i] * factor - black) * scale
        largest[:n] = one
        for i in range(n):
            boosts[i] = _at_most(light[i] * share, top)
        look_up(boosts, n, cells, start, shift, above, below)
        for i in range(n):
            light[i] = boosts[i] if light[i] > zero else zero
        for c in range(channels):
            own, done, black = x[c, begin : begin + n], out[c, begin : begin + n], blacks[c]
            for i in range(n):
                v = (own[i] * factor - black) * scale * light[i]
                v = zero if v < zero else v
                done[i] = v
                largest[i] = v if v > largest[i] else largest[i]
        for c in range(channels):
            done = out[c, begin : begin + n]
            for i in range(n):
                done[i] /= largest[i]


@fast_kernel
def fade_colours(x, first, last, factor, top, cells, start, shift, above, below, out):
    """Levels, 0 at least; where the largest channel m is above 1, brought to 1 at most along their hue: of c / m that
    share of the distance from white is left that the table says to m - 1."""
    channels = x.shape[0]
    largest, left = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    zero, one = np.float32(0), np.float32(1)
    for begin in range(first, last, BLOCK):
        n = min(BLOCK, last - begin)
        largest[:n] = zero
        for c in range(channels):
            own = x[c, begin : begin + n]
            for i in range(n):
                v = own[i] * factor
                largest[i] = v if v > largest[i] else largest[i]
        bright = zero
        for i in range(n):
            bright = largest[i] if largest[i] > bright else bright
        if not bright > one:
            # Most of a sky is dark: nothing to look up.
            for c in range(channels):
                own, done = x[c, begin : begin + n], out[c, begin : begin + n]
                for i in range(n):
                    v = own[i] * factor
                    done[i] = zero if v < zero else v
            continue
        for i in range(n):
            m = largest[i]
            left[i] = _at_most((m if m > one else one) - one, top)
        look_up(left, n, cells, start, shift, above, below)
        for i in range(n):
            m, share = largest[i], left[i]
            largest[i] = one - share if m > one else zero
            left[i] = share / m if m > one else one
        for c in range(channels):
            own, done = x[c, begin : begin + n], out[c, begin : begin + n]
            for i in range(n):
                v = own[i] * factor
                v = zero if v < zero else v
                done[i] = largest[i] + v * left[i]
