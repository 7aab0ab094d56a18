"""Noise for what was filled in: that of the surroundings, mirrored in the rim of the hole."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel

DIRECTIONS = 16
FURTHEST = 300
"""px to the rim of a hole; beyond, any noise near by must do."""
TRIES = 64
HALF = 4
_SIGMA = 1.5
_WEIGHTS = np.exp(-0.5 * (np.arange(-HALF, HALF + 1) / _SIGMA) ** 2).astype(np.float32)
WHOLE = 1.057
"""White noise over its part that a Gaussian of sigma 1.5 px does not pass."""
_COS = np.cos(2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS)
_SIN = np.sin(2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS)


@inner_kernel
def _detail(plane, taboo, y, x):
    """A pixel less the Gaussian mean of the known pixels around it."""
    height, width = plane.shape
    total = np.float32(0.0)
    weight = np.float32(0.0)
    for j in range(max(y - HALF, 0), min(y + HALF, height - 1) + 1):
        for i in range(max(x - HALF, 0), min(x + HALF, width - 1) + 1):
            if not taboo[j, i]:
                w = _WEIGHTS[j - y + HALF] * _WEIGHTS[i - x + HALF]
                total += w * plane[j, i]
                weight += w
    return plane[y, x] - total / weight


@kernel
def mirrored_noise(plane, taboo, ys, xs, out):
    """Noise for the pixels (ys, xs) of holes into ``out`` (n,): that of the pixel as far beyond the nearest rim.

    ``taboo`` (y, x): pixels whose noise is not to be taken, the holes among them. Where the mirror lies in another hole
    the next rim serves, and at last any known pixel near by, the same on every run; 0 where there is none.
    """
    height, width = plane.shape
    for k in range(ys.shape[0]):
        y0, x0 = ys[k], xs[k]
        out[k] = np.float32(0.0)
        found = False
        closed = 0
        for far in range(1, FURTHEST):
            if found or closed == DIRECTIONS:
                break
            closed = 0
            for d in range(DIRECTIONS):
                y = y0 + math.floor(far * _SIN[d] + 0.5)
                x = x0 + math.floor(far * _COS[d] + 0.5)
                if y < 0 or x < 0 or y >= height or x >= width:
                    closed += 1
                    continue
                if taboo[y, x]:
                    continue
                y, x = 2 * y - y0, 2 * x - x0
                if y < 0 or x < 0 or y >= height or x >= width or taboo[y, x]:
                    continue
                out[k] = _detail(plane, taboo, y, x)
                found = True
                break
        if found:
            continue
        # Multiplicative hashing of the place: no two neighbours alike, no state between pixels.
        mixed = np.uint32(y0) * np.uint32(0x9E3779B1) + np.uint32(x0) * np.uint32(0x85EBCA77)
        for turn in range(TRIES):
            mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D) + np.uint32(1)
            side = 8 << min(turn // 8, 6)
            y = y0 + int((mixed >> np.uint32(8)) & np.uint32(2 * side - 1)) - side
            x = x0 + int((mixed >> np.uint32(20)) & np.uint32(2 * side - 1)) - side
            if 0 <= y < height and 0 <= x < width and not taboo[y, x]:
                out[k] = _detail(plane, taboo, y, x)
                break
