"""Colours from a CFA mosaic.

Every kernel takes the mosaic with a border (``BORDER`` pixels, mirrored without repeating the edge, which keeps the
order of the colours) and ``pattern``, the colours of the cell as int64 (2, 2) with 0 = red, 1 = green, 2 = blue, greens
on one diagonal. Row and column 0 inside the border begin a cell.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel

BORDER = 4
GREEN = 1


@kernel
def bilinear(mosaic, pattern, pair, quad, out):
    """Own colour as it is; missing ones are ``pair`` times the sum of two neighbours or ``quad`` times that of four.

    1/2 and 1/4 give colours; 1/4 and 1/16, on a plane of variances, give the variances of those colours. Both cases are
    computed at every pixel and one is kept: without branches the rows are vectorised (11.7 Mpx in 12 ms, three times
    faster than every second pixel in turn).
    """
    height, width = out.shape[1], out.shape[2]
    for y in range(height):
        above = mosaic[y + BORDER - 1, BORDER - 1 :]
        here = mosaic[y + BORDER, BORDER - 1 :]
        below = mosaic[y + BORDER + 1, BORDER - 1 :]
        first_green = 0 if pattern[y & 1, 0] == GREEN else 1
        own = pattern[y & 1, 1 - first_green]
        green = out[GREEN, y]
        kept = out[own, y]
        other = out[2 - own, y]
        for x in range(width):
            centre = here[x + 1]
            sides = here[x] + here[x + 2]
            ends = above[x + 1] + below[x + 1]
            corners = (above[x] + above[x + 2]) + (below[x] + below[x + 2])
            on_green = (x & 1) == first_green
            green[x] = centre if on_green else quad * (sides + ends)
            kept[x] = pair * sides if on_green else centre
            other[x] = pair * ends if on_green else quad * corners


@kernel
def superpixel(mosaic, pattern, half, out):
    """One pixel per cell, (3, y // 2, x // 2): red, ``half`` times the sum of the two greens, blue. No border here."""
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            green = np.float32(0)
            for j in range(2):
                for i in range(2):
                    value = mosaic[2 * y + j, 2 * x + i]
                    if pattern[j, i] == GREEN:
                        green += value
                    else:
                        out[pattern[j, i], y, x] = value
            out[GREEN, y, x] = half * green


@kernel
def directions(mosaic, pattern, along):
    """Weight (0 to 1) of the horizontal estimate of green, at red and blue positions; ``along`` has the border too.

    The gradient of a direction is the step between the greens on both sides plus the curvature of the own colour
    (Hamilton & Adams 1997), summed over the position and its four diagonal neighbours so that noise hardly steers it.
    """
    height, width = mosaic.shape
    across = np.zeros((height, width), np.float32)
    down = np.zeros((height, width), np.float32)
    for y in range(2, height - 2):
        for x in range(2, width - 2):
            if pattern[y & 1, x & 1] != GREEN:
                twice = 2 * mosaic[y, x]
                across[y, x] = abs(mosaic[y, x - 1] - mosaic[y, x + 1]) + abs(
                    twice - mosaic[y, x - 2] - mosaic[y, x + 2]
                )
                down[y, x] = abs(mosaic[y - 1, x] - mosaic[y + 1, x]) + abs(twice - mosaic[y - 2, x] - mosaic[y + 2, x])
    for y in range(3, height - 3):
        for x in range(3, width - 3):
            if pattern[y & 1, x & 1] != GREEN:
                h = 2 * across[y, x]
                v = 2 * down[y, x]
                for j in (-1, 1):
                    for i in (-1, 1):
                        h += across[y + j, x + i]
                        v += down[y + j, x + i]
                total = h * h + v * v
                along[y, x] = v * v / total if total > 0 else np.float32(0.5)


@kernel
def edge_aware(mosaic, pattern, along, out):
    """Green along the smoother direction, corrected by the curvature of the own colour; red and blue from the mean
    difference to green of their nearest samples."""
    height, width = mosaic.shape
    green = np.empty((height, width), np.float32)
    quarter = np.float32(0.25)
    half = np.float32(0.5)
    for y in range(3, height - 3):
        for x in range(3, width - 3):
            centre = mosaic[y, x]
            if pattern[y & 1, x & 1] == GREEN:
                green[y, x] = centre
            else:
                h = half * (mosaic[y, x - 1] + mosaic[y, x + 1]) + quarter * (
                    2 * centre - mosaic[y, x - 2] - mosaic[y, x + 2]
                )
                v = half * (mosaic[y - 1, x] + mosaic[y + 1, x]) + quarter * (
                    2 * centre - mosaic[y - 2, x] - mosaic[y + 2, x]
                )
                green[y, x] = v + along[y, x] * (h - v)
    for y in range(BORDER, height - BORDER):
        for x in range(BORDER, width - BORDER):
            own = pattern[y & 1, x & 1]
            g = green[y, x]
            here_y, here_x = y - BORDER, x - BORDER
            out[GREEN, here_y, here_x] = g
            if own == GREEN:
                across = pattern[y & 1, 1 - (x & 1)]
                out[across, here_y, here_x] = g + half * (
                    (mosaic[y, x - 1] - green[y, x - 1]) + (mosaic[y, x + 1] - green[y, x + 1])
                )
                out[2 - across, here_y, here_x] = g + half * (
                    (mosaic[y - 1, x] - green[y - 1, x]) + (mosaic[y + 1, x] - green[y + 1, x])
                )
            else:
                out[own, here_y, here_x] = mosaic[y, x]
                difference = np.float32(0)
                for j in (-1, 1):
                    for i in (-1, 1):
                        difference += mosaic[y + j, x + i] - green[y + j, x + i]
                out[2 - own, here_y, here_x] = g + quarter * difference


@kernel
def _add_green(weights, y, x, is_green, along, factor):
    """Add ``factor`` times the weights that green at (y, x) gives to the samples around it."""
    if is_green:
        weights[y, x] += factor
        return
    weights[y, x] += factor * 0.5
    for step, share in ((1, 0.5), (2, -0.25)):
        weights[y, x - step] += factor * share * along
        weights[y, x + step] += factor * share * along
        weights[y - step, x] += factor * share * (1 - along)
        weights[y + step, x] += factor * share * (1 - along)


@kernel
def edge_aware_variance(variance, pattern, along, out):
    """Variance of what `edge_aware` gives, the directions taken as fixed: the sum of squared weights of the samples."""
    side = 2 * BORDER + 1
    weights = np.empty((side, side), np.float32)
    height, width = variance.shape
    for y in range(BORDER, height - BORDER):
        for x in range(BORDER, width - BORDER):
            own = pattern[y & 1, x & 1]
            for colour in range(3):
                weights[:] = 0
                if colour == own:
                    weights[BORDER, BORDER] = 1
                else:
                    _add_green(weights, BORDER, BORDER, own == GREEN, along[y, x], 1.0)
                    if colour != GREEN:
                        if own != GREEN:
                            share = 0.25
                        else:
                            share = 0.5
                        for j in range(-1, 2):
                            for i in range(-1, 2):
                                if pattern[(y + j) & 1, (x + i) & 1] == colour:
                                    weights[BORDER + j, BORDER + i] += share
                                    _add_green(weights, BORDER + j, BORDER + i, False, along[y + j, x + i], -share)
                total = np.float32(0)
                for j in range(side):
                    for i in range(side):
                        w = weights[j, i]
                        if w != 0:
                            total += w * w * variance[y + j - BORDER, x + i - BORDER]
                out[colour, y - BORDER, x - BORDER] = total
