"""One picture of many exposures, each where it shows most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.entropy import add_exposure, local_entropy
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.parts import each_part, each_plane_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.bends import bend_of
from firstlight.ops.stretch.colorimetric import faded_rows
from firstlight.ops.stretch.gamma import Gamma
from firstlight.ops.stretch.gamma import curve as power
from firstlight.ops.stretch.levels import joined_flags, set_bits, white_level
from firstlight.ops.stretch.srgb import curve as srgb
from firstlight.units import Px

Exposure = Callable[[slice], np.ndarray]
"""Rows of an exposure: (channel, rows, x) in 0..1."""
LUMA = (0.2126, 0.7152, 0.0722)
FINEST = 8
"""px: the disk is looked at in pixels so large that its radius is this: entropy is smooth, and noise of single pixels
tells nothing."""
STRIP = 200_000
"""Pixels of a channel that are blended together: what is made of them stays in the cache."""
SILENT = 1e-4
"""Sum of entropies, bits, below which no exposure shows anything."""


class Hdr(Params):
    steps: Annotated[int, Field(ge=1, le=16)] = 6
    """Exposures: 1, 2, 4 ... times ``bright``."""
    bright: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Factor of the shortest exposure."""
    radius: Annotated[Px, Field(ge=1, le=512)] = 32
    """Of the disk in which the entropy is measured."""
    smooth: Annotated[Px, Field(ge=0, le=512)] = 16
    """The weights are averaged over so many px (standard deviation), or their edges would show."""
    gamma: Annotated[float, Field(ge=0.2, le=10)] = 2.4
    """The result is raised to the power 1 / gamma."""
    clipexp: Annotated[float, Field(ge=0, le=4)] = 0.25
    """How soon colours beyond white fade in an exposure (see `stretch:colorimetric`)."""


