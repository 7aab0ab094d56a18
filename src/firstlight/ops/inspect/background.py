"""Background and noise of a plane, on a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.kernels.sky import mesh_statistics

FEWEST = 0.25
"""A box with less than this share of its pixels left takes its values from its neighbours."""


@dataclass(frozen=True, eq=False)
class Background:
    """Level and noise of the sky in the boxes of a mesh."""

    mesh: np.ndarray
    """Level, float32 (ny, nx), filtered by a 3 x 3 median."""
    mesh_noise: np.ndarray
    """Standard deviation of a pixel in each box, likewise."""
    shape: tuple[int, int]
    """(height, width) of the plane."""

    @property
    def level(self) -> float:
        """Median of the mesh."""
        return float(np.median(self.mesh))

    @property
    def noise(self) -> float:
        """Standard deviation of a sky pixel: median of the mesh."""
        return float(np.median(self.mesh_noise))

    @property
    def gradient(self) -> float:
        """Range of the mesh, from 5 to 95 %."""
        low, high = np.percentile(self.mesh, [5, 95])
        return float(high - low)

    def nodes(self, axis: int) -> np.ndarray:
        """Positions of the centres of the boxes along y (0) or x (1)."""
        edges = box_edges(self.shape[axis], self.mesh.shape[axis])
        return 0.5 * (edges[1:] + edges[:-1] - 1)

    def at(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        """The background of every pixel, float32 (height, width).

        Cubic convolution (Keys 1981) between the boxes; beyond the outer centres the slope goes on. ``shape`` other
        than that of the plane stretches the mesh over it.
        """
        return self._map(self.mesh, shape or self.shape)

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """The background of the pixels of a window: those of `at`, to the last bit or two."""
        down = _cubic_weights(self.shape[0], self.mesh.shape[0])[rows]
        across = _cubic_weights(self.shape[1], self.mesh.shape[1])[columns]
        return (down @ self.mesh.astype(np.float32)) @ across.T

    def noise_at(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        """The noise of every pixel, float32 (height, width); never below the smallest of the mesh."""
        return np.maximum(self._map(self.mesh_noise, shape or self.shape), self.mesh_noise.min())

    def sample(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Level and noise at positions (x, y), linear between the boxes; float64."""
        column, u = _cell(self.nodes(1), x)
        row, v = _cell(self.nodes(0), y)
        values = []
        for mesh in (self.mesh, self.mesh_noise):
            padded = np.pad(mesh.astype(np.float64), 1, mode="edge")
            top = padded[row, column] * (1 - u) + padded[row, column + 1] * u
            bottom = padded[row + 1, column] * (1 - u) + padded[row + 1, column + 1] * u
            values.append(top * (1 - v) + bottom * v)
        return values[0], values[1]

    def _map(self, mesh: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        down = _cubic_weights(shape[0], mesh.shape[0])
        across = _cubic_weights(shape[1], mesh.shape[1])
        return (down @ mesh.astype(np.float32)) @ across.T


def measure_background(plane: np.ndarray, excluded: np.ndarray | None = None, box: int = 64) -> Background:
    """Level and noise of the sky of a plane.

    Each box is cut at 3 sigma until nothing changes; its level lies as far below the mean within 2 sigma as that lies
    below the mean within 3 sigma: an estimate of the mode (as 2.5 median - 1.5 mean in Bertin & Arnouts 1996) that
    coarse integers cannot make jump. A 3 x 3 median over the mesh takes out boxes full of star.

    Parameters
    ----------
    plane : float32 (y, x); not changed. Pixels that are not finite are left out.
    excluded : bool (y, x), True where a pixel is left out.
    box : side of a box, px.

    Raises
    ------
    FrameError
        Nothing is left to measure.

    >>> plane = np.random.default_rng(1).normal(100.0, 5.0, (256, 256)).astype(np.float32)
    >>> sky = measure_background(plane)
    >>> round(sky.level), round(sky.noise)
    (100, 5)
    """
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    height, width = plane.shape
    counts = [max(1, round(n / box)) for n in (height, width)]
    rows, columns = (box_edges(n, count) for n, count in zip((height, width), counts, strict=True))
    level = np.empty(counts, np.float32)
    noise = np.empty(counts, np.float32)
    mask = np.empty((0, 0), bool) if excluded is None else np.ascontiguousarray(excluded, dtype=bool)
    mesh_statistics(plane, mask, rows, columns, FEWEST, level, noise)
    return background_of_mesh(level, noise, (height, width))


def background_of_mesh(level: np.ndarray, noise: np.ndarray, shape: tuple[int, int]) -> Background:
    """From level and noise of each box, float32 (ny, nx), NaN where too few pixels were left.

    Raises
    ------
    FrameError
        There is no box with a level.
    """
    missing = np.isnan(level)
    if missing.all():
        raise FrameError(f"background: of {shape[0]} x {shape[1]} pixels too few hold numbers; nothing can be measured")
    if missing.any():
        level, noise = (_filled(each, missing) for each in (level, noise))
    return Background(_median_3x3(level), _median_3x3(noise), shape)


def box_edges(length: int, count: int) -> np.ndarray:
    """Edges of ``count`` boxes of nearly equal size.

    >>> box_edges(10, 3).tolist()
    [0, 3, 7, 10]
    """
    return np.rint(np.linspace(0, length, count + 1)).astype(np.int64)


def _filled(mesh: np.ndarray, missing: np.ndarray) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return mesh[tuple(nearest)]


def _median_3x3(mesh: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        # Odd reflection goes on with the slope, so that the filter does not bend a gradient at the edge.
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 1)
        odd = {"mode": "reflect", "reflect_type": "odd"} if mesh.shape[axis] > 1 else {"mode": "edge"}
        mesh = np.pad(mesh, pad, **odd)  # type: ignore[arg-type]
    windows = np.lib.stride_tricks.sliding_window_view(mesh, (3, 3))
    return np.median(windows.reshape(*windows.shape[:2], 9), axis=-1).astype(np.float32)


def _cell(nodes: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index into the nodes padded by one on each side, and the share of the way to the next; constant outside."""
    index = np.searchsorted(nodes, positions)
    inner = np.clip(index, 1, max(len(nodes) - 1, 1)) if len(nodes) > 1 else np.zeros_like(index)
    if len(nodes) == 1:
        return inner, np.zeros(len(positions))
    share = (positions - nodes[inner - 1]) / (nodes[inner] - nodes[inner - 1])
    return inner, np.clip(share, 0.0, 1.0)


def _cubic_weights(length: int, count: int) -> np.ndarray:
    """float32 (length, count): weight of each node at each pixel."""
    if count == 1:
        return np.ones((length, 1), np.float32)
    position = (np.arange(length) + 0.5) * count / length - 0.5
    base = np.clip(np.floor(position).astype(int), 0, count - 2)
    t = position - base
    inside = np.clip(t, 0.0, 1.0)
    weights = np.zeros((length, count + 2))
    taps = (
        0.5 * (-inside + 2 * inside**2 - inside**3),
        0.5 * (2 - 5 * inside**2 + 3 * inside**3),
        0.5 * (inside + 4 * inside**2 - 3 * inside**3),
        0.5 * (inside**3 - inside**2),
    )
    row = np.arange(length)
    for k, tap in enumerate(taps):
        weights[row, base + k] += tap
    # The nodes beyond the ends continue the slope: f(-1) = 2 f(0) - f(1).
    full = weights[:, 1:-1].copy()
    full[:, 0] += 2 * weights[:, 0]
    full[:, 1] -= weights[:, 0]
    full[:, -1] += 2 * weights[:, -1]
    full[:, -2] -= weights[:, -1]
    beyond = t - inside
    full[row, base] -= beyond
    full[row, base + 1] += beyond
    return full.astype(np.float32)
