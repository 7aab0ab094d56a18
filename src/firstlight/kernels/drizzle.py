"""Drop pixels onto a finer grid (Fruchter & Hook 2002).

A pixel of a frame is shrunk by *pixfrac* about its centre and carried through the frame's map. What part of this drop
lies on each pixel of the grid is its share there. Three shapes of drop:

- square: the quadrilateral between the mapped corners; its shares are exact areas.
- turbo: an upright square of the same area about the mapped centre.
- point: the whole drop on the pixel that holds the mapped centre.

An affine map is given as its matrix, any other as a mesh: grid positions at every `CELL`-th frame position, and linear
in between (`firstlight.kernels.warp_any` says how right that is). The shares of one drop sum to 1, so a frame of larger
pixels counts the less on each of the smaller ones it covers. Sums run in the order of the frame's pixels, and a share
knows nothing of the tile it falls into: the result does not depend on how the grid is cut into tiles.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel

CELL = 16
"""px of the frame between nodes of a mesh; cells begin at its multiples."""
SQUARE, TURBO, POINT = range(3)
"""Shapes of drop; `firstlight.ops.stack.drizzle` names them in words."""

USED, TOO_LOW, TOO_HIGH, MISSING = range(4)
"""What is known of a frame's pixel; ``SATURATED_BIT`` may be added to ``USED``."""
SATURATED_BIT = 4

LEAST_SHARE = 1e-6
"""A smaller share of a drop is rounding, or so little light that its pixel would show nothing but noise."""


@kernel
def place(matrix, mesh, node_row, node_column, x, y):
    """Grid position of a frame position; ``mesh`` begins at that node, and has none where the matrix says it all."""
    if mesh.shape[0] == 0:
        return (
            matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
            matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
        )
    row = int(np.floor(y / CELL))
    column = int(np.floor(x / CELL))
    v = (y - row * CELL) / CELL
    u = (x - column * CELL) / CELL
    j = row - node_row
    i = column - node_column
    return (
        (1 - v) * ((1 - u) * mesh[j, i, 0] + u * mesh[j, i + 1, 0])
        + v * ((1 - u) * mesh[j + 1, i, 0] + u * mesh[j + 1, i + 1, 0]),
        (1 - v) * ((1 - u) * mesh[j, i, 1] + u * mesh[j, i + 1, 1])
        + v * ((1 - u) * mesh[j + 1, i, 1] + u * mesh[j + 1, i + 1, 1]),
    )


@kernel
def _add_edge(cells, x0, y0, x1, y1):
    """Add what one edge of a polygon says of the area to its right.

    Afterwards the running sum along a row of ``cells`` is the signed area of the polygon in each cell. An edge is cut
    where it crosses the lines of the grid; of each piece the cell it lies in holds a trapezium, all cells to the right
    of it the whole height.
    """
    if y0 == y1:
        return
    sign = 1.0
    if y0 > y1:
        x0, y0, x1, y1 = x1, y1, x0, y0
        sign = -1.0
    slope = (x1 - x0) / (y1 - y0)
    x = x0
    y = y0
    j = int(y0)
    while y < y1:
        if y1 <= j + 1.0:
            next_y = y1
            next_x = x1
        else:
            next_y = j + 1.0
            next_x = x0 + slope * (next_y - y0)
        low = min(x, next_x)
        high = max(x, next_x)
        i = int(low)
        height = sign * (next_y - y)
        if high <= i + 1.0:
            beyond = height * (0.5 * (low + high) - i)
            cells[j, i] += height - beyond
            cells[j, i + 1] += beyond
        else:
            per_x = height / (high - low)
            while low < high:
                end = min(i + 1.0, high)
                piece = per_x * (end - low)
                beyond = piece * (0.5 * (low + end) - i)
                cells[j, i] += piece - beyond
                cells[j, i + 1] += beyond
                low = end
                i += 1
        x = next_x
        y = next_y
        j += 1


