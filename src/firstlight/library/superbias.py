"""A master bias with less noise than its frames: what columns, rows and large areas share is averaged."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from firstlight.kernels.surroundings import separable_median
from firstlight.model.image import Image

TILE = 16
"""Px of one parity: level of large areas."""
ROUNDS = 3
STANDS_OUT = 5.0
"""Pixels this far off the model keep their own value."""


def superbias(bias: Image) -> Image:
    """Take noise out of a master bias.

    Each pixel is the sum of a smooth surface, of its column and of its row, and of what it has of its own. The first
    three are medians over many pixels; the last is shrunk towards nothing as far as the noise explains it (Wiener's
    filter: by s^2 / (s^2 + noise^2), s the fixed pattern from pixel to pixel). A master of few frames gains most; one
    of many stays what it is. The four parities of a pixel's place are treated apart: many sensors read them by ways of
    their own.

    Flags and unit are kept. Variance: that of the shrunk part, and of the shared parts. Without a variance there is no
    way to tell pattern from noise: the master comes back as it is.
    """
    if bias.variance is None:
        return bias
    data, variance = bias.data.copy(), bias.variance.copy()
    for channel in range(data.shape[0]):
        for j in (0, 1):
            for i in (0, 1):
                place = (channel, slice(j, None, 2), slice(i, None, 2))
                data[place], variance[place] = _shrunk(bias.data[place], bias.variance[place])
    return bias.replace(data=data, variance=variance, history=(*bias.history, "superbias"))


def _shrunk(values: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = np.ascontiguousarray(values, np.float64)
    rows, columns = values.shape
    level = float(np.nanmedian(values))
    of_column = np.zeros((1, columns))
    of_row = np.zeros((rows, 1))
    surface = np.full(values.shape, level)
    for _ in range(ROUNDS):
        of_column = np.nanmedian(values - surface - of_row, axis=0, keepdims=True)
        of_row = np.nanmedian(values - surface - of_column, axis=1, keepdims=True)
        surface = _smooth(values - of_column - of_row)
    model = surface + of_column + of_row
    own = values - model
    noise = float(np.nanmedian(variance))
    scatter = (1.4826 * float(np.nanmedian(np.abs(own - np.nanmedian(own))))) ** 2
    share = max(scatter - noise, 0.0) / scatter if scatter > 0 else 1.0
    keep = np.abs(own) > STANDS_OUT * scatter**0.5
    weight = np.where(keep, 1.0, share)
    # A median of n has 1.57 times the variance of a mean.
    shared = 1.57 * noise * (1 / rows + 1 / columns + 1 / min(TILE * TILE, values.size))
    return (model + weight * own).astype(np.float32), (weight**2 * variance + (1 - weight) ** 2 * shared).astype(
        np.float32
    )


def _smooth(values: np.ndarray) -> np.ndarray:
    """Medians of tiles, smoothed, between their centres by straight lines."""
    rows, columns = values.shape
    tall, wide = max(-(-rows // TILE), 1), max(-(-columns // TILE), 1)
    edges_y, edges_x = np.linspace(0, rows, tall + 1).astype(int), np.linspace(0, columns, wide + 1).astype(int)
    tiles = np.array(
        [[np.nanmedian(values[t:b, l:r]) for l, r in pairwise(edges_x)] for t, b in pairwise(edges_y)],
        np.float32,
    )
    if min(tiles.shape) >= 3:
        calm = np.empty_like(tiles)
        separable_median(tiles, 1, calm)
        tiles = calm
    y = (edges_y[:-1] + edges_y[1:] - 1) / 2
    x = (edges_x[:-1] + edges_x[1:] - 1) / 2
    across = np.stack([np.interp(np.arange(columns), x, line) for line in tiles])
    at = np.clip(np.interp(np.arange(rows), y, np.arange(tall)), 0, tall - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, tall - 1)
    part = (at - low)[:, None]
    return (1 - part) * across[low] + part * across[high]
