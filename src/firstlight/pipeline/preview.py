"""A chain of steps on a reduced image: what it will look like, at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firstlight.io.frame import Frame
from firstlight.io.read import open_frame
from firstlight.model.image import Image
from firstlight.ops.registry import Params
from firstlight.ops.spec import Step
from firstlight.pipeline.executors import thread_count, thread_pool

SIDE = 1200
"""px: the longer side of a preview."""
ROWS = 256
SPARSE = 4
"""px: side of the squares from which half of their rows stand for them."""


def reduced(path: Path, side: int = SIDE) -> tuple[Image, int]:
    """An image averaged over squares until its longer side is no more than ``side``, and the side of the squares.

    Of squares of 4 px and more every second row is taken. Mosaics are thinned out by whole cells instead, so that they
    stay mosaics. The variance is left out.
    """
    frame = open_frame(path)
    _, height, width = frame.shape
    factor = max(-(-max(height, width) // side), 1)
    if factor == 1:
        return frame.read().replace(variance=None), 1
    if frame.meta.cfa and frame.shape[0] == 1:
        return _thinned(frame, factor), factor
    whole = None if frame.seekable else frame.read().data
    data = np.empty((frame.shape[0], height // factor, width // factor), np.float32)
    rows = max(ROWS // factor, 1) * factor
    # Of large squares every second row tells enough.
    lines = range(0, factor, 2 if factor >= SPARSE else 1)

    def work(top: int) -> None:
        bottom = min(top + rows, data.shape[1] * factor)
        band = frame.rows(top, bottom) if whole is None else whole[:, top:bottom]
        total = np.zeros((len(data), (bottom - top) // factor, data.shape[2] * factor), np.float32)
        for line in lines:
            total += band[:, line::factor, : total.shape[2]]
        means = total.reshape(*total.shape[:2], -1, factor).mean(axis=3) / np.float32(len(lines))
        if whole is None:
            means = means * np.float32(frame.scale) + np.float32(frame.zero)
        data[:, top // factor : bottom // factor] = means

    with thread_pool(min(thread_count(), 4)) as pool:
        list(pool.map(work, range(0, data.shape[1] * factor, rows)))
    meta = frame.meta
    meta = meta.replace(
        binning=(meta.binning[0] * factor, meta.binning[1] * factor),
        pixel_size=meta.pixel_size and meta.pixel_size * factor,
    )
    image = Image(data, unit=frame.unit, state=frame.state, meta=meta, history=frame.history)
    return image, factor


def _thinned(frame: Frame, factor: int) -> Image:
    image = frame.read()
    cells = [np.arange(0, length // 2 * 2, 2 * factor) for length in image.shape[1:]]
    rows, columns = (np.sort(np.concatenate([c, c + 1])) for c in cells)
    part = np.ix_([0], rows, columns)
    return image.replace(data=image.data[part], flags=image.flags[part], variance=None, plate=None)


def scaled_steps(steps: Sequence[Step], factor: int) -> list[Step]:
    """The same steps for an image of so many times fewer pixels along a side: lengths in px are divided.

    >>> from firstlight.ops.spec import parse_step
    >>> str(scaled_steps([parse_step("abr:localgradient:scale=512")], 4)[0])
    'abr:localgradient:scale=128'
    """
    return [Step(each.operation, _scaled(each.params, factor)) for each in steps]


def _scaled(params: Params, factor: int) -> Params:
    from firstlight.ops.registry import describe

    changes = {}
    for row in describe(type(params)):
        value = getattr(params, row["name"])
        # 0 and -1 mean something of their own; a pixel or two stays what it is.
        if row["unit"] != "px" or not isinstance(value, int | float) or value <= 1:
            continue
        smaller = value / factor
        bounds = row["bounds"]
        smaller = max(smaller, bounds.get("minimum", bounds.get("exclusiveMinimum", 0) + 1e-3))
        changes[row["name"]] = max(round(smaller), 1) if isinstance(value, int) else max(smaller, 0.3)
    return type(params)(**{**params.model_dump(), **changes})


def preview(path: Path, steps: Sequence[Step], side: int = SIDE) -> tuple[Image, Image]:
    """The reduced image before and after the steps."""
    before, factor = reduced(path, side)
    image = before
    for each in scaled_steps(steps, factor):
        image = each(image)
    return before, image
