"""A tile of a cube (frame, pixel): samples of 64 pixels, normalised, sorted, and added up along the frames."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.columns import LANES, sort_columns
from firstlight.kernels.jit import exact_kernel, inner_kernel

TILE = 64
"""Pixels of a tile: 60 frames of it fill 15 kB, less than the first-level cache."""

TOTAL, SUM, SQUARES, NOISE_SUM, PHOTON_SUM = range(5)
DARKEST = np.float32(0.25)
"""Variance of the darkest places over that at the level of the sky: there the readings make it."""
KEPT, LOW, HIGH = range(3)
"""Rows of what is added up for each pixel of a tile."""


@inner_kernel
def normalise_tile(cube, start, count, gain, zero, tile):
    """Samples of ``count`` pixels, times the gain of their frames and plus their zero, into ``tile``."""
    for n in range(cube.shape[0]):
        source = cube[n, start : start + count]
        line = tile[n]
        for p in range(count):
            line[p] = source[p] * gain[n] + zero[n]


@inner_kernel
def load_tile(cube, start, count, gain, zero, tile, ranked, valid):
    """Normalised samples of ``count`` pixels into ``tile`` and, with +inf for missing ones, ``ranked``."""
    normalise_tile(cube, start, count, gain, zero, tile)
    rank(tile, count, ranked, valid)


@inner_kernel
def rank(tile, count, ranked, valid):
    """A copy of a tile that can be sorted: +inf for missing samples and missing columns. True if none is missing."""
    whole = 0
    for p in range(TILE):
        valid[p] = 0
    for n in range(tile.shape[0]):
        broken = 0
        for p in range(count):
            value = tile[n, p]
            ranked[n, p] = value
            broken += not (abs(value) < np.float32(np.inf))
        for p in range(count, TILE):
            ranked[n, p] = np.float32(np.inf)
        if broken == 0:
            whole += 1
            continue
        for p in range(count):
            finite = abs(tile[n, p]) < np.float32(np.inf)
            valid[p] += finite
            if not finite:
                tile[n, p] = np.float32(np.nan)
                ranked[n, p] = np.float32(np.inf)
    for p in range(count):
        valid[p] += whole
    return whole == tile.shape[0]


@exact_kernel
def first_sample(tile, p):
    """The first sample of pixel p that is not missing, or 0: sums about it are small."""
    for n in range(tile.shape[0]):
        if tile[n, p] == tile[n, p]:
            return tile[n, p]
    return np.float32(0.0)


@inner_kernel
def sort_tile(ranked, pairs):
    """Run the compare-exchanges on the rows of ``ranked`` (n, TILE), in place."""
    for p in range(0, TILE, LANES):
        sort_columns(p, ranked, pairs, pairs.shape[0], TILE)


@exact_kernel
def spread_at(noise, photons, signal):
    """Variance where so much light stands above the level at which it is ``noise``; of less light there is less.

    To count the light above the level alone would take half of the noise about it for light: 1.4 % too much for a
    stack of 8 frames with a noise of 10 e-.
    """
    return max(noise + photons * signal, DARKEST * noise)


@exact_kernel
def settled(added, counts, p, centre, exact, level, from_scatter):
    """Mean (the centre itself if ``exact``) and its variance from what was added up for pixel p of a tile."""
    total = added[TOTAL, p]
    if counts[KEPT, p] == 0 or total <= 0:
        return np.float32(np.nan), np.float32(np.nan)
    offset = added[SUM, p] / total
    value = centre if exact else centre + offset
    if from_scatter:
        n = counts[KEPT, p]
        scatter = max(added[SQUARES, p] / total - offset * offset, np.float32(0.0))
        return value, np.float32(scatter / (n - 1)) if n > 1 else np.float32(np.nan)
    return value, spread_at(added[NOISE_SUM, p], added[PHOTON_SUM, p], value - level) / (total * total)
