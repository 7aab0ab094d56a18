"""Resample a plane through any smooth map, all samples of the kernel at once.

The map is given as a mesh: plane positions at every `CELL`-th output position, and linear in between. That is exact
for affine maps and right to ``CELL**2 / 8`` times the second derivative for others: 5e-5 px for a homography of a
tilted field, 3e-4 px for a distortion of 10 px in the corners of 4000 px. Missing pixels, edges and clamping are those
of `firstlight.kernels.warp`, but that the four inner samples of an axis are here the 4 x 4 of both.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel
from firstlight.kernels.lanes import fetch, lowest, weighted_sum
from firstlight.kernels.shapes import LANES, STEPS
from firstlight.kernels.warp import EDGE

CELL = 16
"""px of the output grid between nodes of the mesh; cells begin at its multiples."""
BLOCK = 256
"""Columns worked on at once: at 30 degrees they see a part of the plane that stays in the cache (64: -33 %)."""
AHEAD = 8
"""Lines of output for which samples are fetched in advance. A line crosses the plane at a slant, which the processor
does not foresee: without, 5 degrees cost a quarter more."""
MISSING, EDGEWISE = -1, -2
"""In place of the place of samples: outside the plane; with samples beyond its edge."""


@inner_kernel
def _positions(mesh, y, x, cell_y, cell_x, n, xs, ys):
    """Plane positions of n output pixels of line y from x on; ``mesh`` begins at node (cell_y, cell_x)."""
    row = y // CELL - cell_y
    below = (y - (row + cell_y) * CELL) / CELL
    i = 0
    while i < n:
        column = (x + i) // CELL - cell_x
        place = x + i - (column + cell_x) * CELL
        stop = min(n, i + CELL - place)
        x0 = mesh[row, column, 0] + below * (mesh[row + 1, column, 0] - mesh[row, column, 0])
        y0 = mesh[row, column, 1] + below * (mesh[row + 1, column, 1] - mesh[row, column, 1])
        x1 = mesh[row, column + 1, 0] + below * (mesh[row + 1, column + 1, 0] - mesh[row, column + 1, 0])
        y1 = mesh[row, column + 1, 1] + below * (mesh[row + 1, column + 1, 1] - mesh[row, column + 1, 1])
        dx, dy = (x1 - x0) / CELL, (y1 - y0) / CELL
        part_x, part_y = xs[i:stop], ys[i:stop]
        for k in range(part_x.shape[0]):
            part_x[k] = x0 + dx * (place + k)
            part_y[k] = y0 + dy * (place + k)
        i = stop


@inner_kernel
def _places(xs, ys, half, first_row, n_rows, width, height, at, step_x, rest_x, step_y, rest_y):
    """Where the samples of each position begin in the band: MISSING, EDGEWISE, or at least 0; and their phases."""
    for i in range(at.shape[0]):
        x, y = np.floor(xs[i]), np.floor(ys[i])
        phase_x, phase_y = (xs[i] - x) * STEPS, (ys[i] - y) * STEPS
        # A phase of 1 - 1e-17 may round to 1.
        whole_x, whole_y = min(np.floor(phase_x), STEPS - 1.0), min(np.floor(phase_y), STEPS - 1.0)
        step_x[i], step_y[i] = np.int64(whole_x), np.int64(whole_y)
        rest_x[i], rest_y[i] = np.float32(phase_x - whole_x), np.float32(phase_y - whole_y)
        seen = (xs[i] >= -EDGE) & (ys[i] >= -EDGE) & (xs[i] <= width - 1 + EDGE) & (ys[i] <= height - 1 + EDGE)
        low = max(first_row, 0) + half - 1
        high = min(first_row + n_rows, height) - half
        whole = (x >= LANES // 2 - 1) & (x < width - LANES // 2) & (y >= low) & (y < high)
        start = (np.int64(y) - half + 1 - first_row) * width + np.int64(x) - (LANES // 2 - 1)
        at[i] = (start if whole else EDGEWISE) if seen else MISSING


@inner_kernel
def _sums(samples, pitch, half, table, at, step_x, rest_x, step_y, rest_y, ahead, clamp, photons, out):
    """Resample the pixels whose samples begin at a place ``at`` that is not negative; fetch those ``ahead`` of them."""
    clamped = half > 1 and clamp < np.inf
    down, left = np.uint64(max(half - 2, 0)), np.uint64(LANES // 2 - 2)
    for i in range(out.shape[0]):
        if at[i] < 0:
            continue
        fetch(samples, at[i] + ahead)
        first = np.uint64(at[i])
        x, u, y, v = np.uint64(step_x[i]), rest_x[i], np.uint64(step_y[i]), rest_y[i]
        if half == 3:
            value = weighted_sum(samples, first, pitch, table, x, u, y, v, 6)
        elif half == 2:
            value = weighted_sum(samples, first, pitch, table, x, u, y, v, 4)
        elif half == 1:
            value = weighted_sum(samples, first, pitch, table, x, u, y, v, 2)
        else:
            value = weighted_sum(samples, first, pitch, table, x, u, y, v, 8)
        if clamped:
            inner = first + pitch * down + left
            if value < lowest(samples, inner, pitch):
                value = _limit(samples, inner, pitch, value, clamp, photons)
        out[i] = value


@inner_kernel
def _limit(samples, at, pitch, value, clamp, photons):
    """The value, or the lowest that clamping allows beside the 4 x 4 samples."""
    low = high = samples[at]
    for _ in range(4):
        for i in range(np.uint64(4)):
            low = min(low, samples[at + i])
            high = max(high, samples[at + i])
        at += pitch
    return max(value, low - np.sqrt(clamp + photons * max(high, np.float32(0.0))))


@inner_kernel
def _patch(source, first_row, height, x, y, half, patch):
    """Copy the samples around a position near an edge, edges repeated."""
    n_rows, width = source.shape
    for j in range(2 * half):
        row = min(max(min(max(y + 1 - half + j, 0), height - 1) - first_row, 0), n_rows - 1)
        for i in range(LANES):
            patch[j * LANES + i] = source[row, min(max(x + 1 - LANES // 2 + i, 0), width - 1)]


@inner_kernel
def _edges(
    source, first_row, height, half, table, xs, ys, at, step_x, rest_x, step_y, rest_y, patch, clamp, photons, out
):
    """The pixels of a line that are missing or partly beyond an edge."""
    for i in range(out.shape[0]):
        if at[i] == MISSING:
            out[i] = np.nan
        elif at[i] == EDGEWISE:
            _patch(source, first_row, height, int(np.floor(xs[i])), int(np.floor(ys[i])), half, patch)
            one = slice(i, i + 1)
            at[i] = 0
            _sums(
                patch, np.uint64(LANES), half, table, at[one], step_x[one], rest_x[one], step_y[one], rest_y[one], 0,
                clamp, photons, out[one],
            )  # fmt: skip


@kernel
def warp_any(source, first_row, height, table, half, mesh, top, left, clamp, photons, out):
    """Resample a band.

    ``source`` (band rows, x) holds rows ``first_row`` ... of a plane of ``height`` rows, every row that is needed;
    ``table`` is that of `shapes.lane_table`; ``mesh`` (nodes, nodes, 2) holds the plane positions (x, y) of the nodes
    from ``(top // CELL, left // CELL)`` to beyond the last pixel; ``out`` (rows, x) begins at output (top, left).
    """
    rows, columns = out.shape
    samples, lines = source.reshape(-1), table.reshape(-1)
    n_rows, width = source.shape
    patch = np.empty(LANES * LANES, np.float32)
    # Samples are about this much further on, some lines later.
    step = AHEAD * (mesh[1, 0] - mesh[0, 0]) / CELL
    ahead = int(np.round(step[1])) * width + int(np.round(step[0]))
    for x in range(0, columns, BLOCK):
        n = min(BLOCK, columns - x)
        xs, ys, at = np.empty(n), np.empty(n), np.empty(n, np.int64)
        step_x, step_y = np.empty(n, np.int64), np.empty(n, np.int64)
        rest_x, rest_y = np.empty(n, np.float32), np.empty(n, np.float32)
        for y in range(rows):
            line = out[y, x : x + n]
            _positions(mesh, y + top, x + left, top // CELL, left // CELL, n, xs, ys)
            _places(xs, ys, half, first_row, n_rows, width, height, at, step_x, rest_x, step_y, rest_y)
            _sums(
                samples, np.uint64(width), half, lines, at, step_x, rest_x, step_y, rest_y, ahead, clamp, photons, line
            )
            _edges(
                source, first_row, height, half, lines, xs, ys, at, step_x, rest_x, step_y, rest_y, patch, clamp,
                photons, line,
            )  # fmt: skip


@kernel
def pick_nearest(source, first_row, height, mesh, top, left, out):
    """Take the nearest sample; arguments as those of `warp_any`, but that half a pixel beyond the edge still counts."""
    rows, columns = out.shape
    n_rows, width = source.shape
    xs, ys = np.empty(columns), np.empty(columns)
    for y in range(rows):
        _positions(mesh, y + top, left, top // CELL, left // CELL, columns, xs, ys)
        for i in range(columns):
            column, row = int(np.floor(xs[i] + 0.5)), int(np.floor(ys[i] + 0.5))
            if 0 <= column < width and 0 <= row < height:
                out[y, i] = source[min(max(row - first_row, 0), n_rows - 1), column]
            else:
                out[y, i] = np.nan
