"""How far the light of each star reaches above its surroundings."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.few import median_of
from firstlight.kernels.jit import inner_kernel, kernel

DIRECTIONS = 24
"""Samples of a ring; more gain little, for the light of neighbouring pixels is shared anyway."""

RIDGE = 0.8
"""Of pure noise of sigma 1, the largest of 12 smaller ones of two."""
SHARE = 0.4
"""Of its height over the ring, a star stands so high over the ridge at least."""


@inner_kernel
def _ring(plane, known, x0, y0, radius, values, around):
    """Known samples of a ring into ``values``; how many there are. ``around``: by direction, NaN where not known."""
    n = 0
    for d in range(DIRECTIONS):
        angle = 2.0 * math.pi * d / DIRECTIONS
        x = math.floor(x0 + radius * math.cos(angle) + 0.5)
        y = math.floor(y0 + radius * math.sin(angle) + 0.5)
        if 0 <= x < plane.shape[1] and 0 <= y < plane.shape[0] and known[y, x]:
            values[n] = plane[y, x]
            around[d] = plane[y, x]
            n += 1
        else:
            around[d] = np.nan
    return n


@kernel
def local_contrast(plane, known, xs, ys, radius, noise, out):
    """Mean of the 3 x 3 pixels of each spot over the ridge that leads through it, into ``out``.

    Knots and filaments, which stand out of a coarse background as well as stars do, go on into the ring of ``radius``
    (n,) around the spot. Its level is that of the brightest of its pairs of opposite samples (the fainter of the two:
    neighbouring stars lie on one side), less what ``noise`` (n,), of one pixel, raises that by. 0 on a clear ridge.
    """
    values = np.empty(DIRECTIONS)
    around = np.empty(DIRECTIONS)
    for k in range(xs.shape[0]):
        column, row = math.floor(xs[k] + 0.5), math.floor(ys[k] + 0.5)
        total = 0.0
        count = 0
        for y in range(max(row - 1, 0), min(row + 2, plane.shape[0])):
            for x in range(max(column - 1, 0), min(column + 2, plane.shape[1])):
                if known[y, x]:
                    total += plane[y, x]
                    count += 1
        n = _ring(plane, known, xs[k], ys[k], radius[k], values, around)
        if n < 5 or count == 0:
            out[k] = 0.0
            continue
        middle = median_of(values, n)
        ridge = -np.inf
        for d in range(DIRECTIONS // 2):
            one, other = around[d], around[d + DIRECTIONS // 2]
            if one == one and other == other:
                ridge = max(ridge, min(one, other))
            elif one == one or other == other:
                # Beyond the edge a ridge goes on.
                ridge = max(ridge, one if one == one else other)
        peak = total / count
        above = peak - max(middle, ridge - RIDGE * noise[k])
        out[k] = above if above > SHARE * (peak - middle) else 0.0


@kernel
def star_reach(plane, known, xs, ys, first, most, low, noise, out):
    """Radius, px, at which the light of the stars at (xs, ys) has come down to its surroundings, into ``out`` (n,).

    The medians of rings around a star fall outwards. Its reach is where they have come to rest: over the next third
    of the radius the ring falls by less than its own error (``noise`` (n,), of one pixel there) allows, and below
    ``low`` (n,), for the plateau of a saturated star rests too. ``first`` (n,): radius at which to begin,
    ``most`` (n,): the largest.
    """
    values = np.empty(DIRECTIONS)
    around = np.empty(DIRECTIONS)
    for k in range(xs.shape[0]):
        last = most[k] + most[k] // 3 + 2
        rings = np.zeros(last + 1)
        out[k] = most[k]
        for r in range(1, last + 1):
            n = _ring(plane, known, xs[k], ys[k], r, values, around)
            rings[r] = median_of(values, n) if n >= 5 else rings[r - 1]
            s = (3 * r) // 4
            if s < first[k] or (3 * (r + 1)) // 4 == s:
                continue
            if s > most[k]:
                break
            error = 1.25 * noise[k] / math.sqrt(min(6.3 * s, float(DIRECTIONS)))
            if rings[s] < low[k] and rings[s] - rings[r] < 1.5 * error + 1e-30:
                out[k] = s
                break


@kernel
def paint_discs(mask, xs, ys, radii):
    """Set the pixels of ``mask`` (y, x) within a radius of each star."""
    height, width = mask.shape
    for k in range(xs.shape[0]):
        r = radii[k]
        for y in range(max(math.ceil(ys[k] - r), 0), min(math.floor(ys[k] + r), height - 1) + 1):
            half = math.sqrt(max(r * r - (y - ys[k]) ** 2, 0.0))
            for x in range(max(math.ceil(xs[k] - half), 0), min(math.floor(xs[k] + half), width - 1) + 1):
                mask[y, x] = True
