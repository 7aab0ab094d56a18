"""Pixels that stand for all of a large image where levels are measured."""

from __future__ import annotations

import math

import numpy as np

from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.ops.inspect.median import percentiles_of
from firstlight.ops.parts import each_part

MANY = 2_000_000
"""Pixels of a channel that levels are measured from: median and deviation are right to a thousandth of the noise."""
RUN = 32
"""Neighbours that are looked at together: two lines of the cache. Single pixels, spread as evenly, cost five times as
much, for the memory brings their neighbours along."""


def sample_step(shape: tuple[int, int]) -> int:
    """Of so many runs of `RUN` pixels, row after row of a plane (height, width), one is looked at; 1: all are.

    The runs begin at all columns, or at so many that no column is left out.

    >>> sample_step((1000, 1000)), sample_step((4000, 6000))
    (1, 13)
    """
    height, width = shape
    step = max(height * width // MANY, 1)
    while step > 1 and math.gcd(step * RUN, width) > RUN:
        step += 1
    return step


def sample(plane: np.ndarray, whole: tuple[int, int] | None = None, top: int = 0) -> np.ndarray:
    """Of a plane (y, x), or of some of its rows, the pixels that stand for it (n,).

    ``whole`` is the shape of the plane, of which ``plane`` holds the rows from ``top`` on. Samples of bands, put one
    after the other, are that of the whole.

    >>> plane = np.arange(3_000_000 * 4).reshape(3000, 4000)
    >>> bands = [sample(plane[top : top + 7], plane.shape, top) for top in range(0, 3000, 7)]
    >>> bool((np.concatenate(bands) == sample(plane)).all())
    True
    """
    height, width = whole or plane.shape
    step = sample_step((height, width))
    flat = plane.reshape(-1)
    if step == 1:
        return flat
    period = step * RUN
    phase = top * width % period
    begun, following = flat[: max(RUN - phase, 0)], flat[period - phase :]
    full = len(following) // period * period
    runs = following[:full].reshape(-1, period)[:, :RUN]
    ended = following[full:][:RUN]
    out = np.empty(len(begun) + runs.size + len(ended), plane.dtype)
    out[: len(begun)], out[len(out) - len(ended) :] = begun, ended
    out[len(begun) : len(out) - len(ended)].reshape(runs.shape)[...] = runs
    return out


def trusted(image: Image, channel: int) -> np.ndarray:
    """Values of a channel that say where its sky is: good ones, neither saturated nor without data.

    Of a large image an evenly spread `sample`. All of them where none is free of flags; one zero for an empty channel.
    """
    data, flags = sample(image.data[channel]), sample(image.flags[channel])
    if not flags.any():
        return data
    values = data[~has(flags, Flag.NO_DATA | Flag.NOT_FINITE | Flag.SATURATED)]
    if not values.size:
        values = data[~has(flags, EXCLUDED)]
    return values if values.size else np.zeros(1, np.float32)


def percentiles(image: Image, *percents: float) -> np.ndarray:
    """Percentiles of the `trusted` pixels of each channel: float64 (channel, percent).

    >>> percentiles(Image(np.arange(101.0)[None]), 25, 50).tolist()
    [[25.0, 50.0]]
    """

    def work(channel: int) -> list[float]:
        return percentiles_of(trusted(image, channel), list(percents))

    return np.array(each_part(work, range(image.shape[0])), np.float64)
