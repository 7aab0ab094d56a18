"""How much each of several exposures shows, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from firstlight.kernels.entropy import corner_entropy
from firstlight.ops.parts import each_part
from firstlight.ops.stretch.bends import bend_of
from firstlight.ops.stretch.srgb import Srgb, bent

LUMA = (0.2126, 0.7152, 0.0722)
FINEST = 8
"""px: the surroundings are looked at in squares so large that their radius is this: entropy is smooth, and noise of
single pixels tells nothing."""
WIDTH = 1 / 3
"""Variance, squared distances of knots, of a cubic B-spline: as much it smoothes by itself."""
SILENT = 1e-4
"""Sum of entropies, bits, below which no exposure shows anything."""
GREY = 188
"""Level of half the light of white."""
NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True)
class Mesh:
    """How finely entropy is looked at."""

    side: int
    """px of a square, of which the mean brightness is looked at."""
    block: int
    """Squares between two places where the entropy is measured."""
    half: int
    """Blocks of the surroundings to each side of such a place."""
    smoothed: float
    """Sigma, in blocks, by which the entropies are averaged before they are joined by a spline."""

    @classmethod
    def of(cls, shape: tuple[int, int], radius: int, smooth: int) -> Mesh:
        """For planes (y, x): as coarse as it may be, the weights being smoothed."""
        side = max(min(radius // FINEST, *shape), 1)
        squares = max(radius // side, 1)
        block = max(min(smooth // side, squares // 2, shape[0] // side, shape[1] // side), 1)
        rest = (smooth / (side * block)) ** 2 - WIDTH
        return cls(side, block, max(round(squares / block), 1), max(rest, 0.0) ** 0.5)

    @property
    def cell(self) -> int:
        """px between two places where the entropy is measured."""
        return self.side * self.block


def shares_of_brightness(channels: int) -> np.ndarray:
    """What each channel has of the brightness: float32 (channels,)."""
    return np.array(LUMA if channels == 3 else [1 / channels] * channels, np.float32)


def levels_of(light: np.ndarray) -> np.ndarray:
    """Light of 0..1, which is lost, coded for a screen in 8 bits."""
    flat = light.reshape(-1)
    bend_of(bent, Srgb()).on(flat, np.float32(1), NOTHING, flat, NOTHING)
    flat *= np.float32(255)
    flat += np.float32(0.5)
    return light.astype(np.uint8)


def weights_by_entropy(levels: Sequence[np.ndarray], mesh: Mesh) -> np.ndarray:
    """Knots of the weights of exposures, shortest first, whose squares have these levels (y, x).

    float32 (exposure, rows, columns), in the order in which `firstlight.kernels.exposures` takes them; those of all
    exposures add up to 1. Where no exposure shows anything, black in the longest takes the longest, all else the
    shortest.
    """
    found = np.stack(each_part(lambda plane: entropy(plane, mesh), levels))
    total = found.sum(axis=0)
    silent = total < SILENT
    found /= np.where(silent, np.float32(1), total)
    if silent.any():
        dark = _at_corners(levels[-1], mesh.block, silent.shape) < GREY
        found[:, silent] = 0
        found[-1, silent & dark] = 1
        found[0, silent & ~dark] = 1
    return np.pad(found, ((0, 0), (1, 3), (1, 3)), mode="edge")


def entropy(levels: np.ndarray, mesh: Mesh) -> np.ndarray:
    """Entropy, bits, about the corners of the blocks of a plane, smoothed: float32 (blocks + 1 along each axis)."""
    found = np.empty((levels.shape[0] // mesh.block + 1, levels.shape[1] // mesh.block + 1), np.float32)
    corner_entropy(levels, mesh.block, mesh.half, _table((2 * mesh.half * mesh.block) ** 2), found)
    if not mesh.smoothed:
        return found
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(found, mesh.smoothed, mode="nearest")


def _at_corners(levels: np.ndarray, block: int, shape: tuple[int, int]) -> np.ndarray:
    """Mean level of the blocks about each corner."""
    down, along = shape[0] - 1, shape[1] - 1
    blocks = levels[: down * block, : along * block].reshape(down, block, along, block).mean(axis=(1, 3))
    wide = np.pad(blocks, 1, mode="edge")
    return (wide[:-1, :-1] + wide[1:, :-1] + wide[:-1, 1:] + wide[1:, 1:]) / 4


@cache
def _table(most: int) -> np.ndarray:
    n = np.arange(most + 1, dtype=np.float64)
    return (n * np.log2(np.maximum(n, 1))).astype(np.float32)