@operation("stretch:hdr", version=2, reach=Reach.FRAME, gives=State.STRETCHED)
def hdr(image: Image, p: Hdr) -> Image:
    """Blend exposures 1, 2, 4 ... times the light, each weighted by the entropy about a pixel: faint and bright show.

    Each exposure is brought to white along its hue; the entropy is that of its brightness, coded for a screen in 8
    bits, in a disk. Where no exposure tells anything, dark pixels take the longest, white ones the shortest. The mean
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
    white, gaps = white_level(image), bool(set_bits(image) & EXCLUDED)

    light = np.ascontiguousarray(image.data)

    def exposure(factor: float) -> Exposure:
        def rows(part: slice) -> np.ndarray:
            if gaps:
                data = np.where(has(image.flags[:, part], EXCLUDED), np.float32(0), image.data[:, part])
                return faded_rows(data, slice(0, data.shape[1]), p.clipexp, factor)
            return faded_rows(light, part, p.clipexp, factor)

        return rows

    data = blend_by_entropy(
        [exposure(p.bright * 2.0**k / white) for k in range(p.steps)], image.shape, p.radius, p.smooth, p.gamma
    )
    return image.replace(data=data, variance=None, unit=PixelUnit.NORMALISED, flags=joined_flags(image), checked=True)


def blend_by_entropy(
    exposures: Sequence[Exposure], shape: tuple[int, int, int], radius: int, smooth: int, gamma: float = 1.0
) -> np.ndarray:
    """Mean of exposures, shortest first, weighted by their local entropy; scaled to a largest value of 1 and raised to
    1 / gamma.

    The exposures are made twice, some rows at a time, so that none is in memory as a whole.
    """
    channels, height, width = shape
    shares = np.array(LUMA if channels == 3 else [1 / channels] * channels, np.float32)
    side = max(min(radius // FINEST, height, width), 1)
    strip = max(STRIP // (width * side), 1) * side
    strips = [slice(top, min(top + strip, height)) for top in range(0, height, strip)]
    lumas = np.empty((len(exposures), height // side, width // side), np.float32)

    def look(rows: slice) -> None:
        there = slice(rows.start // side, min(rows.stop // side, lumas.shape[1]))
        for exposure, luma in zip(exposures, lumas):
            seen = sum(share * plane for share, plane in zip(shares, exposure(rows)))
            luma[there] = _coarse(seen, side)  # type: ignore[arg-type]

    each_part(look, strips)
    maps = each_part(lambda luma: _entropy(luma, radius, smooth, side), lumas)
    out = np.empty(shape, np.float32)

    def blend(rows: slice) -> float:
        total, weights = np.zeros((channels, rows.stop - rows.start, width), np.float32), _nothing(rows, width)
        shown: list[np.ndarray] = []
        for exposure, coarse in zip(exposures, maps):
            shown = [*shown[:1], exposure(rows)]
            _add(shown[-1], coarse, side, rows, total, weights)
        silent = weights < SILENT
        np.divide(total, np.where(silent, np.float32(1), weights), out=total)
        if silent.any():
            # Nothing to see in any of them: black in the longest is black, all else is white even in the shortest.
            first, last = shown[0], shown[-1]
            total = np.where(silent, np.where(last.mean(axis=0) < 0.5, last, first), total)
        out[:, rows] = total
        return float(total.max(initial=0.0))

    top = max(each_part(blend, strips), default=0.0)
    bend = bend_of(power, Gamma(gamma=gamma))
    nothing, factor = np.empty(0, np.float32), np.float32(1 / (top if top > 0 else 1.0))

    def code(channel: int, rows: slice) -> None:
        plane = out[channel, rows].reshape(-1)
        bend.on(plane, factor, nothing, plane, nothing)

    each_plane_part(shape, code)
    return out


def entropy_map(luma: np.ndarray, radius: int, smooth: int = 0) -> np.ndarray:
    """Entropy, bits, of the brightness in a disk about each pixel of a plane in 0..1."""
    height, width = luma.shape
    side, rows = max(min(radius // FINEST, height, width), 1), slice(0, height)
    found, none = _nothing(rows, width), np.empty((0, height, width), np.float32)
    _add(none, _entropy(_coarse(luma, side), radius, smooth, side), side, rows, none, found)
    return found


def _coarse(plane: np.ndarray, side: int) -> np.ndarray:
    """Means of squares of pixels."""
    if side == 1:
        return plane
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    return plane[: rows * side, : columns * side].reshape(rows, side, columns, side).mean(axis=(1, 3))


def _entropy(coarse: np.ndarray, radius: int, smooth: int, side: int) -> np.ndarray:
    levels = (srgb(coarse) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    found = np.empty(levels.shape, np.float32)
    local_entropy(levels, *_disk(max(radius // side, 1)), found)
    if not smooth:
        return found
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(found, smooth / side, mode="nearest")


def _nothing(rows: slice, width: int) -> np.ndarray:
    return np.zeros((rows.stop - rows.start, width), np.float32)


def _add(
    light: np.ndarray, coarse: np.ndarray, side: int, rows: slice, total: np.ndarray, weights: np.ndarray
) -> None:  # fmt: skip
    """Add rows of an exposure, weighted by a plane of squares that is straight between their middles."""
    down = _between(np.arange(rows.start, rows.stop), side, coarse.shape[0])
    along = _between(np.arange(weights.shape[1]), side, coarse.shape[1])
    add_exposure(light, coarse, *down, *along, total, weights)


def _between(pixels: np.ndarray, side: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The squares before and after pixels along an axis of ``n`` squares, and how far they are towards the second."""
    at = (pixels.astype(np.float32) + np.float32(0.5)) / np.float32(side) - np.float32(0.5)
    low = np.clip(np.floor(at).astype(int), 0, n - 1)
    return low, np.minimum(low + 1, n - 1), np.clip(at - low, 0, 1).astype(np.float32)


@cache
def _disk(radius: int) -> tuple[np.ndarray, int, np.ndarray]:
    across = np.arange(-radius, radius + 1)
    rim = np.floor(np.sqrt(radius**2 - across**2)).astype(np.int64)
    n = np.arange(int((2 * rim + 1).sum()) + 2, dtype=np.float64)
    return rim, radius, n * np.log2(np.maximum(n, 1))
