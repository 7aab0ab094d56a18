"""Exposures 1, 2, 4 ... times the light: looked at in squares, and blended; none of them is made as a whole.

Colours that exceed white in an exposure are brought back to it along their hue as `colours.fade_colours` does: of the
distance of c / m from white, m being the largest channel, that share is left that a table (see `lookup`) says to m - 1.
In any mean of exposures a channel c then is ``a + b c``, with numbers a and b that the channels of a pixel share.
Channels come as a tuple of planes, for rows of an image lie apart in memory, and of an array that does so the compiler
does not know that pixels are neighbours.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel
from firstlight.kernels.lookup import LANES, look_up
from firstlight.kernels.powers import short_power

CHUNK = 1024
"""Pixels that are looked at together, about."""


@inner_kernel
def _above(largest, n, factor, top, left):
    """How far the largest channel is above white, not above ``top``."""
    for i in range(n):
        v = largest[i] * factor - np.float32(1)
        v = v if v > np.float32(0) else np.float32(0)
        left[i] = v if v < top else top


@fast_kernel
def coarse_exposures(x, factors, shares, side, top, cells, start, shift, above, below, out, peaks):
    """Mean brightness of squares of pixels in each exposure, and the largest channel of any of their pixels.

    Parameters
    ----------
    x : float32 (y, x) of each channel; what is below 0, or not a number, counts as 0
    factors : float32 (exposures,), ascending
    shares : float32 (channel,), of the brightness
    out : float32 (exposure, y // side, x // side)
    peaks : float32 (y // side, x // side)
    """
    channels = len(x)
    down, along = peaks.shape
    each = max(CHUNK // side, 1)
    room = (each * side + LANES - 1) // LANES * LANES
    largest, light = np.empty((side, room), np.float32), np.empty((side, room), np.float32)
    total, left = np.empty(room, np.float32), np.empty(room, np.float32)
    zero, one = np.float32(0), np.float32(1)
    part = one / np.float32(side * side)
    for j in range(down):
        for begin in range(0, along, each):
            squares = min(each, along - begin)
            n = squares * side
            total[:n] = zero
            left[:n] = zero
            for r in range(side):
                tops, sums = largest[r], light[r]
                tops[:n] = zero
                sums[:n] = zero
                for c in range(channels):
                    own = x[c][j * side + r, begin * side : begin * side + n]
                    share = shares[c]
                    for i in range(n):
                        v = own[i] if own[i] > zero else zero
                        tops[i] = v if v > tops[i] else tops[i]
                        sums[i] += share * v
                for i in range(n):
                    total[i] += sums[i]
                    left[i] = tops[i] if tops[i] > left[i] else left[i]
            bright = zero
            for s in range(squares):
                peak, mean = zero, zero
                for i in range(s * side, (s + 1) * side):
                    peak = left[i] if left[i] > peak else peak
                    mean += total[i]
                peaks[j, begin + s] = peak
                bright = peak if peak > bright else bright
                for k in range(factors.size):
                    out[k, j, begin + s] = mean * part * factors[k]
            for k in range(factors.size):
                factor = factors[k]
                if not bright * factor > one:
                    continue
                total[:n] = zero
                for r in range(side):
                    tops, sums = largest[r], light[r]
                    _above(tops, n, factor, top, left)
                    look_up(left, n, cells, start, shift, above, below)
                    for i in range(n):
                        faded = one - left[i] + sums[i] * left[i] / tops[i]
                        total[i] += faded if tops[i] * factor > one else sums[i] * factor
                for s in range(squares):
                    mean = zero
                    for i in range(s * side, (s + 1) * side):
                        mean += total[i]
                    out[k, j, begin + s] = mean * part


@inner_kernel
def _spline(t, weights):
    """Weights of the four knots about a place ``t`` (0..1) beyond the second, of a uniform cubic B-spline."""
    u = np.float32(1) - t
    sixth = np.float32(1 / 6)
    weights[0] = u * u * u * sixth
    weights[3] = t * t * t * sixth
    weights[1] = np.float32(2 / 3) - t * t * (np.float32(1) - np.float32(0.5) * t)
    weights[2] = np.float32(1) - weights[0] - weights[1] - weights[3]


@inner_kernel
def _along(knots, begin, n, cell, phases, out):
    """A spline along ``n`` pixels, of which the first lies at the beginning of span ``begin`` between two knots."""
    for q in range((n + cell - 1) // cell):
        at = begin + q
        first, second, third, fourth = knots[at], knots[at + 1], knots[at + 2], knots[at + 3]
        done = out[q * cell :]
        for i in range(min(cell, n - q * cell)):
            done[i] = first * phases[0, i] + second * phases[1, i] + third * phases[2, i] + fourth * phases[3, i]


@inner_kernel
def _at_pixels(cell, four, phases):
    """Weights of the four knots for each pixel between two: ``phases`` (4, cell)."""
    for i in range(cell):
        _spline((np.float32(i) + np.float32(0.5)) / np.float32(cell), four)
        for j in range(4):
            phases[j, i] = four[j]


@inner_kernel
def _down(lines, n, four, out):
    """A spline between four rows."""
    first, second, third, fourth = lines[0], lines[1], lines[2], lines[3]
    for i in range(n):
        out[i] = first[i] * four[0] + second[i] * four[1] + third[i] * four[2] + fourth[i] * four[3]


@inner_kernel
def _shown(v, exponent):
    """A level coded, what is above 1 cut."""
    return short_power(v if v < np.float32(1) else np.float32(1), exponent)


@inner_kernel
def _show(own, n, base, slope, scale, exponent, done):
    """``base + slope own``, coded."""
    for i in range(n):
        v = base[i] + slope[i] * (own[i] if own[i] > np.float32(0) else np.float32(0))
        done[i] = _shown(scale * v, exponent)


@inner_kernel
def _raise(largest, own, n):
    for i in range(n):
        largest[i] = own[i] if own[i] > largest[i] else largest[i]


@fast_kernel
def spread_weights(knots, cell, first, out):
    """A spline at the pixels of rows from ``first`` on: ``out`` (y, x); ``knots`` as those of `blend_exposures`."""
    phases, four, width = np.empty((4, cell), np.float32), np.empty(4, np.float32), out.shape[1]
    _at_pixels(cell, four, phases)
    lines = np.empty((4, width), np.float32)
    known = -1
    for y in range(out.shape[0]):
        at, phase = (first + y) // cell, (first + y) % cell
        if at != known:
            known = at
            for r in range(4):
                _along(knots[at + r], 0, width, cell, phases, lines[r])
        _down(lines, width, phases[:, phase], out[y])


@fast_kernel
def blend_exposures(
    x, first, factors, knots, mean, cell, top, cells, start, shift, above, below, scale, exponent, out
):  # fmt: skip
    """Mean of the exposures, weighted by splines that add up to 1; times ``scale``, cut at 1, to a power.

    Parameters
    ----------
    x : float32 (y, x) of each channel, rows of the image from ``first`` on; what is below 0, or no number, counts as 0
    factors : float32 (exposures,), ascending
    knots : float32 (exposure, rows, columns), ``cell`` px apart; of pixel 0 the second is at the outer edge
    mean : float32 (rows, columns), the same of the mean of the factors
    out : float32 (y, x) of each channel
    """
    channels, height, width = len(x), x[0].shape[0], x[0].shape[1]
    exposures = factors.size
    phases, four = np.empty((4, cell), np.float32), np.empty(4, np.float32)
    _at_pixels(cell, four, phases)
    each = max(CHUNK // cell, 1)
    room = (each * cell + LANES - 1) // LANES * LANES
    # Of each exposure, and of the mean of their factors, the four rows of knots about a row of pixels.
    lines, middle = np.empty((exposures, 4, room), np.float32), np.empty((4, room), np.float32)
    largest, left, weight = np.empty(room, np.float32), np.empty(room, np.float32), np.empty(room, np.float32)
    base, slope, inverse = np.empty(room, np.float32), np.empty(room, np.float32), np.empty(room, np.float32)
    zero, one = np.float32(0), np.float32(1)
    longest = factors[exposures - 1]
    for begin in range(0, (width + cell - 1) // cell, each):
        at = begin * cell
        n = min(each * cell, width - at)
        known, complete = -1, False
        for y in range(height):
            j, phase = (first + y) // cell, (first + y) % cell
            if j != known:
                known, complete = j, False
                for r in range(4):
                    _along(mean[j + r], begin, n, cell, phases, middle[r])
            for r in range(4):
                four[r] = phases[r, phase]
            largest[:n] = zero
            for c in range(channels):
                _raise(largest, x[c][y, at : at + n], n)
            bright = zero
            for i in range(n):
                bright = largest[i] if largest[i] > bright else bright
            if not bright * longest > one:
                # Most of a sky is below white in all of them.
                _down(middle, n, four, slope)
                base[:n] = zero
                for c in range(channels):
                    _show(x[c][y, at : at + n], n, base, slope, scale, exponent, out[c][y, at : at + n])
                continue
            if not complete:
                complete = True
                for k in range(exposures):
                    for r in range(4):
                        _along(knots[k, j + r], begin, n, cell, phases, lines[k, r])
            base[:n] = zero
            slope[:n] = zero
            for i in range(n):
                inverse[i] = one / largest[i]
            for k in range(exposures):
                factor = factors[k]
                _down(lines[k], n, four, weight)
                if not bright * factor > one:
                    for i in range(n):
                        slope[i] += weight[i] * factor
                    continue
                _above(largest, n, factor, top, left)
                look_up(left, n, cells, start, shift, above, below)
                for i in range(n):
                    over = largest[i] * factor > one
                    base[i] += weight[i] * (one - left[i]) if over else zero
                    slope[i] += weight[i] * (left[i] * inverse[i] if over else factor)
            for c in range(channels):
                _show(x[c][y, at : at + n], n, base, slope, scale, exponent, out[c][y, at : at + n])
