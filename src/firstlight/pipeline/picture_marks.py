"""What is drawn on a picture and around it: scale bar, north and east, title, caption, bar of colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.drawing import Line, Words, drawn
from firstlight.model.image import Image, State
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.stretch import midtones
from firstlight.ops.stretch.levels import white_level
from firstlight.ops.stretch.sample import trusted
from firstlight.pipeline.picture_settings import PictureSettings, in_colours, with_cuts

NICE = (1, 2, 5, 10, 15, 20, 30)
"""Lengths of scale bars, in arcsec, arcmin or degrees."""


@dataclass(frozen=True)
class _Compass:
    """Directions on the picture as shown (y down), unit vectors; and the pixel scale."""

    north: np.ndarray
    east: np.ndarray
    scale: float
    """arcsec/px."""


def compass(image: Image) -> _Compass:
    """North and east in the middle of an image, as it is shown.

    Raises
    ------
    InputError
        It has no plate.
    """
    if image.plate is None:
        raise InputError("picture: scale and north need a plate (WCS); solve the image first (firstlight solve)")
    _, height, width = image.shape
    middle = np.array([[(width - 1) / 2, (height - 1) / 2]])
    try:
        sky = SkyMap.of(image.plate)
        (ra, dec), = sky.sky(middle)  # fmt: skip
        step_ = 1 / 3600
        # Towards the nearer pole's other side, so that no step crosses it.
        there = sky.positions(np.array([[ra, dec + step_], [ra + step_ / max(np.cos(np.radians(dec)), 1e-9), dec]]))
    except FrameError as error:
        raise InputError(f"picture: {error}") from error
    north, east = there - middle
    if image.meta.bottom_up:
        north, east = north * [1, -1], east * [1, -1]
    lengths = np.hypot(*north), np.hypot(*east)
    return _Compass(north / lengths[0], east / lengths[1], float(1 / lengths[0]))


def marked(data: np.ndarray, image: Image, p: PictureSettings) -> np.ndarray:
    if not (p.scale or p.north):
        return data
    sky = compass(image)
    _, height, width = data.shape
    unit = max(min(height, width) / 100, 1.0)
    size = max(3 * unit, 9.0)
    marks: list[Line | Words] = []
    if p.scale:
        length, text = nice_length(sky.scale, width)
        left, y = 4 * unit, height - 4 * unit
        marks += [
            Line(((left, y), (left + length, y)), unit / 3),
            *(Line(((x, y - unit), (x, y + unit)), unit / 3) for x in (left, left + length)),
            Words(text, left + length / 2, y - 1.5 * unit, size, "mb"),
        ]
    if p.north:
        reach = 9 * unit
        centre = np.array([width - 14 * unit, height - 14 * unit])
        for direction, letter in ((sky.north, "N"), (sky.east, "E")):
            tip = centre + reach * direction
            side = np.array([-direction[1], direction[0]])
            head = [tip + 1.4 * unit * direction, tip - unit * direction + 0.9 * unit * side,
                    tip - unit * direction - 0.9 * unit * side]  # fmt: skip
            marks.append(Line((tuple(centre), tuple(tip)), unit / 3))
            marks.append(Line(tuple(tuple(h) for h in head), filled=True))
            x, y = centre + (reach + 3.6 * unit) * direction
            marks.append(Words(letter, float(x), float(y), size, "mm"))
    # On paper the marks are black: those of the negative of the negative.
    return 1 - drawn(1 - data, marks) if p.negative else drawn(data, marks)


def nice_length(scale: float, width: int) -> tuple[float, str]:
    """Length, px, and name of a scale bar about a fifth of the picture wide.

    >>> nice_length(1.0, 1500)
    (300.0, "5'")
    """
    wanted = width * scale / 5
    candidates = [(n, f'{n}"') for n in NICE] + [(60 * n, f"{n}'") for n in NICE]
    candidates += [(3600 * n, f"{n}\N{DEGREE SIGN}") for n in NICE]
    fitting = [c for c in candidates if c[0] <= 1.05 * wanted] or candidates[:1]
    return fitting[-1][0] / scale, fitting[-1][1]


def framed(data: np.ndarray, linear: Image, p: PictureSettings) -> tuple[np.ndarray, int]:
    """Title, caption and colour bar, each in a strip of its own; and the rows that are above the image now."""
    if not (p.title or p.caption or p.bar):
        return data, 0
    _, height, width = data.shape
    size = max(min(height, width) / 32, 11.0)
    paper = 1.0 if p.negative else 0.0
    ink_ = (1 - paper,) * 3
    if p.bar:
        data = np.concatenate([data, _bar(data, linear, p, size, paper, ink_)], axis=2)
        width = data.shape[2]
    strips, above = [data], 0
    for text, first in ((p.title, True), (p.caption, False)):
        if text:
            lines = text.replace("\\n", "\n").count("\n") + 1
            strip = np.full((data.shape[0], round(size * (0.9 + 1.25 * lines)), width), paper, np.float32)
            words = [Words(text.replace("\\n", "\n"), width / 2 if first else 0.6 * size, strip.shape[1] / 2, size,
                           "mm" if first else "lm")]  # fmt: skip
            strip = drawn(strip, words, ink_, rim=0.01)
            strips.insert(0, strip) if first else strips.append(strip)
            above += strip.shape[1] * first
    return np.concatenate(strips, axis=1), above


def _bar(
    data: np.ndarray, linear: Image, p: PictureSettings, size: float, paper: float, ink_: Sequence[float]
) -> np.ndarray:
    """A bar of the colours with the values of the image that they stand for."""
    channels, height, _ = data.shape
    strip = np.full((channels, height, round(8 * size)), paper, np.float32)
    top, bottom = round(0.06 * height), round(0.94 * height)
    left, right = round(0.8 * size), round(2.0 * size)
    ramp = np.linspace(1, 0, bottom - top, dtype=np.float32)[None, :, None] * np.ones((1, 1, right - left), np.float32)
    colours = 1 - ramp if p.negative else ramp
    strip[:, top:bottom, left:right] = in_colours(colours, p.map) if p.map else colours
    marks: list[Line | Words] = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = bottom - 1 - share * (bottom - 1 - top)
        marks.append(Line(((right, y), (right + 0.4 * size, y)), max(size / 14, 1)))
        marks.append(Words(_number(_value_at(share, linear, p)), right + 0.7 * size, y, 0.85 * size, "lm"))
    return drawn(strip, marks, ink_, rim=0.01)


def _value_at(shown: float, linear: Image, p: PictureSettings) -> float:
    """The value of the image that a brightness stands for: found on a ramp of its values."""
    values = np.concatenate([trusted(linear, c) for c in range(linear.shape[0])])
    low, high = float(values.min()), max(float(values.max()), white_level(linear))
    ramp = np.linspace(low, high, 200_001, dtype=np.float32)
    # Beside the image itself, so that the levels that are measured are those of the image.
    sample = np.broadcast_to(ramp, (linear.shape[0], 1, len(ramp)))
    bend = np.clip(_ramp(linear, sample, p), 0, 1) ** (1 / p.gamma)
    return float(ramp[min(np.searchsorted(bend, shown), len(ramp) - 1)])


def _ramp(linear: Image, sample: np.ndarray, p: PictureSettings) -> np.ndarray:
    if p.cuts in ("auto", "midtones") and linear.state == State.LINEAR:
        level = midtones.levels(linear, midtones.Midtones())[0]
        return midtones.curve(np.ascontiguousarray(sample[0, 0]) / np.float32(white_level(linear)), level)
    values = linear.data.reshape(linear.shape[0], 1, -1)
    joined = np.concatenate([values, sample], axis=2)
    flags = np.zeros(joined.shape, np.uint16)
    flags[:, :, : values.shape[2]] = linear.flags.reshape(linear.shape[0], 1, -1)
    # Saturated: looked at by nobody who measures levels.
    flags[:, :, values.shape[2] :] |= np.uint16(1)
    out = with_cuts(linear.replace(data=joined, flags=flags, variance=None), p)
    return out.data[0, 0, values.shape[2] :]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
