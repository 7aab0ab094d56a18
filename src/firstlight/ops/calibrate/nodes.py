"""Smooth surfaces given by their values at nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NODES = 96
"""Nodes of a surface along the longer side, where its own scale asks for no more."""
_ROWS = 16
"""Rows treated at once where only numbers are wanted: they stay in the cache."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A smooth surface over a plane: its values at evenly spread nodes, a cubic in between."""

    nodes: np.ndarray
    """float64 (n, m); node (j, i) lies at pixel ((j + 0.5) height / n - 0.5, (i + 0.5) width / m - 0.5)."""
    shape: tuple[int, int]

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Its values on some rows: float32 (len(rows), width). A row or column beyond the plane goes on straight."""
        out = np.empty((len(rows), self.shape[1]), np.float32)
        return self.on(rows, out, out, 0)

    def on(self, rows: np.ndarray, plane: np.ndarray, out: np.ndarray, power: int, factor: float = 1.0) -> np.ndarray:
        """Rows of a plane treated with the surface: see `firstlight.kernels.gradient.surface_rows`.

        ``plane`` and ``out`` (row, x) hold these rows alone.
        """
        from firstlight.kernels.gradient import surface_rows

        height, width = self.shape
        nodes = self.nodes
        for axis in (0, 1):
            nodes = _continued(nodes, axis)
        m = self.nodes.shape[1]
        begins = np.clip(np.ceil((np.arange(-1, m + 1) + 0.5) * width / m - 0.5), 0, out.shape[1]).astype(np.int64)
        begins[0], begins[-1] = 0, out.shape[1]
        rows = np.asarray(rows, np.int64)
        surface_rows(np.ascontiguousarray(nodes), begins, height, width, rows, power, np.float32(factor), plane, out)
        return out

    def lowest(self) -> float:
        """The smallest of its values at pixels."""
        tops = range(0, self.shape[0], _ROWS)
        return min(float(self.at(np.arange(t, min(t + _ROWS, self.shape[0]))).min()) for t in tops)

    def __add__(self, level: float) -> Surface:
        return Surface(self.nodes + level, self.shape)

    def __mul__(self, factor: float) -> Surface:
        return Surface(self.nodes * factor, self.shape)


def _continued(nodes: np.ndarray, axis: int) -> np.ndarray:
    """Two nodes more on each side of an axis, in a straight line."""
    nodes = np.moveaxis(nodes, axis, 0)
    first = nodes[0] - nodes[1] if len(nodes) > 1 else 0 * nodes[0]
    last = nodes[-1] - nodes[-2] if len(nodes) > 1 else 0 * nodes[0]
    more = np.stack([nodes[0] + 2 * first, nodes[0] + first, *nodes, nodes[-1] + last, nodes[-1] + 2 * last])
    return np.moveaxis(more, 0, axis)


def node_places(shape: tuple[int, int], spacing: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (pixels) of the nodes of a surface: no farther apart than ``spacing``."""
    spacing = max(min(spacing, max(shape) / NODES), 1.0)
    counts = [max(round(length / spacing), 1) for length in shape]
    ys, xs = ((np.arange(n) + 0.5) * length / n - 0.5 for n, length in zip(counts, shape))
    return ys, xs
