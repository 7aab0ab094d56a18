"""Histogram of the surroundings."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.contrast.luminance import Contrast, on_luminance
from firstlight.ops.registry import Reach, operation
from firstlight.units import Px

LEVELS = 24
"""At which shares of the surroundings are counted."""


class LocalHistogram(Contrast):
    radius: Annotated[Px, Field(ge=4, le=1024)] = 64
    """Of the disc of surroundings that each pixel is ranked in."""
    limit: Annotated[float, Field(gt=1, le=20)] = 2.0
    """How much steeper than before the picture may become anywhere."""
    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the change that is applied."""


@operation("contrast:local", reach=Reach.FRAME, demands=State.STRETCHED)
def equalise_locally(image: Image, p: LocalHistogram) -> Image:
    """Local histogram equalisation: each pixel as bright as its rank among its surroundings says.

    The ranks come from Gaussian-weighted shares of pixels below each of 24 levels, between which is interpolated; of
    two histograms, flattened and not, as much is mixed as the limit of contrast allows.

    Colours are kept (`on_luminance`). Pixels without a number keep what they hold and take no part. Flags, plate and
    unit: kept. Variance: dropped, for what a pixel becomes hangs on what lies around it.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:96, :96]
    >>> slope = Image(0.1 + 0.005 * x + 0.01 * np.sin(y / 3.0), state=State.STRETCHED)
    >>> strong = equalise_locally(slope, LocalHistogram(radius=16))
    >>> bool(strong.data[0, 20:76, 48].std() > 1.3 * slope.data[0, 20:76, 48].std())
    True
    """
    return on_luminance("contrast:local", image, lambda plane: _ranked(plane, p), p.strength)


def _ranked(plane: np.ndarray, p: LocalHistogram) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    x = np.clip(plane, 0, 1)
    levels = np.unique(np.quantile(x[:: max(x.shape[0] // 512, 1), :: max(x.shape[1] // 512, 1)], _quantiles()))
    if len(levels) < 3:
        return x
    # Shares of pixels below a level change smoothly: a coarser grid holds them.
    coarse = max(p.radius // 8, 1)
    out = np.zeros_like(x)
    before_share, before_level = None, np.float32(0)
    small = [n // coarse + 2 for n in x.shape]
    for level in levels.astype(np.float32):
        below = (x <= level).astype(np.float32)
        below = _block_mean(below, coarse, small)
        below = gaussian_filter(below, p.radius / 2 / coarse, mode="nearest")
        share = _enlarged(below, coarse, x.shape)
        if before_share is not None:
            inside = (x > before_level) & (x <= level)
            t = (x - before_level) / max(level - before_level, np.float32(1e-9))
            # The slope of the flattened picture is that of the ranks; it is bounded by the limit.
            rise = np.minimum(share - before_share, np.float32(p.limit) * (level - before_level) / _span(levels))
            out += np.where(inside, t * rise, np.where(x > level, rise, 0))
        before_share, before_level = share, level
    # Ranks leave off where the level was: black and white points of the picture stay.
    top = out.max()
    return levels[0].astype(np.float32) + out * (_span(levels) / top if top > 0 else 1)


def _quantiles() -> np.ndarray:
    return np.concatenate([[0], (np.arange(1, LEVELS) / LEVELS), [0.999, 1]])


def _span(levels: np.ndarray) -> np.float32:
    return np.float32(levels[-1] - levels[0])


def _block_mean(plane: np.ndarray, side: int, shape: list[int]) -> np.ndarray:
    if side == 1:
        return plane
    height, width = plane.shape
    padded = np.pad(plane, ((0, shape[0] * side - height), (0, shape[1] * side - width)), mode="edge")
    return padded.reshape(shape[0], side, shape[1], side).mean(axis=(1, 3), dtype=np.float32)


def _enlarged(plane: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    if side == 1:
        return plane
    height, width = shape
    rows, columns = ((np.arange(n) + 0.5) / side - 0.5 for n in (height, width))
    down = np.array([np.interp(rows, np.arange(plane.shape[0]), column) for column in plane.T]).T
    return np.array([np.interp(columns, np.arange(plane.shape[1]), row) for row in down]).astype(np.float32)
