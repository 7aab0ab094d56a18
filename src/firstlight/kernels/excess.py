"""Find the pixels of a frame that the stack of all frames does not confirm, before anything is resampled."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.drizzle import CELL, MISSING, TOO_HIGH, TOO_LOW, place
from firstlight.kernels.jit import kernel
from firstlight.kernels.tiles import spread_at

GROW = 0.6
"""A neighbour of an outlier is one itself at this share of the limit: trails and cosmic rays have soft edges."""
BRIGHT = 2.0
"""What the clean stack holds so many sigma of the frame off the background is interpolated with curves."""
CALM = 4.0
"""Differences of the clean stack within so many sigma of its own noise say nothing of its steepness."""


@kernel
def _lattice(nodes, spacing, x, y):
    """Bilinear between nodes ``spacing`` px apart, of which the first lies at 0; beyond the last as at the edge."""
    rows, columns = nodes.shape
    u = min(max(x / spacing, 0.0), columns - 1.0)
    v = min(max(y / spacing, 0.0), rows - 1.0)
    i = min(int(u), columns - 2)
    j = min(int(v), rows - 2)
    u -= i
    v -= j
    upper = (1 - u) * nodes[j, i] + u * nodes[j, i + 1]
    lower = (1 - u) * nodes[j + 1, i] + u * nodes[j + 1, i + 1]
    return (1 - v) * upper + v * lower


@kernel
def _cubic(plane, px, py):
    """Catmull-Rom interpolation at a place with two pixels on all sides; NaN where one of them is."""
    i = int(px)
    j = int(py)
    u = px - i
    v = py - j
    across = (
        u * (-0.5 + u * (1.0 - 0.5 * u)),
        1.0 + u * u * (-2.5 + 1.5 * u),
        u * (0.5 + u * (2.0 - 1.5 * u)),
        u * u * (-0.5 + 0.5 * u),
    )
    down = (
        v * (-0.5 + v * (1.0 - 0.5 * v)),
        1.0 + v * v * (-2.5 + 1.5 * v),
        v * (0.5 + v * (2.0 - 1.5 * v)),
        v * v * (-0.5 + 0.5 * v),
    )
    total = 0.0
    for k in range(4):
        row = 0.0
        for m in range(4):
            row += across[m] * plane[j + k - 1, i + m - 1]
        total += down[k] * row
    return total


@kernel
def measure_excess(
    values, first_row, first_column, pattern, surface, spacing, gain, zero, noise, photons, doubt, level,
    clean, spread, matrix, mesh, soft, around, variances, excess,
):  # fmt: skip
    """Normalise pixels, predict their variance, and tell how far they are from what the other frames saw.

    ``values`` (rows, x) float32, from (first_row, first_column) of the frame, become ``(value + surface) * gain +
    zero``. ``surface`` (channels, nodes down, nodes across) has no nodes where nothing is added. ``clean`` and
    ``spread`` (channels, y, x) are a stack of all frames and its variance, NaN where it proves nothing; ``matrix`` or
    ``mesh`` (as in `drop_pixels`) map frame positions to its positions, on which the surface is given too.
    ``variances`` receives the background's ``noise`` and the photons of what ``clean`` holds above ``level``; ``doubt``
    (photons too) widens the limits and nothing else. ``excess`` is the difference in sigma; from its size is taken
    ``soft`` times the range of the clean stack within ``around`` px (what sub-pixel shifts, seeing and debayering
    explain). All tables of frame facts have one entry per channel. Pixels beyond the clean stack have excess 0.
    """
    _, height, width = clean.shape
    node_row = (first_row - 1) // CELL
    node_column = (first_column - 1) // CELL
    for row in range(values.shape[0]):
        y = row + first_row
        for column in range(values.shape[1]):
            x = column + first_column
            c = pattern[y % 2, x % 2]
            px, py = place(matrix, mesh, node_row, node_column, x, y)
            added = 0.0
            if surface.shape[1] > 1 and surface.shape[2] > 1:
                added = _lattice(surface[c], spacing, px, py)
            value = (values[row, column] + added) * gain[c] + zero[c]
            values[row, column] = value
            variances[row, column] = noise[c]
            excess[row, column] = 0.0
            if not (px >= 0 and py >= 0 and px <= width - 1 and py <= height - 1):
                continue
            i = min(int(px), width - 2)
            j = min(int(py), height - 2)
            u = px - i
            v = py - j
            plane = clean[c]
            expected = (1 - v) * ((1 - u) * plane[j, i] + u * plane[j, i + 1]) + v * (
                (1 - u) * plane[j + 1, i] + u * plane[j + 1, i + 1]
            )
            if not abs(expected) < np.inf:
                continue
            # Between the pixels of a star straight lines are too low, and beside it too high.
            bright = abs(expected - level[c]) > BRIGHT * np.sqrt(noise[c])
            if bright and i > 0 and j > 0 and i < width - 2 and j < height - 2:
                curved = _cubic(plane, px, py)
                expected = curved if abs(curved) < np.inf else expected
            light = max(expected - level[c], 0.0)
            variance = spread_at(noise[c], photons[c], expected - level[c])
            variances[row, column] = variance
            known = spread[c, int(py + 0.5), int(px + 0.5)]
            sigma = np.sqrt(variance + doubt[c] * light + known)
            difference = value - expected
            size = abs(difference)
            # Most pixels are near enough without the steepness.
            if size > sigma:
                low = np.inf
                high = -np.inf
                ci = int(px + 0.5)
                cj = int(py + 0.5)
                for jj in range(max(cj - around, 0), min(cj + around + 1, height)):
                    for ii in range(max(ci - around, 0), min(ci + around + 1, width)):
                        near = plane[jj, ii]
                        low = min(low, near) if near == near else low
                        high = max(high, near) if near == near else high
                size = max(size - soft * max(high - low - CALM * np.sqrt(known), 0.0), 0.0)
            excess[row, column] = size / sigma if difference > 0 else -size / sigma


@kernel
def reject(excess, limit, states):
    """Set ``states`` of pixels whose excess passes the limit, and of their neighbours at `GROW` of it.

    Pixels that are ``MISSING`` stay so, and tell their neighbours nothing.
    """
    rows, width = excess.shape
    soft = GROW * limit
    for y in range(rows):
        for x in range(width):
            size = abs(excess[y, x])
            if not size > soft or states[y, x] == MISSING:
                continue
            hit = size > limit
            if not hit:
                for j in range(max(y - 1, 0), min(y + 2, rows)):
                    for i in range(max(x - 1, 0), min(x + 2, width)):
                        other = excess[j, i]
                        hit |= abs(other) > limit and (other > 0) == (excess[y, x] > 0) and states[j, i] != MISSING
            if hit:
                states[y, x] = TOO_HIGH if excess[y, x] > 0 else TOO_LOW
