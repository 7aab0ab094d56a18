"""Smooth displacements of any shape: cubic B-splines on a lattice, for what moves from place to place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from firstlight.model.distortion import Warp

SUPPORT = 4
"""Nodes of an axis that a place depends on."""


@dataclass(frozen=True, eq=False)
class Lattice(Warp):
    """Positions moved by a cubic B-spline of their place, px; beyond the lattice, as at its edge.

    >>> flat = Lattice(64.0, np.full((5, 6, 2), [0.5, -1.0]))
    >>> flat(np.array([[10.0, 20.0], [900.0, 20.0]])).round(9).tolist()
    [[10.5, 19.0], [900.5, 19.0]]
    >>> flat.undo(flat(np.array([[10.0, 20.0]]))).round(9).tolist()
    [[10.0, 20.0]]
    """

    spacing: float
    """px between nodes; the lattice begins at position (0, 0), with one row and column of nodes before it."""
    coefficients: np.ndarray
    """Displacements (rows, columns, 2) in x and y of the nodes."""

    def shift(self, positions: np.ndarray) -> np.ndarray:
        """Displacements (n, 2) at positions (n, 2)."""
        rows, columns, _ = self.coefficients.shape
        nodes = self.coefficients.reshape(-1, 2)
        total = np.zeros(positions.shape)
        for index, weight in node_weights(positions, self.spacing, (rows, columns)):
            total += weight[:, None] * nodes[index]
        return total


def lattice_size(shape: tuple[int, int], spacing: float) -> tuple[int, int]:
    """Rows and columns of nodes for a plane (y, x).

    >>> lattice_size((100, 200), 50.0)
    (5, 7)
    """
    rows, columns = (max(int(np.ceil((length - 1) / spacing)), 1) + SUPPORT - 1 for length in shape)
    return rows, columns


def node_weights(
    positions: np.ndarray, spacing: float, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each of the 16 nodes that positions (n, 2) depend on: its flat index (n,), and its weight (n,)."""
    axes = []
    for axis, n in ((1, size[0]), (0, size[1])):
        place = np.clip(positions[:, axis] / spacing, 0.0, n - SUPPORT + 1.0)
        first = np.minimum(place.astype(np.int64), n - SUPPORT)
        t = place - first
        weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
        axes.append([(first + k, weight / 6) for k, weight in enumerate(weights)])
    for row, down in axes[0]:
        for column, across in axes[1]:
            yield row * size[1] + column, down * across
