"""Level and noise of the sky of an image, its channels measured at the same places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.ops.calibrate.sights import ALL, Grid
from firstlight.ops.calibrate.surface import Cells
from firstlight.ops.parts import each_part
from firstlight.ops.stretch.levels import set_bits
from firstlight.ops.stretch.sample import sample

NO_SKY = Flag.NO_DATA | Flag.NOT_FINITE | Flag.SATURATED
ENOUGH = 1_000_000
"""Pixels that settle a level to a thousandth of the noise."""
DARKEST = 0.25
"""Share of the squares that the search for the sky begins with."""
FEWEST = 6
ACROSS = 8
"""Squares along the shorter side of a small image, that some of them may lie beside its objects."""
SMALLEST = 16
"""px: side of a square below which its median tells little."""


def backgrounds(
    image: Image, channels: Sequence[int] = (0, 1, 2), scale: int = 128, sigma: float = 4.0, mask: Image | None = None
) -> list[tuple[float, float]]:
    """Background of each channel, and the noise of its pixels.

    Of squares of ``scale`` px (less in small images) the darkest quarter, all channels together, is taken for sky at
    first; then every square whose median lies in no channel above those of the sky by more than ``sigma`` times their
    scatter (taken from below, where there are no objects), until that rests. So the sky is found between nebulae that
    fill most of an image, and at the same places in all channels: what is grey there is grey. Stars lift a median a
    little: a finer look at the pixels of these squares follows. ``mask`` (above 0: objects) is not looked at.
    """
    shape = image.shape[1:]
    size = min(scale, max(min(shape) // ACROSS, SMALLEST), *shape)
    grid = Grid.even(shape, size)
    masks = None if mask is None else np.broadcast_to(mask.data, image.shape)
    clear = masks is None and not set_bits(image) & NO_SKY

    def medians(channel: int) -> np.ndarray:
        good = ALL if clear else _sky(image.flags[channel], None if masks is None else masks[channel])
        return Cells.of(image.data[channel], good, size).value

    cells = np.stack(each_part(medians, channels))
    inside = sample(_pixels_of(_sky_cells(cells, sigma), grid, shape))

    def level(channel: int) -> tuple[float, float]:
        good = _sky(sample(image.flags[channel]), None if masks is None else sample(masks[channel]))
        values = sample(image.data[channel])
        pixels = values[good & inside]
        pixels = pixels if pixels.size else values[good]
        if not pixels.size:
            return 0.0, 0.0
        pixels = _without_bright(np.sort(pixels[:: max(pixels.size // ENOUGH, 1)]).astype(np.float64), 3.0)
        return float(np.median(pixels)), _spread(pixels)

    return each_part(level, channels)


def _sky(flags: np.ndarray, objects: np.ndarray | None) -> np.ndarray:
    """Where pixels may be sky."""
    free = ~has(flags, NO_SKY)
    return free if objects is None else free & ~(objects > 0)


def _sky_cells(cells: np.ndarray, sigma: float) -> np.ndarray:
    """Which squares show the sky (rows, columns), of their medians (channel, rows, columns)."""
    known = np.isfinite(cells).all(axis=0)
    if not known.any():
        return ~known
    total = np.where(known, cells.sum(axis=0), np.inf)
    number = int(known.sum())
    chosen = total <= np.sort(total, axis=None)[max(round(DARKEST * number), min(FEWEST, number)) - 1]
    for _ in range(20):
        limits = []
        for channel in cells:
            values = np.sort(channel[chosen])
            limits.append(values[len(values) // 2] + sigma * _spread(values))
        now = known & (cells <= np.array(limits)[:, None, None]).all(axis=0)
        if not now.any() or (now == chosen).all():
            break
        chosen = now
    return chosen


def _pixels_of(cells: np.ndarray, grid: Grid, shape: tuple[int, int]) -> np.ndarray:
    """The squares as a plane of pixels (y, x); rows and columns between two squares belong to the one before."""
    rows = np.clip(np.searchsorted(grid.tops, np.arange(shape[0]), side="right") - 1, 0, None)
    columns = np.clip(np.searchsorted(grid.lefts, np.arange(shape[1]), side="right") - 1, 0, None)
    return cells[rows][:, columns]


def _without_bright(values: np.ndarray, sigma: float) -> np.ndarray:
    """Sorted values without those far above the median, repeatedly."""
    for _ in range(20):
        middle = values[len(values) // 2]
        last = np.searchsorted(values, middle + sigma * _spread(values), side="right")
        if last == len(values) or last == 0:
            break
        values = values[:last]
    return values


def _spread(values: np.ndarray) -> float:
    """Standard deviation of sorted values, from the lower half."""
    return 1.4826 * float(values[len(values) // 2] - values[len(values) // 4])
