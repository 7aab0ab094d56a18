"""Smooth surfaces beside frames: means of cells of a plane, and a lattice of values added to a part of a plane."""

from __future__ import annotations

import numpy as np

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
    first = left // spacing
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
