"""Bands along rows and columns, told by their frequencies."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.words import spelled
from firstlight.units import Px, Sigma

FEWEST = 8
"""A line with fewer pixels of sky than this has no say."""


class Debanding(Params):
    direction: Annotated[Literal["both", "rows", "columns"], spelled({"h": "rows", "v": "columns"})] = "both"
    """Lines that are brighter or darker than their neighbours: rows, columns or both."""
    hipass: Annotated[float, Field(ge=1, le=10_000)] = 80.0
    """Bands that come round at least so many times over the frame (over a tile, if there are tiles) go; broader ones
    are sky."""
    mask: Annotated[Sigma, Field(ge=0.1, le=100)] = 1.0
    """Pixels brighter than the mean by so many times the scatter have no say."""
    tile: Annotated[Px, Field(ge=0, le=8192)] = 0
    """Side of tiles, half overlapping, for bands that change along a line; 0: whole lines."""
    amount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the bands that is taken off."""


@operation("nr:debanding", reach=Reach.FRAME)
def remove_bands(image: Image, p: Debanding) -> Image:
    """Remove bands by their frequencies: of the two-dimensional spectrum only the axes, above a limit.

    On those axes lies what is the same along whole lines. Bright pixels are first replaced by the mean of their line.
    With tiles, each is filtered on its own and the results are joined by Hann windows. ``nr:banding`` levels lines of
    any shape by their medians.

    Flags, plate and unit: kept. Variance: kept, for the mean of a line of n pixels adds less than 1 / n of it. Pixels
    without a number take no part.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> bands = np.tile(np.where(np.arange(256) % 2, 3.0, -3.0)[:, None], (1, 128))
    >>> sky = bands + np.random.default_rng(1).normal(100, 1, (256, 128))
    >>> round(float(remove_bands(Image(sky), Debanding()).data.std()), 1)
    1.0
    """
    refuse_mosaic("nr:debanding", image)
    data = np.empty_like(image.data)
    for channel, plane in enumerate(image.data):
        good = ~has(image.flags[channel], EXCLUDED)
        bands = bands_of(plane, good, p)
        data[channel] = np.where(good, plane - np.float32(p.amount) * bands, plane)
    return image.replace(data=data)


def bands_of(plane: np.ndarray, good: np.ndarray, p: Debanding) -> np.ndarray:
    """The bands of a plane, float32 (y, x)."""
    if not good.any():
        return np.zeros_like(plane)
    # Bands stronger than the noise must not be taken for light: what is bright is judged without them.
    level = plane - _lines(plane, good, p)
    values = level[good]
    dim = good & (level <= values.mean() + p.mask * values.std()) if values.std() > 0 else good
    if not p.tile or p.tile >= max(plane.shape):
        return _lines(plane, dim, p).astype(np.float32)
    total, weight = np.zeros(plane.shape), np.full(plane.shape, 1e-12)
    for rows in _tiles(plane.shape[0], p.tile):
        for columns in _tiles(plane.shape[1], p.tile):
            window = np.outer(_hann(rows.stop - rows.start), _hann(columns.stop - columns.start))
            total[rows, columns] += window * _lines(plane[rows, columns], dim[rows, columns], p)
            weight[rows, columns] += window
    return (total / weight).astype(np.float32)


def _lines(plane: np.ndarray, dim: np.ndarray, p: Debanding) -> np.ndarray:
    bands = np.zeros(plane.shape)
    if p.direction in ("both", "rows"):
        bands += _fast(_means(plane, dim, 1), p.hipass)[:, None]
    if p.direction in ("both", "columns"):
        bands += _fast(_means(plane, dim, 0), p.hipass)[None, :]
    return bands


def _means(plane: np.ndarray, dim: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the dim pixels of each line; lines with few take the mean of their neighbours."""
    number = dim.sum(axis=axis)
    sums = np.where(dim, plane, 0).sum(axis=axis, dtype=np.float64)
    known = number >= min(FEWEST, plane.shape[axis])
    if not known.any():
        return np.zeros(len(number))
    at = np.arange(len(number))
    return np.interp(at, at[known], sums[known] / number[known])


def _fast(profile: np.ndarray, hipass: float) -> np.ndarray:
    """What of a line comes round at least ``hipass`` times: the axis of the two-dimensional spectrum."""
    spectrum = np.fft.rfft(profile)
    spectrum[: min(int(np.ceil(hipass)), len(spectrum))] = 0
    return np.fft.irfft(spectrum, len(profile))


def _tiles(length: int, side: int) -> list[slice]:
    if length <= side:
        return [slice(0, length)]
    count = int(np.ceil(2 * (length - side) / side)) + 1
    return [slice(start, start + side) for start in np.linspace(0, length - side, count).astype(int)]


def _hann(length: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
