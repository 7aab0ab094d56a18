"""Quads of stars: four stars as four numbers that neither shift, turn nor scale changes (Lang et al. 2010)."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel
from firstlight.kernels.sky_grid import column_of

NEAR = 32
"""Stars around a cell that its quads are made of, the brightest."""
INSIDE = 3
"""Stars between two that make quads with them, the brightest."""
BINS = 50
"""Of a code's first two numbers, each."""
SPREAD = 65535.0
"""A number of a code lies from -0.5 to 1.5, kept as 16 bits."""


@inner_kernel
def code_of(x, y, a, b, c, d, code, order):
    """Code of four points whose longest side is a-b: places of c and d where a is 0 and b is 1, in the one of four
    orders that has c before d and both nearer to a than to b; the order is written too."""
    ux, uy = x[b] - x[a], y[b] - y[a]
    squared = ux * ux + uy * uy
    cx = ((x[c] - x[a]) * ux + (y[c] - y[a]) * uy) / squared
    cy = ((y[c] - y[a]) * ux - (x[c] - x[a]) * uy) / squared
    dx = ((x[d] - x[a]) * ux + (y[d] - y[a]) * uy) / squared
    dy = ((y[d] - y[a]) * ux - (x[d] - x[a]) * uy) / squared
    if cx + dx > 1.0:
        a, b = b, a
        cx, cy, dx, dy = 1.0 - cx, -cy, 1.0 - dx, -dy
    if cx > dx:
        c, d = d, c
        cx, cy, dx, dy = dx, dy, cx, cy
    code[0], code[1], code[2], code[3] = cx, cy, dx, dy
    order[0], order[1], order[2], order[3] = a, b, c, d


@inner_kernel
def _between(x, y, n, a, b, found):
    """The first stars inside the circle over a-b; how many."""
    mx, my = 0.5 * (x[a] + x[b]), 0.5 * (y[a] + y[b])
    radius = 0.25 * ((x[a] - x[b]) ** 2 + (y[a] - y[b]) ** 2)
    count = 0
    for k in range(n):
        if k != a and k != b and (x[k] - mx) ** 2 + (y[k] - my) ** 2 < radius:
            found[count] = k
            count += 1
            if count == len(found):
                break
    return count


@kernel
def quads_of_sky(
    vectors, mags, start, lowest, size, columns, first, shortest, most, codes, members,
):  # fmt: skip
    """Quads of the stars in each cell and around it whose longest side is ``shortest`` to 1.41 times that (radians)
    with its middle in the cell, those of bright stars first, ``most`` a cell. Returns how many were written.

    Stars lie in order of cells, within a cell brightest first.
    """
    n_bands = len(columns)
    count = 0
    near = np.empty(NEAR, np.int64)
    x, y = np.empty(NEAR), np.empty(NEAR)
    inside = np.empty(INSIDE, np.int64)
    code, order = np.empty(4), np.empty(4, np.int64)
    for band in range(n_bands):
        dec = lowest + (band + 0.5) * size
        for column in range(columns[band]):
            ra = (column + 0.5) * 2.0 * np.pi / columns[band]
            cx, cy, cz = np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)
            n = 0
            for b in range(max(band - 1, 0), min(band + 2, n_bands)):
                across = columns[b]
                middle, wide = column_of(cx, cy, across), min(across, 3)
                for k in range(wide):
                    cell = first[b] + (middle - wide // 2 + k) % across
                    for i in range(start[cell], start[cell + 1]):
                        if n == NEAR and mags[i] >= mags[near[n - 1]]:
                            break
                        at = n if n < NEAR else NEAR - 1
                        while at > 0 and mags[near[at - 1]] > mags[i]:
                            near[at] = near[at - 1]
                            at -= 1
                        near[at] = i
                        n = min(n + 1, NEAR)
            if n < 4:
                continue
            kept = 0
            for k in range(n):
                v = vectors[near[k]]
                along = v[0] * cx + v[1] * cy + v[2] * cz
                if along > 0.3:
                    near[kept] = near[k]
                    x[kept] = (-np.sin(ra) * v[0] + np.cos(ra) * v[1]) / along
                    y[kept] = (
                        -np.sin(dec) * np.cos(ra) * v[0] - np.sin(dec) * np.sin(ra) * v[1] + np.cos(dec) * v[2]
                    ) / along
                    kept += 1
            written = 0
            half = np.pi / columns[band] * np.cos(dec)
            for j in range(1, kept):
                for i in range(j):
                    length = np.sqrt((x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2)
                    if length < shortest or length >= 1.4143 * shortest or written >= most:
                        continue
                    if abs(x[i] + x[j]) > 2.0 * half or abs(y[i] + y[j]) > size:
                        continue
                    found = _between(x, y, kept, i, j, inside)
                    for c in range(found - 1):
                        for d in range(c + 1, found):
                            if written >= most:
                                continue
                            code_of(x, y, i, j, inside[c], inside[d], code, order)
                            for m in range(4):
                                codes[count, m] = np.uint16((code[m] + 0.5) * 0.5 * SPREAD + 0.5)
                                members[count, m] = near[order[m]]
                            count += 1
                            written += 1
    return count


@kernel
def quads_of_image(x, y, shortest, codes, members):
    """Quads of all stars of a list, those of the first stars first; returns how many were written."""
    n = len(x)
    count = 0
    four, code, order = np.empty(4, np.int64), np.empty(4), np.empty(4, np.int64)
    for last in range(3, n):
        for third in range(2, last):
            for second in range(1, third):
                for one in range(second):
                    if count == len(codes):
                        return count
                    four[0], four[1], four[2], four[3] = one, second, third, last
                    longest, a, b = 0.0, 0, 0
                    for i in range(4):
                        for j in range(i):
                            squared = (x[four[i]] - x[four[j]]) ** 2 + (y[four[i]] - y[four[j]]) ** 2
                            if squared > longest:
                                longest, a, b = squared, j, i
                    if longest < shortest * shortest:
                        continue
                    mx, my = 0.5 * (x[four[a]] + x[four[b]]), 0.5 * (y[four[a]] + y[four[b]])
                    c = d = -1
                    fits = True
                    for i in range(4):
                        if i != a and i != b:
                            fits &= (x[four[i]] - mx) ** 2 + (y[four[i]] - my) ** 2 < 0.2525 * longest
                            c, d = (i, d) if c < 0 else (c, i)
                    if not fits:
                        continue
                    code_of(x, y, four[a], four[b], four[c], four[d], code, order)
                    for m in range(4):
                        codes[count, m] = code[m]
                        members[count, m] = order[m]
                    count += 1
    return count


@inner_kernel
def bin_of(cx, cy):
    """Bin of a code's first two numbers."""
    i = min(max(int(cx * BINS), 0), BINS - 1)
    j = min(max(int((cy + 0.5) * BINS), 0), BINS - 1)
    return i * BINS + j


@kernel
def bins_of(codes, out):
    """For each code (16 bits a number), the bin it is kept in."""
    for i in range(len(codes)):
        out[i] = bin_of(codes[i, 0] / SPREAD * 2.0 - 0.5, codes[i, 1] / SPREAD * 2.0 - 0.5)
