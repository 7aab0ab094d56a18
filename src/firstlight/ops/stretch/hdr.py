"""One picture of many exposures, each where it shows most."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from firstlight.kernels.exposures import blend_exposures, coarse_exposures
from firstlight.kernels.flagged import all_bits
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.parts import each_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import Bend
from firstlight.ops.stretch.colorimetric import fading
from firstlight.ops.stretch.exposures import NOTHING, Mesh, levels_of, shares_of_brightness, weights_by_entropy
from firstlight.ops.stretch.levels import joined_flags, white_level
from firstlight.ops.survey import Look, Rows, Survey
from firstlight.units import Px

STRIP = 60_000
"""Pixels of a channel that are done together: they stay in the cache."""


class Hdr(Params):
    steps: Annotated[int, Field(ge=1, le=16)] = 6
    """Exposures: 1, 2, 4 ... times ``bright``."""
    bright: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Factor of the shortest exposure."""
    radius: Annotated[Px, Field(ge=1, le=512)] = 32
    """Half the side of the square in which the entropy is measured."""
    smooth: Annotated[Px, Field(ge=0, le=512)] = 16
    """The weights are averaged over so many px (standard deviation), or their edges would show."""
    gamma: Annotated[float, Field(ge=0.2, le=10)] = 2.4
    """The result is raised to the power 1 / gamma."""
    clipexp: Annotated[float, Field(ge=0, le=4)] = 0.25
    """How soon colours beyond white fade in an exposure (see `stretch:colorimetric`)."""


def _survey(like: Image, height: int, p: Hdr) -> Survey:
    channels, _, width = like.shape
    factors = (p.bright * 2.0 ** np.arange(p.steps) / white_level(like)).astype(np.float32)
    mesh, fading_table = Mesh.of((height, width), p.radius, p.smooth), fading(p.clipexp)
    faded = (fading_table.high, *fading_table.grid)
    shares = shares_of_brightness(channels)

    def see(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        light = _light(rows.data, rows.flags)
        squares = len(light[0]) // mesh.side, width // mesh.side
        seen, peaks = np.empty((p.steps, *squares), np.float32), np.empty(squares, np.float32)
        coarse_exposures(light, factors, shares, mesh.side, *faded, seen, peaks)
        for axis in (0, 1):
            peaks = np.maximum.reduceat(peaks, range(0, squares[axis], mesh.block), axis=axis)
        return levels_of(seen), peaks

    def settle(found: list[Any]) -> Any:
        levels = np.concatenate([levels for levels, _ in found], axis=1)
        knots = weights_by_entropy(list(levels), mesh)
        mean = np.tensordot(factors, knots, 1)
        peaks = np.concatenate([peaks for _, peaks in found])
        if peaks.max() * factors[0] >= 1:
            top = 1.0
        else:
            # What the blend makes of the brightest pixel of each block.
            blended = np.empty(peaks.shape, np.float32)
            one = np.float32(1)
            blend_exposures((peaks,), 0, factors, knots, mean, 1, *faded, one, one, (blended,))
            top = float(blended.max())
        scale, exponent = np.float32(1 / (top if top > 0 else 1.0)), np.float32(1 / p.gamma)

        def work(image: Image, first: int) -> Image:
            out = np.empty(image.shape, np.float32)

            def blend(rows: slice) -> None:
                light = _light(image.data[:, rows], image.flags[:, rows])
                at = first + rows.start
                blend_exposures(
                    light, at, factors, knots, mean, mesh.cell, *faded, scale, exponent, tuple(out[:, rows])
                )

            each_part(blend, strips(image.shape, mesh.cell))
            return image.replace(
                data=out, variance=None, unit=PixelUnit.NORMALISED, flags=joined_flags(image), checked=True
            )

        return work

    looks = [Look(np.arange(rows.start, rows.stop), see) for rows in strips((0, height, width), mesh.cell)]
    return Survey(looks, settle)


@operation("stretch:hdr", version=3, reach=Reach.FRAME, gives=State.STRETCHED, survey=_survey)
def hdr(image: Image, p: Hdr) -> Image:
    """Blend exposures 1, 2, 4 ... times the light, each weighted by the entropy about a pixel: faint and bright show.

    Each exposure is brought to white along its hue; the entropy is that of its brightness, coded for a screen in 8
    bits, in a square. Where no exposure tells anything, dark pixels take the longest, white ones the shortest. The mean
    is scaled so that its brightest pixel is white. Levels are fractions of white: the saturation level, or the largest
    value where no saturation is known; what lies below 0 is clipped. Subtract the sky first (`stretch:black`).

    Flags: OR-ed over the channels, which share their weights. Plate: kept. Variance: dropped, for the weights depend on
    the noise. Unit: normalised.

    References
    ----------
    Goshtasby 2005, Image and Vision Computing 23, 611 (blending of exposures by entropy).

    >>> y, x = np.mgrid[:32, :32]
    >>> out = hdr(Image(np.exp(-np.hypot(x - 16, y - 16) / 3)[None]), Hdr(radius=4)).data
    >>> float(out.max()), bool(out[0, 16, 24] > 0.3)
    (1.0, True)
    """
    survey = _survey(image, image.shape[1], p)
    return survey.settle(survey.seen(image))(image, 0)


def strips(shape: tuple[int, int, int], multiple: int) -> list[slice]:
    """Rows that are done together, so many or a multiple of it at once; the last may have up to twice as many."""
    _, height, width = shape
    rows = max(STRIP // (width * multiple), 1) * multiple
    tops = list(range(0, max(height - multiple + 1, 1), rows))
    return [slice(top, bottom) for top, bottom in zip(tops, [*tops[1:], height])]


def code(light: np.ndarray, factor: np.float32, bend: Bend) -> None:
    """Bend rows (channel, y, x) times a factor, in place."""
    for plane in light:
        flat = plane.reshape(-1)
        bend.on(flat, factor, NOTHING, flat, NOTHING)


def _light(data: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, ...]:
    """The planes; pixels that hold no number are 0."""
    if any(all_bits(np.ascontiguousarray(plane).reshape(-1)) & EXCLUDED for plane in flags):
        data = np.where(has(flags, EXCLUDED), np.float32(0), data)
    return tuple(map(np.ascontiguousarray, data))