@kernel
def _receive(totals, counts, channel, y, x, share, value, variance, state, bits, weight, frame):
    """One share of a drop reaches one pixel of the tile."""
    count = counts[channel, y, x]
    if state == USED:
        total = totals[channel, y, x]
        w = share * weight
        total[0] += w * value
        total[1] += w
        total[2] += w * w * variance
        if count[0] != frame:
            count[0] = frame
            count[1] += 1
        count[2] |= bits
    elif state == TOO_LOW:
        count[3] += 1
    else:
        count[4] += 1


@kernel
def drop_pixels(
    values, variances, states, pattern, first_row, first_column, matrix, mesh, shape, pixfrac, weight, sky, bits, frame,
    cells, top, left, totals, counts, tally,
):  # fmt: skip
    """Drop the pixels of a part of one frame onto a tile of the grid.

    ``values``, ``variances`` (float32) and ``states`` (uint8) are (rows, x), the part of the frame that begins at
    (first_row, first_column); ``pattern`` (2, 2) says which channel the pixels of each place of the CFA cell belong to.
    ``matrix`` (3, 3) maps frame positions to grid positions; ``mesh`` (nodes, nodes, 2) does so in its place, from the
    node of (first_row - 1, first_column - 1) to that beyond the last pixel; with no nodes it is not asked. ``weight``
    falls where a pixel's variance is above that of the ``sky`` (channels,), if that is not 0. ``frame`` is the number
    of the frame, from 1 on; ``bits`` the flags of a saturated pixel. ``cells`` is scratch, zero, with 2 more rows and
    columns than a drop can cover.

    The tile begins at (top, left). ``totals`` (channels, rows, x, 3), float64, gains share * weight * value, share *
    weight, (share * weight)^2 * variance. ``counts`` (channels, rows, x, 5), uint16: last frame seen, frames, flags,
    drops rejected low, high. ``tally`` (2,) counts drops that are used or rejected, and rejected, of those whose centre
    lies in the tile.
    """
    _, height, width, _ = totals.shape
    right = left + width
    bottom = top + height
    half = 0.5 * pixfrac
    affine = mesh.shape[0] == 0
    upright = affine and matrix[0, 1] == 0.0 and matrix[1, 0] == 0.0
    node_row = (first_row - 1) // CELL
    node_column = (first_column - 1) // CELL
    a = matrix[0, 0]
    b = matrix[0, 1]
    d = matrix[1, 0]
    e = matrix[1, 1]
    half_x = half_y = half * np.sqrt(abs(a * e - b * d))
    if upright and shape == SQUARE:
        half_x = half * abs(a)
        half_y = half * abs(e)
    reach_x = max(half_x, half * (abs(a) + abs(b)))
    reach_y = max(half_y, half * (abs(d) + abs(e)))
    px = np.empty(4)
    py = np.empty(4)
    for row in range(values.shape[0]):
        y = row + first_row
        for column in range(values.shape[1]):
            code = states[row, column]
            if code == MISSING:
                continue
            x = column + first_column
            # Pixel i of the grid is the cell from i to i + 1 here. Positions never count from the tile's corner:
            # their rounding would depend on it.
            if affine:
                cx = a * x + b * y + matrix[0, 2] + 0.5
                cy = d * x + e * y + matrix[1, 2] + 0.5
                if cx + reach_x < left or cy + reach_y < top or cx - reach_x > right or cy - reach_y > bottom:
                    continue
            else:
                cx, cy = place(matrix, mesh, node_row, node_column, x, y)
                cx += 0.5
                cy += 0.5
            state = code & 3
            flags = bits if code & SATURATED_BIT else 0
            channel = pattern[y % 2, x % 2]
            value = values[row, column]
            variance = variances[row, column]
            heavy = weight * (sky[channel] / variance) if sky[channel] > 0.0 else weight
            i = int(np.floor(cx))
            j = int(np.floor(cy))
            if left <= i < right and top <= j < bottom:
                tally[0] += 1
                tally[1] += state != USED
                if shape == POINT:
                    _receive(
                        totals, counts, channel, j - top, i - left, 1.0, value, variance, state, flags, heavy, frame
                    )
            if shape == POINT:
                continue
            if not affine:
                for k in range(4):
                    side_x = half if k == 1 or k == 2 else -half
                    side_y = half if k >= 2 else -half
                    px[k], py[k] = place(matrix, mesh, node_row, node_column, x + side_x, y + side_y)
                    px[k] += 0.5
                    py[k] += 0.5
                if shape == TURBO:
                    double = (px[3] - px[1]) * (py[2] - py[0]) - (px[2] - px[0]) * (py[3] - py[1])
                    half_x = half_y = 0.5 * np.sqrt(abs(0.5 * double))
            if shape == TURBO or upright:
                x_low = cx - half_x
                x_high = cx + half_x
                y_low = cy - half_y
                y_high = cy + half_y
                per_area = 1.0 / ((x_high - x_low) * (y_high - y_low))
                for j in range(max(int(np.floor(y_low)), top), min(int(np.floor(y_high)) + 1, bottom)):
                    tall = (min(y_high, j + 1.0) - max(y_low, j)) * per_area
                    for i in range(max(int(np.floor(x_low)), left), min(int(np.floor(x_high)) + 1, right)):
                        share = tall * (min(x_high, i + 1.0) - max(x_low, i))
                        if share > LEAST_SHARE:
                            _receive(
                                totals, counts, channel, j - top, i - left,
                                share, value, variance, state, flags, heavy, frame,
                            )  # fmt: skip
                continue
            if affine:
                px[0] = cx - half * (a + b)
                py[0] = cy - half * (d + e)
                px[1] = cx + half * (a - b)
                py[1] = cy + half * (d - e)
                px[2] = cx + half * (a + b)
                py[2] = cy + half * (d + e)
                px[3] = cx - half * (a - b)
                py[3] = cy - half * (d - e)
            x_low = min(min(px[0], px[1]), min(px[2], px[3]))
            x_high = max(max(px[0], px[1]), max(px[2], px[3]))
            y_low = min(min(py[0], py[1]), min(py[2], py[3]))
            y_high = max(max(py[0], py[1]), max(py[2], py[3]))
            if x_high < left or y_high < top or x_low > right or y_low > bottom:
                continue
            i0 = int(np.floor(x_low))
            j0 = int(np.floor(y_low))
            n_x = int(np.floor(x_high)) - i0 + 1
            n_y = int(np.floor(y_high)) - j0 + 1
            if n_x == 1 and n_y == 1:
                if left <= i0 < right and top <= j0 < bottom:
                    _receive(
                        totals, counts, channel, j0 - top, i0 - left, 1.0, value, variance, state, flags, heavy, frame
                    )
                continue
            for k in range(4):
                px[k] -= i0
                py[k] -= j0
            _add_edge(cells, px[0], py[0], px[1], py[1])
            _add_edge(cells, px[1], py[1], px[2], py[2])
            _add_edge(cells, px[2], py[2], px[3], py[3])
            _add_edge(cells, px[3], py[3], px[0], py[0])
            # Twice the area of the drop. Its sign and that of the cells both tell which way the corners run.
            double = (px[3] - px[1]) * (py[2] - py[0]) - (px[2] - px[0]) * (py[3] - py[1])
            per_area = 2.0 / double
            for j in range(n_y):
                inside = top <= j + j0 < bottom
                area = 0.0
                for i in range(n_x):
                    area += cells[j, i]
                    cells[j, i] = 0.0
                    share = area * per_area
                    if inside and share > LEAST_SHARE and left <= i + i0 < right:
                        _receive(
                            totals, counts, channel, j + j0 - top, i + i0 - left,
                            share, value, variance, state, flags, heavy, frame,
                        )  # fmt: skip
                cells[j, n_x] = 0.0
                cells[j, n_x + 1] = 0.0
