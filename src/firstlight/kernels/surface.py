"""Smooth surfaces beside frames: means of cells of a plane, and a lattice of values added to a part of a plane."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.few import median_of
from firstlight.kernels.jit import fast_kernel, kernel


@fast_kernel
def cell_means(plane, cell, top, left, step, out):
    """Mean of the pixels of each cell, into ``out`` (ny, nx) float32.

    Cell (j, i) holds the pixels ``plane[j * cell + top : (j + 1) * cell : step, i * cell + left : (i + 1) * cell :
    step]``: of a mosaic (``step`` 2) those of one colour. What is left of the plane beyond the last whole cell is not
    looked at.
    """
    ny, nx = out.shape
    across = (cell - left + step - 1) // step
    number = np.float32(across * ((cell - top + step - 1) // step))
    sums = np.empty(nx, np.float32)
    for j in range(ny):
        for i in range(nx):
            sums[i] = 0.0
        for y in range(j * cell + top, (j + 1) * cell, step):
            row = plane[y]
            if step == 1:
                for i in range(nx):
                    part = row[i * cell + left : (i + 1) * cell]
                    total = np.float32(0.0)
                    for x in range(across):
                        total += part[x]
                    sums[i] += total
            else:
                for i in range(nx):
                    part = row[i * cell + left : (i + 1) * cell]
                    total = np.float32(0.0)
                    for x in range(across):
                        total += part[step * x]
                    sums[i] += total
        for i in range(nx):
            out[j, i] = sums[i] / number


@kernel
def add_lattice(lattice, spacing, top, left, out):
    """Add to ``out`` (rows, x), which begins at (top, left), the values of a lattice, bilinear between its nodes.

    Node (j, i) of ``lattice`` (ny, nx) lies at (j * spacing, i * spacing); the nodes reach beyond ``out``. Each pixel
    gets what its own place says: no byte depends on how a plane is cut.
    """
    nodes = lattice.shape[1]
    line = np.empty(nodes, np.float32)
    width = out.shape[1]
    first = min(left // spacing, nodes - 2)
    last = min((left + width - 1) // spacing, nodes - 2)
    share = np.float32(1.0) / np.float32(spacing)
    for y in range(out.shape[0]):
        j = min((y + top) // spacing, lattice.shape[0] - 2)
        v = np.float32(y + top - j * spacing) * share
        for i in range(first, last + 2):
            line[i] = lattice[j, i] + v * (lattice[j + 1, i] - lattice[j, i])
        row = out[y]
        for i in range(first, last + 1):
            begin = max(i * spacing - left, 0)
            end = min((i + 1) * spacing - left, width)
            if i == last:
                end = width
            value = line[i]
            slope = (line[i + 1] - value) * share
            part = row[begin:end]
            offset = begin + left - i * spacing
            for x in range(part.shape[0]):
                part[x] += value + slope * np.float32(x + offset)


@kernel
def _plane_through(values, ys, xs, n, centre, limit):
    """Least squares ``a + b y + c x`` through the first n values within ``limit`` of the plane ``centre`` (a, b, c).

    Returns the plane, the number of values and their root mean square distance from the old plane.
    """
    a, b, c = centre
    m = np.zeros((3, 3))
    v = np.zeros(3)
    square = 0.0
    for i in range(n):
        d = values[i] - (a + b * ys[i] + c * xs[i])
        if abs(d) > limit:
            continue
        m[0, 0] += 1.0
        m[0, 1] += ys[i]
        m[0, 2] += xs[i]
        m[1, 1] += ys[i] * ys[i]
        m[1, 2] += ys[i] * xs[i]
        m[2, 2] += xs[i] * xs[i]
        v[0] += d
        v[1] += d * ys[i]
        v[2] += d * xs[i]
        square += d * d
    count = m[0, 0]
    if count < 3:
        return centre, int(count), 0.0
    m00, m01, m02, m11, m12, m22 = m[0, 0], m[0, 1], m[0, 2], m[1, 1], m[1, 2], m[2, 2]
    c00 = m11 * m22 - m12 * m12
    c01 = m02 * m12 - m01 * m22
    c02 = m01 * m12 - m02 * m11
    det = m00 * c00 + m01 * c01 + m02 * c02
    spread = np.sqrt(square / count)
    if det <= 1e-9 * m00 * m11 * m22:
        # Cells of one row or column settle no plane.
        return (a + v[0] / count, b, c), int(count), spread
    da = (c00 * v[0] + c01 * v[1] + c02 * v[2]) / det
    db = (c01 * v[0] + (m00 * m22 - m02 * m02) * v[1] + (m01 * m02 - m00 * m12) * v[2]) / det
    dc = (c02 * v[0] + (m01 * m02 - m00 * m12) * v[1] + (m00 * m11 - m01 * m01) * v[2]) / det
    return (a + da, b + db, c + dc), int(count), spread


@kernel
def tile_levels(plane, rows, columns, fewest, level, error):
    """Level at the middle of the tiles between the edges ``rows`` (ny + 1,) and ``columns`` (nx + 1,).

    The tiles are equal but for rounding; their middles, as interpolation between them takes it, are evenly spaced.
    A plane is fitted to the finite pixels of each tile, those beyond 3 sigma left out until nothing changes: slopes are
    neither noise nor bias. ``level`` and ``error`` (its standard error), float32 (ny, nx), are NaN where less than the
    share ``fewest`` of a tile is finite; where less than half is, the level is the mean without a slope.
    """
    largest = 0
    for j in range(level.shape[0]):
        for i in range(level.shape[1]):
            largest = max(largest, (rows[j + 1] - rows[j]) * (columns[i + 1] - columns[i]))
    values = np.empty(largest)
    away = np.empty(largest)
    ys = np.empty(largest)
    xs = np.empty(largest)
    for j in range(level.shape[0]):
        for i in range(level.shape[1]):
            size = (rows[j + 1] - rows[j]) * (columns[i + 1] - columns[i])
            middle_y = (j + 0.5) * plane.shape[0] / level.shape[0] - 0.5
            middle_x = (i + 0.5) * plane.shape[1] / level.shape[1] - 0.5
            n = 0
            for y in range(rows[j], rows[j + 1]):
                for x in range(columns[i], columns[i + 1]):
                    if abs(plane[y, x]) < np.inf:
                        values[n] = plane[y, x]
                        ys[n] = y - middle_y
                        xs[n] = x - middle_x
                        n += 1
            if n < 3 or n < fewest * size:
                level[j, i] = np.nan
                error[j, i] = np.nan
                continue
            if n < 0.5 * size:
                ys[:n] = 0.0
                xs[:n] = 0.0
            middle = median_of(values, n)
            for k in range(n):
                away[k] = abs(values[k] - middle)
            scale = 1.4826 * median_of(away, n)
            found = (middle, 0.0, 0.0)
            count = 0
            for _ in range(12):
                found, kept, spread = _plane_through(values, ys, xs, n, found, 3.0 * scale + 1e-30)
                settled = kept == count and abs(spread - scale) <= 1e-3 * scale
                count = kept
                if settled or kept < 3:
                    break
                # Cut at 3 sigma, normal noise looks 1.4 % smaller.
                scale = spread / 0.9866
            level[j, i] = found[0]
            error[j, i] = scale / np.sqrt(max(count, 1))
