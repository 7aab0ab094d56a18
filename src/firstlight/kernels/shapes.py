"""The shapes of interpolation kernels, and the forms in which `warp` and `lanes` take them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

HALF = {"nearest": 1, "bilinear": 1, "bicubic": 2, "lanczos2": 2, "lanczos3": 3, "lanczos4": 4}
"""Samples on each side of a position that each kernel uses."""

TERMS = 4
"""Of the even and of the odd part of a weight as polynomials of the phase: right to 7e-6 (Lanczos 2), 3e-6 (3, 4)."""

STEPS = 128
"""Of the table between which weights are interpolated: right to 3e-5."""

LANES = 8
"""Weights of a line of the table, for samples -3 ... 4; kernels that need fewer have zeros outside."""


def weights(kernel: str, phase: np.ndarray) -> np.ndarray:
    """Weights (n, 2 * half) of the samples around positions ``phase`` (n,) of 0..1 past the last sample but half.

    They sum to 1. *bicubic* is Keys' with a = -1/2 (Catmull-Rom); *lanczos* is normalised.

    >>> weights("bilinear", np.array([0.25])).tolist()
    [[0.75, 0.25]]
    >>> weights("bicubic", np.array([0.5])).tolist()
    [[-0.0625, 0.5625, 0.5625, -0.0625]]
    """
    half = HALF[kernel]
    x = np.abs(np.arange(1 - half, half + 1)[None, :] - np.asarray(phase, np.float64)[:, None])
    if kernel == "nearest":
        found = np.stack([x[:, 0] < 0.5, x[:, 0] >= 0.5], axis=1).astype(np.float64)
    elif kernel == "bilinear":
        found = 1.0 - x
    elif kernel == "bicubic":
        found = np.where(x < 1, (1.5 * x - 2.5) * x**2 + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2)
    else:
        found = np.where(x < half, np.sinc(x) * np.sinc(x / half), 0.0)
    return found / found.sum(axis=1, keepdims=True)


@lru_cache(maxsize=8)
def polynomials(kernel: str) -> np.ndarray:
    """Weights as polynomials of t = phase - 1/2: float32 (half, 2, TERMS).

    Samples k and 2 * half - 1 - k have the weights E(t) + O(t) and E(t) - O(t), with E the sum of ``[k, 0, n] * t**2n``
    and O that of ``[k, 1, n] * t**(2n + 1)``. They are exact at both ends, so that runs join without a step, and sum to
    1 everywhere.

    >>> polynomials("bilinear")[0, :, 0].tolist()
    [0.5, -1.0]
    """
    half = HALF[kernel]
    t = 0.5 * np.cos(np.pi * (np.arange(256) + 0.5) / 256)
    between, ends = weights(kernel, t + 0.5), weights(kernel, np.array([1.0]))[0]
    found = np.zeros((half, 2, TERMS))
    inner = (t**2 - 0.25)[:, None]
    for k in range(half):
        for odd, sign in ((0, 1.0), (1, -1.0)):
            shape = 0.5 * (between[:, k] + sign * between[:, 2 * half - 1 - k])
            end = 0.5 * (ends[k] + sign * ends[2 * half - 1 - k]) / 0.5**odd
            basis = inner * t[:, None] ** (2 * np.arange(TERMS - 1) + odd)
            rest = np.linalg.lstsq(basis, shape - end * t**odd, rcond=None)[0]
            rest[np.abs(rest) < 1e-9] = 0.0
            found[k, odd, 0] = end
            found[k, odd, 1:] += rest
            found[k, odd, :-1] -= 0.25 * rest
    excess = 2.0 * found[:, 0].sum(axis=0)
    excess[0] -= 1.0
    found[half - 1, 0] -= 0.5 * excess
    return _frozen(found)


@lru_cache(maxsize=8)
def lane_table(kernel: str) -> np.ndarray:
    """Weights of samples -3 ... 4 at each step of the phase and how they change to the next: float32 (STEPS, 16)."""
    half = HALF[kernel]
    lines = np.zeros((STEPS + 1, LANES))
    lines[:, 4 - half : 4 + half] = weights(kernel, np.arange(STEPS + 1) / STEPS)
    return _frozen(np.concatenate([lines[:-1], np.diff(lines, axis=0)], axis=1))


def _frozen(values: np.ndarray) -> np.ndarray:
    result = np.ascontiguousarray(values, dtype=np.float32)
    result.flags.writeable = False
    return result
