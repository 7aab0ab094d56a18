"""Lines and words drawn over a picture, in its own depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Line:
    """A line through points (x, y), px."""

    points: tuple[tuple[float, float], ...]
    width: float = 1.0
    filled: bool = False
    """The points are the corners of a filled shape."""


@dataclass(frozen=True)
class Words:
    """A text at a point (x, y), px."""

    text: str
    x: float
    y: float
    size: float = 12.0
    anchor: Literal["lt", "mt", "rt", "lm", "mm", "rm", "lb", "mb", "rb", "ls", "ms", "rs"] = "lt"
    """Which part of the text lies there: left, middle, right and top, middle, bottom."""


def ink(shape: tuple[int, int], marks: Sequence[Line | Words]) -> np.ndarray:
    """How much of each pixel (height, width) is covered by the marks, 0..1."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    height, width = shape
    # Lines twice as fine and averaged: PIL draws them with steps.
    lines = Pillow.new("L", (2 * width, 2 * height), 0)
    draw = ImageDraw.Draw(lines)
    for mark in marks:
        if isinstance(mark, Line):
            points = [(2 * x + 1, 2 * y + 1) for x, y in mark.points]
            if mark.filled:
                draw.polygon(points, fill=255)
            else:
                draw.line(points, fill=255, width=max(round(2 * mark.width), 1), joint="curve")
    covered = np.asarray(lines, np.float32).reshape(height, 2, width, 2).mean(axis=(1, 3)) / 255
    words = Pillow.new("L", (width, height), 0)
    draw = ImageDraw.Draw(words)
    for mark in marks:
        if isinstance(mark, Words):
            font = ImageFont.load_default(mark.size)
            draw.multiline_text((mark.x, mark.y), mark.text, fill=255, font=font, anchor=_anchor(mark))
    return np.maximum(covered, np.asarray(words, np.float32) / 255)


def _anchor(mark: Words) -> str:
    # PIL has no "b" or "t" anchors for texts of several lines.
    names = {"t": "a", "b": "d"}
    return mark.anchor[0] + names.get(mark.anchor[1], mark.anchor[1])


def words_width(text: str, size: float) -> float:
    """Width of a text, px."""
    from PIL import ImageFont

    return max(float(ImageFont.load_default(size).getlength(line)) for line in text.splitlines() or [""])


def drawn(
    data: np.ndarray, marks: Sequence[Line | Words], colour: Sequence[float] = (1.0, 1.0, 1.0), rim: float = 1.5
) -> np.ndarray:
    """A picture (channel, y, x) in 0..1 with marks over it; a dark rim keeps them readable on any ground."""
    if not marks:
        return data
    from scipy.ndimage import gaussian_filter

    covered = ink(data.shape[1:], marks)
    shade = np.clip(gaussian_filter(covered, rim) * 2.5, 0, 0.75).astype(np.float32)
    channels = np.array(colour, np.float32)[: data.shape[0], None, None]
    out = data * (1 - shade)
    return out * (1 - covered) + channels * covered
