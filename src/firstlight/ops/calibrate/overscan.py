"""Overscan: the level of columns or rows that no light reaches."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, State
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import taken
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

SECTION = re.compile(r"\s*\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]\s*$")


class Overscan(Params):
    side: Literal["header", "left", "right", "top", "bottom"] = "header"
    """Where the overscan lies; ``header``: BIASSEC says it (top: the first rows of the array)."""
    width: Annotated[Px, Field(ge=0)] = 0
    """Columns (or rows) of it; needed where the side is given."""
    skip: Annotated[Px, Field(ge=0)] = 1
    """Of those, so many next to the picture are left out: charge trails into them."""
    order: Annotated[int, Field(ge=-1, le=9)] = 1
    """Polynomial along the overscan; -1: each row (column) its own level, which follows every jump and adds noise."""
    trim: bool = True
    """Cut the overscan off (to TRIMSEC where the header gives one)."""


@operation("cal:overscan", reach=Reach.FRAME, demands=State.LINEAR)
def overscan(image: Image, p: Overscan) -> Image:
    """Subtract the level of the overscan, and trim it off.

    The level of each row (or column) is the mean of its overscan pixels within 3 sigma; a polynomial is fitted to these
    along the overscan. Bias frames, darks, flats and lights need it alike, before anything else.

    Flags: kept. Variance: that of the level is added, from its own scatter; none stays none. Plate: moved by the trim.
    Unit: kept. The saturation level in the header drops by the mean level; BIASSEC, TRIMSEC and DATASEC go.

    Raises
    ------
    InputError
        The header gives no BIASSEC, or the region does not lie in the image.

    >>> from firstlight.ops.calibrate.overscan import Overscan, overscan
    >>> overscan(Image([[9.0, 5.0, 5.0]] * 4), Overscan(side="right", width=2, skip=0)).data[0, :, 0].tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    region, upright = _region(image, p)
    level, noise = _levels(image, _inside(region, upright, p.skip), upright, p.order)
    along = level[:, :, None] if upright else level[:, None, :]
    variance = image.variance
    if variance is not None:
        variance = variance + (noise[:, :, None] if upright else noise[:, None, :]).astype(np.float32)
    meta = image.meta
    if meta.saturation is not None:
        meta = meta.replace(saturation=meta.saturation - float(level.mean()))
    meta = meta.replace(cards=tuple(c for c in meta.cards if c[0] not in ("BIASSEC", "TRIMSEC", "DATASEC", "CCDSEC")))
    result = image.replace(data=image.data - along.astype(np.float32), variance=variance, meta=meta)
    if not p.trim:
        return result
    rows, columns = _kept(image, region, p)
    return taken(result, lambda planes: planes[:, rows, columns], PixelMap(x0=-columns.start, y0=-rows.start))


def _region(image: Image, p: Overscan) -> tuple[tuple[slice, slice], bool]:
    """Rows and columns of the overscan, and whether its levels go along y."""
    _, height, width = image.shape
    if p.side == "header":
        found = _section(image, "BIASSEC")
        if found is None:
            raise InputError("cal:overscan: the header has no BIASSEC; say where it lies: side=right,width=32")
        rows, columns = found
    else:
        if not 0 < p.width < (width if p.side in ("left", "right") else height):
            raise InputError(f"cal:overscan: width={p.width} on the {p.side} of {width} x {height} px; give its width")
        columns = {"left": slice(0, p.width), "right": slice(width - p.width, width)}.get(p.side, slice(0, width))
        rows = {"top": slice(0, p.width), "bottom": slice(height - p.width, height)}.get(p.side, slice(0, height))
    if rows.stop > height or columns.stop > width:
        raise InputError(
            f"cal:overscan: columns {columns.start} to {columns.stop - 1}, rows {rows.start} to {rows.stop - 1} do not "
            f"lie in an image of {width} x {height} px"
        )
    upright = columns.stop - columns.start < rows.stop - rows.start
    return (rows, columns), upright


def _inside(region: tuple[slice, slice], upright: bool, skip: int) -> tuple[slice, slice]:
    """The region without the lines next to the picture."""
    rows, columns = region
    lines = columns if upright else rows
    if skip >= lines.stop - lines.start:
        raise InputError(f"cal:overscan: skip={skip} leaves nothing of {lines.stop - lines.start} lines; give less")
    cut = slice(lines.start, lines.stop - skip) if lines.start == 0 else slice(lines.start + skip, lines.stop)
    return (rows, cut) if upright else (cut, columns)


def _section(image: Image, keyword: str) -> tuple[slice, slice] | None:
    text = next((str(value) for key, value, _ in image.meta.cards if key == keyword), "")
    match = SECTION.match(text)
    if not match:
        return None
    left, right, bottom, top = (int(number) for number in match.groups())
    return slice(min(bottom, top) - 1, max(bottom, top)), slice(min(left, right) - 1, max(left, right))


def _levels(image: Image, region: tuple[slice, slice], upright: bool, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Level along the whole image and its variance, float64 (channels, rows or columns)."""
    _, height, width = image.shape
    rows, columns = region
    length = height if upright else width
    first = rows.start if upright else columns.start
    values = image.data[:, rows, columns].astype(np.float64)
    values = np.where(has(image.flags[:, rows, columns], EXCLUDED), np.nan, values)
    values = values if upright else values.transpose(0, 2, 1)
    middle = np.nanmedian(values, axis=2, keepdims=True)
    sigma = 1.4826 * np.nanmedian(np.abs(values - middle))
    values = np.where(np.abs(values - middle) <= 3 * sigma + 1e-12, values, np.nan)
    counts = np.maximum(np.sum(np.isfinite(values), axis=2), 1)
    means = np.nanmean(values, axis=2)
    # What a cut at 3 sigma takes off the variance of noise.
    within = np.nanvar(values, axis=2) * counts / np.maximum(counts - 1, 1)
    spread = np.nanmean(within, axis=1) / 0.9733
    at = np.arange(first, first + means.shape[1])
    everywhere = np.arange(length)
    if order < 0:
        nearest = np.clip(everywhere, at[0], at[-1]) - first
        return means[:, nearest], (spread[:, None] / counts)[:, nearest]
    scale = max(length - 1, 1) / 2
    design = np.vander((at - scale) / scale, order + 1)
    target = np.vander((everywhere - scale) / scale, order + 1)
    inverse = np.linalg.pinv(design)
    levels = np.stack([target @ (inverse @ row) for row in np.nan_to_num(means, nan=float(np.nanmean(means)))])
    weights = target @ inverse
    noise = np.stack([np.sum(weights**2 * (s / n), axis=1) for s, n in zip(spread, counts)])
    return levels, noise


def _kept(image: Image, region: tuple[slice, slice], p: Overscan) -> tuple[slice, slice]:
    """Rows and columns that stay."""
    _, height, width = image.shape
    if p.side == "header" and (section := _section(image, "TRIMSEC") or _section(image, "DATASEC")) is not None:
        return section
    rows, columns = region
    if columns.stop - columns.start < rows.stop - rows.start:
        return slice(0, height), slice(columns.stop, width) if columns.start == 0 else slice(0, columns.start)
    return slice(rows.stop, height) if rows.start == 0 else slice(0, rows.start), slice(0, width)
