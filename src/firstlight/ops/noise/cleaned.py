"""One way for steps that clean planes: holes filled, noise known, the share asked for, holes put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.inspect.starlet import SAMPLE, sample_rows
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.noise.strength import (
    NoiseSource,
    measured_sigma,
    sigma_of_variance,
    source_of,
    stabilised,
    unstabilised,
)  # fmt: skip
from firstlight.ops.parts import each_part
from firstlight.ops.windows import BandWork, ImageSource, Source

Plane = np.ndarray
Clean = Callable[[Plane, Plane, "Plane | None", Plane], None]
"""(plane without holes, sigma of each pixel or (1, 1), holes, out): the clean plane into out, float32."""
Known = tuple[Plane, Plane, "Plane | None"]
"""A plane without holes, sigma of each pixel or (1, 1), holes."""
WINDOWS, INSIDE = 3, 160
"""Squares of a large image, across and down, of which a step learns, and the side of what counts of each, px."""
PIECE = 1 << 18
"""Pixels that are done at once where temporary planes would fill memory."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A piece of a plane with all that its inside is touched by."""

    plane: np.ndarray
    sigma: np.ndarray
    """Of each pixel, or (1, 1)."""
    holes: np.ndarray | None
    inside: tuple[slice, slice]


Learn = Callable[[Callable[[int], list[Sample]]], Clean]
"""Given a function that takes samples with so many px around their insides: how a channel is cleaned."""


def cleaned(image: Image, p: NoiseSource, learn: Learn, step: str) -> Image:
    """The image with every channel cleaned; variance None.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.
    """
    return learn_cleaning(ImageSource(image), p, learn, step)(image, 0)


def learn_cleaning(source: Source, p: NoiseSource, learn: Learn, step: str) -> BandWork:
    """What is done to each band of an image, after a look at some of its pixels; raises as `cleaned`."""
    first = source.band(0, 1)
    refuse_mosaic(step, first)
    kind = source_of(first, p.noise, step)
    counts = _Counts(first.meta.gain if first.unit == PixelUnit.ADU else 1.0, first.meta.read_noise or 0.0)

    def learn_channel(channel: int) -> tuple[_Channel, Clean]:
        sigma = measured_sigma(source, channel) if kind == "measured" else 1.0
        known = _Channel(channel, kind, np.full((1, 1), sigma, np.float32), counts)
        return known, learn(partial(samples_of, source, known.of))

    channels = each_part(learn_channel, range(source.shape[0]))

    def work(image: Image, top: int) -> Image:
        data = np.empty_like(image.data)
        for channel, (known, clean) in enumerate(channels):
            given, out = image.data[channel], data[channel]
            plane, sigma, holes = known.of(image, top)
            clean(plane, sigma, holes, out)
            del sigma

            def finish(rows: slice, given: Plane = given, out: Plane = out, plane: Plane = plane) -> None:
                if kind == "anscombe":
                    # Below no light at all the transform is flat: there the picture is kept as it is.
                    out[rows] = np.where(plane[rows] > 0, counts.back(out[rows]), given[rows])
                if p.amount < 1:
                    with np.errstate(invalid="ignore"):
                        out[rows] = given[rows] + np.float32(p.amount) * (out[rows] - given[rows])

            if kind == "anscombe" or p.amount < 1:
                each_part(finish, pieces(out.shape))
            if holes is not None:
                out[holes] = given[holes]
        return image.replace(data=data, variance=None)

    return work


@dataclass(frozen=True)
class _Counts:
    """Between the picture and counts whose noise is 1."""

    gain: float | None
    read_noise: float

    def of(self, plane: Plane) -> Plane:
        counts = np.empty_like(plane)

        def part(rows: slice) -> None:
            counts[rows] = stabilised(plane[rows], self.gain or 1.0, self.read_noise)

        each_part(part, pieces(plane.shape))
        return counts

    def back(self, counts: Plane) -> Plane:
        return unstabilised(counts, self.gain or 1.0, self.read_noise)


@dataclass(frozen=True, eq=False)
class _Channel:
    """What a channel is to the step that cleans it."""

    channel: int
    kind: str
    sigma: Plane
    """(1, 1)."""
    counts: _Counts

    def of(self, image: Image, top: int) -> Known:
        """A plane without holes, sigma of each pixel or (1, 1), holes."""
        plane, holes = whole_plane(image.data[self.channel], image.flags[self.channel])
        plane = np.ascontiguousarray(plane)
        if self.kind == "anscombe":
            return self.counts.of(plane), self.sigma, holes
        if self.kind == "variance":
            return plane, sigma_of_variance(image.variance[self.channel], holes), holes
        return plane, self.sigma, holes


def pieces(shape: tuple[int, ...]) -> list[slice]:
    """Rows of pieces of a plane that are small against it."""
    height, width = shape[-2:]
    rows = max(PIECE // max(width, 1), 1)
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def samples_of(source: Source, known: Callable[[Image, int], Known], margin: int) -> list[Sample]:
    """The whole of a small image, of which some rows count; squares spread over a large one.

    ``known``: of a band and its first row. ``margin``: px around the insides of squares.
    """
    _, height, width = source.shape
    if height * width <= 8 * SAMPLE:
        return [Sample(*known(source.band(0, height), 0), (sample_rows((height, width)), slice(None)))]
    found = []
    for top, bottom in _insides(height):
        first, last = max(top - margin, 0), min(bottom + margin, height)
        plane, sigma, holes = known(source.band(first, last), first)
        for left, right in _insides(width):
            begin, end = max(left - margin, 0), min(right + margin, width)
            cut = np.s_[:, begin:end]
            found.append(
                Sample(
                    np.ascontiguousarray(plane[cut]),
                    np.ascontiguousarray(sigma[cut]) if sigma.size > 1 else sigma,
                    None if holes is None else holes[cut],
                    (slice(top - first, bottom - first), slice(left - begin, right - begin)),
                )
            )
    return found


def _insides(length: int) -> list[tuple[int, int]]:
    side = min(INSIDE, length)
    starts = [round((length - side) * (k + 0.5) / WINDOWS) for k in range(WINDOWS)]
    return [(start, start + side) for start in starts]
