"""Curves of stretches, one pass over the pixels each: factor, curve and noise at once.

Each kernel takes the pixels ``x`` (n,) with the ``factor`` that makes them fractions of white, and their ``variance``
(n,), empty where it is not known; it fills ``out`` and ``spread`` (the variance of the result). The standard deviation
of the result is half the step of the curve from one sigma below to one above. Not a number stays so; nothing else
becomes it.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel
from firstlight.kernels.lookup import look_up

BLOCK = 1024
"""Pixels that are looked up together."""


@inner_kernel
def _clipped(v, low, high):
    """Into low..high; not a number becomes ``low``."""
    v = v if v > low else low
    return v if v < high else high


@inner_kernel
def _transfer(v, low, scale, m, base, span):
    v = _clipped((v - low) * scale, np.float32(0), np.float32(1))
    # The same as (m - 1) v / ((2 m - 1) v - m), and by no rounding above 1.
    own = (np.float32(1) - m) * v
    return base + span * (own / (own + m * (np.float32(1) - v)))


@inner_kernel
def _straight(v, low, scale, least, most):
    return _clipped((v - low) * scale, least, most)


@inner_kernel
def _halved(step):
    half = np.float32(0.5) * step
    return half * half


@fast_kernel
def bend_midtones(x, factor, variance, low, scale, m, base, span, out, spread):
    """Midtones transfer function of ``(level - low) * scale``, clipped to 0..1 first; then from 0..1 to base + span."""
    for i in range(x.size):
        v = x[i] * factor
        out[i] = _transfer(v, low, scale, m, base, span) if v == v else v
    for i in range(variance.size):
        v = x[i] * factor
        sigma = np.sqrt(variance[i]) * factor
        step = _transfer(v + sigma, low, scale, m, base, span) - _transfer(v - sigma, low, scale, m, base, span)
        spread[i] = _halved(step) if sigma == sigma else sigma


@fast_kernel
def bend_straight(x, factor, variance, low, scale, least, most, out, spread):
    """``(level - low) * scale`` clipped to least..most."""
    for i in range(x.size):
        v = x[i] * factor
        out[i] = _straight(v, low, scale, least, most) if v == v else v
    for i in range(variance.size):
        v = x[i] * factor
        sigma = np.sqrt(variance[i]) * factor
        step = _straight(v + sigma, low, scale, least, most) - _straight(v - sigma, low, scale, least, most)
        spread[i] = _halved(step) if sigma == sigma else sigma


@fast_kernel
def bend_by_table(x, factor, variance, low, high, centre, cells, start, shift, above, below, out, spread):
    """The curve of a table (see `lookup`) of levels clipped to low..high."""
    upper, lower = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    for begin in range(0, x.size, BLOCK):
        n = min(BLOCK, x.size - begin)
        own, done = x[begin : begin + n], out[begin : begin + n]
        if variance.size > 0:
            noise, left = variance[begin : begin + n], spread[begin : begin + n]
            for i in range(n):
                v, sigma = own[i] * factor, np.sqrt(noise[i]) * factor
                upper[i] = _clipped(v + sigma, low, high) - centre
                lower[i] = _clipped(v - sigma, low, high) - centre
            look_up(upper, n, cells, start, shift, above, below)
            look_up(lower, n, cells, start, shift, above, below)
            for i in range(n):
                left[i] = _halved(upper[i] - lower[i]) if noise[i] == noise[i] else noise[i]
        for i in range(n):
            upper[i] = _clipped(own[i] * factor, low, high) - centre
        look_up(upper, n, cells, start, shift, above, below)
        for i in range(n):
            v = own[i]
            done[i] = upper[i] if v == v else v
