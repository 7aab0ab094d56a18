"""Stars beside stars: what is left near a star once its light is taken away."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def _excess(rest, light, bad, noise, photons, doubt, taps, y, x):
    """Matched filter at a pixel, in sigma: noise of the sky, of the light taken away, and the doubt of its profile."""
    height, width = rest.shape
    masked = bad.shape[0] > 0
    half = taps.shape[0] - 1
    total = 0.0
    power = 0.0
    for j in range(-half, half + 1):
        v = y + j
        if v < 0 or v >= height:
            continue
        for i in range(-half, half + 1):
            u = x + i
            if u < 0 or u >= width or (masked and bad[v, u]) or not abs(rest[v, u]) < np.inf:
                continue
            taken = max(light[v, u] - rest[v, u], 0.0)
            variance = noise * noise + photons * taken + (doubt * taken) ** 2
            tap = taps[abs(i)] * taps[abs(j)]
            total += tap * rest[v, u] / variance
            power += tap * tap / variance
    return total / math.sqrt(power) if power > 0.0 else 0.0


@kernel
def find_companions(
    rest, light, bad, xs, ys, look, noise, photons, doubt, taps, reach, threshold, fx, fy, strength, of
):
    """Local maxima of the matched filter over what is left within ``reach`` px of each star of ``look``.

    ``light`` is the plane with the stars, ``rest`` without. Results go into ``fx``, ``fy``, ``strength`` (sigma) and
    ``of`` (index of the star); returns how many there are, no more than there is room for.
    """
    height, width = rest.shape
    n = 0
    r = math.ceil(reach) + 1
    side = 2 * r + 1
    grid = np.empty((side, side))
    for q in range(look.shape[0]):
        star = look[q]
        cx, cy = math.floor(xs[star] + 0.5), math.floor(ys[star] + 0.5)
        for j in range(side):
            for i in range(side):
                y, x = cy - r + j, cx - r + i
                if y < 1 or x < 1 or y >= height - 1 or x >= width - 1:
                    grid[j, i] = -np.inf
                else:
                    grid[j, i] = _excess(rest, light, bad, noise[star], photons, doubt, taps, y, x)
        for j in range(1, side - 1):
            for i in range(1, side - 1):
                v = grid[j, i]
                if not v > threshold:
                    continue
                y, x = cy - r + j, cx - r + i
                if (x - xs[star]) ** 2 + (y - ys[star]) ** 2 > reach * reach:
                    continue
                highest = True
                for b in range(-1, 2):
                    for a in range(-1, 2):
                        if (a != 0 or b != 0) and grid[j + b, i + a] > v:
                            highest = False
                if highest and n < fx.shape[0]:
                    fx[n], fy[n], strength[n], of[n] = x, y, v, star
                    n += 1
    return n
