"""Curves of stretches, one pass over the pixels each: factor, black level and curve at once."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel


@fast_kernel
def bend_midtones(x: np.ndarray, low: np.float32, scale: np.float32, m: np.float32, out: np.ndarray) -> None:
    """Midtones transfer function of ``(x - low) * scale``, clipped to 0..1 first; not a number stays so."""
    zero, one = np.float32(0), np.float32(1)
    a, b = m - one, m + m - one
    for i in range(x.size):
        v = (x[i] - low) * scale
        v = zero if v < zero else v
        v = one if v > one else v
        out[i] = a * v / (b * v - m)


@fast_kernel
def bend_straight(x: np.ndarray, low: np.float32, scale: np.float32, out: np.ndarray) -> None:
    """``(x - low) * scale`` clipped to 0..1."""
    zero, one = np.float32(0), np.float32(1)
    for i in range(x.size):
        v = (x[i] - low) * scale
        v = zero if v < zero else v
        out[i] = one if v > one else v


@fast_kernel
def boost_asinh(
    x: np.ndarray, weights: np.ndarray, black: np.float32, scale: np.float32, beta: np.float32, out: np.ndarray
) -> None:
    """Colours of each pixel times asinh(beta L) / (L asinh(beta)), L their weighted mean; clipped to 0..1.

    ``x`` and ``out`` are (channels, pixels); ``(x - black) * scale`` are the normalised values.
    """
    channels, n = x.shape
    norm = np.float32(1.0 / np.arcsinh(np.float64(beta)))
    zero, one = np.float32(0), np.float32(1)
    for i in range(n):
        light = zero
        for c in range(channels):
            light += weights[c] * ((x[c, i] - black) * scale)
        reach = beta * abs(light)
        if reach < np.float32(1e-4):
            boost = beta * norm
        else:
            boost = np.log(reach + np.sqrt(reach * reach + one)) / abs(light) * norm
        for c in range(channels):
            v = (x[c, i] - black) * scale * boost
            v = zero if v < zero else v
            out[c, i] = one if v > one else v
