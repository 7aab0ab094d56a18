"""Rows and columns that are brighter or darker than their neighbours, from one frame to the next."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.model.flags import has
from firstlight.model.image import Image, State
from firstlight.ops.calibrate.masters import WORTHLESS
from firstlight.ops.calibrate.planes import filled
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px, Sigma

FEWEST = 16
"""A line with fewer pixels of sky than this keeps its level."""

Lines = tuple[np.ndarray, np.ndarray]
"""Offsets of the rows and of the columns, each float32 (channel, n)."""


class Banding(Params):
    direction: Literal["rows", "columns", "both"] = "rows"
    """Which lines are levelled; ``both``: rows first."""
    amount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of each line's offset that is taken off."""
    protect: Annotated[Sigma, Field(ge=1, le=100)] = 2.5
    """Pixels further from the background than this (stars, nebulae) have no say in the level of their line."""
    scale: Annotated[Px, Field(ge=8, le=1024)] = 64
    """What changes over more lines than this is sky, and stays."""


@operation("nr:banding", reach=Reach.FRAME, demands=State.LINEAR)
def level_banding(image: Image, p: Banding) -> Image:
    """Take banding off: each line is levelled with its neighbours, by the median of its sky pixels.

    The colours of a CFA mosaic share the offset of a line, each about its own background.

    Flags, plate and unit: kept. Variance: kept; the median of a line of n pixels shares its noise with each of them,
    and adds less than 1 / n of it.

    >>> sky = np.random.default_rng(1).normal(50, 1, (256, 300)) + np.random.default_rng(2).normal(0, 2, (256, 1))
    >>> level = level_banding(Image(sky), Banding())
    >>> [round(float(np.median(each, axis=1).std()), 1) for each in (sky, level.data[0])]
    [2.0, 0.3]
    """
    rows, columns = banding_of(image.data, has(image.flags, WORTHLESS), image.meta.cfa, p)
    return image.replace(data=image.data - rows[:, :, None] - columns[:, None, :])


def banding_of(planes: np.ndarray, bad: np.ndarray, cfa: str | None, p: Banding) -> Lines:
    """Offsets of the lines of planes (channel, y, x); zeros where there is nothing to level."""
    channels, height, width = planes.shape
    rows = np.zeros((channels, height), np.float32)
    columns = np.zeros((channels, width), np.float32)
    for channel in range(channels):
        detail, sigma = _detail(planes[channel], bad[channel], cfa)
        if p.direction in ("rows", "both"):
            rows[channel] = _offsets(detail, sigma, p)
            detail = detail - rows[channel][:, None]
        if p.direction in ("columns", "both"):
            columns[channel] = _offsets(detail.T, sigma, p)
    return rows, columns


def _detail(plane: np.ndarray, bad: np.ndarray, cfa: str | None) -> tuple[np.ndarray, float]:
    """The plane about the background of each colour, NaN where bad; and its noise."""
    detail = np.full(plane.shape, np.nan, np.float32)
    step = 2 if cfa else 1
    for j in range(step):
        for i in range(step):
            part, mask = plane[j::step, i::step], bad[j::step, i::step]
            if part.size and not mask.all():
                data = filled(part, ~mask)
                try:
                    sky = measure_background(data, mask, box=int(np.clip(min(data.shape) // 4, 16, 64)))
                except FrameError:
                    continue
                detail[j::step, i::step] = np.where(mask, np.nan, data - sky.at())
    known = detail[np.isfinite(detail)]
    sigma = 1.4826 * float(np.median(np.abs(known - np.median(known)))) if known.size else 0.0
    return detail, sigma


def _offsets(detail: np.ndarray, sigma: float, p: Banding) -> np.ndarray:
    """Offset of each row from the smooth course of its neighbours."""
    from scipy.ndimage import median_filter

    if sigma == 0 or detail.shape[1] < FEWEST or len(detail) < 3:
        return np.zeros(len(detail), np.float32)
    level = np.zeros(len(detail))
    # Twice: a row far off would lose one of its sides to the protection.
    for _ in range(2):
        sky = np.where(np.abs(detail - level[:, None]) <= p.protect * sigma, detail, np.nan)
        enough = np.isfinite(sky).sum(axis=1) >= FEWEST
        found = np.zeros(len(detail))
        found[enough] = np.nanmedian(sky[enough], axis=1)
        level = np.where(enough, found, 0.0)
    smooth = median_filter(level, size=min(p.scale + 1, 2 * (len(level) // 2) + 1), mode="reflect")
    return (p.amount * np.where(enough, level - smooth, 0.0)).astype(np.float32)
