"""Stars of the sky in cells: bands of declination, each divided into columns of about the same width."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel


def bands(size: float, lowest: float, highest: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Cells of ``size`` radians between two declinations: lower edge, columns of each band, first cell of each band.

    The last entry of the first cells is the number of cells. Columns go once round the sky and are ``size`` wide or
    wider on the whole of their band.

    >>> lower, columns, first = bands(np.pi / 6, -np.pi / 2, np.pi / 2)
    >>> columns.tolist(), int(first[-1])
    ([6, 10, 12, 12, 10, 6], 56)
    """
    n = max(int(np.ceil((highest - lowest) / size - 1e-9)), 1)
    edges = lowest + size * np.arange(n + 1)
    # The wider edge of a band: cells must not become narrower than their size there.
    inner = np.where(edges[:-1] * edges[1:] < 0, 0.0, np.minimum(np.abs(edges[:-1]), np.abs(edges[1:])))
    columns = np.maximum(np.floor(2 * np.pi * np.cos(np.minimum(inner, np.pi / 2)) / size + 1e-9), 1).astype(np.int64)
    return lowest, columns, np.concatenate([[0], np.cumsum(columns)])


@inner_kernel
def band_of(z, lowest, size, n):
    """Band of a unit vector's z."""
    band = int(np.floor((np.arcsin(min(max(z, -1.0), 1.0)) - lowest) / size))
    return min(max(band, 0), n - 1)


@inner_kernel
def column_of(x, y, columns):
    """Column of a direction in a band of so many."""
    turn = np.arctan2(y, x) / (2.0 * np.pi)
    column = int(np.floor((turn - np.floor(turn)) * columns))
    return min(column, columns - 1)


@kernel
def cells_of(vectors, lowest, size, columns, first, out):
    """Cell of each unit vector."""
    for i in range(len(vectors)):
        band = band_of(vectors[i, 2], lowest, size, len(columns))
        out[i] = first[band] + column_of(vectors[i, 0], vectors[i, 1], columns[band])


@inner_kernel
def nearest(vector, reach, vectors, start, lowest, size, columns, first):
    """Star nearest to a direction, within ``reach`` radians (a quarter of a cell): index or -1, distance squared,
    and the stars per steradian of the cells around it."""
    best, closest, seen, looked = -1, reach * reach, 0, 0
    n = len(columns)
    z = min(max(vector[2], -1.0), 1.0)
    height = (np.arcsin(z) - lowest) / size
    here = min(max(int(np.floor(height)), 0), n - 1)
    turn = np.arctan2(vector[1], vector[0]) / (2.0 * np.pi)
    turn -= np.floor(turn)
    around = 2.0 * np.pi * np.sqrt(max(1.0 - z * z, 0.0))
    for band in range(max(here - 1, 0), min(here + 2, n)):
        across = columns[band]
        place = turn * across
        middle = min(int(place), across - 1)
        width = around / across
        # Close to a pole a cell is a narrow wedge: all of them are near.
        wide = across if width < 2.0 * reach else min(across, 3)
        far = (band < here and (height - here) * size > reach) or (band > here and (here + 1 - height) * size > reach)
        for k in range(wide):
            cell = first[band] + (middle - wide // 2 + k) % across
            seen += start[cell + 1] - start[cell]
            looked += 1
            # Most of the cells are known to be too far: the reach is small against their size.
            if far or (wide == 3 and k == 0 and (place - middle) * width > 1.1 * reach):
                continue
            if wide == 3 and k == 2 and (middle + 1 - place) * width > 1.1 * reach:
                continue
            for i in range(start[cell], start[cell + 1]):
                dx = vectors[i, 0] - vector[0]
                dy = vectors[i, 1] - vector[1]
                dz = vectors[i, 2] - vector[2]
                squared = dx * dx + dy * dy + dz * dz
                if squared < closest:
                    closest, best = squared, i
    return best, closest, seen / max(looked * size * size, 1e-30)
