"""One picture of many exposures, each where it shows most."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels.entropy import local_entropy
from firstlight.model.image import Image, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.colorimetric import faded
from firstlight.ops.stretch.levels import joined_flags, normalised
from firstlight.ops.stretch.srgb import curve as srgb
from firstlight.units import Px

LUMA = (0.2126, 0.7152, 0.0722)
FINEST = 8
"""px: the disk is looked at in pixels so large that its radius is this: entropy is smooth, and noise of single pixels
tells nothing."""


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


@operation("stretch:hdr", reach=Reach.FRAME, gives=State.STRETCHED)
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
    image = normalised(image)
    light = np.maximum(np.where(image.good, image.data, np.float32(0)), 0)
    exposures = (faded(light * np.float32(p.bright * 2.0**k), p.clipexp) for k in range(p.steps))
    data = blend_by_entropy(exposures, p.radius, p.smooth)
    return image.replace(data=coded(data, p.gamma), variance=None, flags=joined_flags(image))


def coded(data: np.ndarray, gamma: float) -> np.ndarray:
    """Scaled to a largest value of 1 and raised to 1 / gamma."""
    top = float(data.max(initial=0.0))
    return (data / np.float32(top if top > 0 else 1.0)) ** np.float32(1 / gamma)


def blend_by_entropy(exposures: Iterable[np.ndarray], radius: int, smooth: int) -> np.ndarray:
    """Mean of exposures (channel, y, x) in 0..1, shortest first, weighted by their local entropy."""
    total: np.ndarray | None = None
    weights = np.zeros(1)
    first = last = np.zeros(1)
    for exposure in exposures:
        luma = np.tensordot(_weights(len(exposure)), exposure, axes=1)
        weight = entropy_map(luma, radius, smooth)
        if total is None:
            first, total, weights = exposure, np.zeros_like(exposure), np.zeros_like(weight)
        total += exposure * weight
        weights += weight
        last = exposure
    if total is None:
        raise ValueError("no exposures")
    silent = weights < 1e-4
    blended = total / np.where(silent, np.float32(1), weights)
    # Nothing to see in any of them: black in the longest is black, all else is white even in the shortest.
    return np.where(silent, np.where(last.mean(axis=0) < 0.5, last, first), blended).astype(np.float32)


def _weights(channels: int) -> np.ndarray:
    return np.array(LUMA if channels == 3 else [1 / channels] * channels, np.float32)


def entropy_map(luma: np.ndarray, radius: int, smooth: int = 0) -> np.ndarray:
    """Entropy, bits, of the brightness in a disk about each pixel of a plane in 0..1."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    height, width = luma.shape
    side = max(min(radius // FINEST, height, width), 1)
    coarse = luma
    if side > 1:
        rows, columns = height // side, width // side
        coarse = luma[: rows * side, : columns * side].reshape(rows, side, columns, side).mean(axis=(1, 3))
    levels = (srgb(coarse) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    small = np.empty(levels.shape, np.float32)
    local_entropy(levels, *_disk(max(radius // side, 1)), small)
    if smooth:
        small = gaussian_filter(small, smooth / side, mode="nearest")
    if side == 1:
        return small
    rows_at, columns_at = ((np.arange(n, dtype=np.float32) + 0.5) / side - 0.5 for n in (height, width))
    wide = map_coordinates(small, np.meshgrid(np.arange(small.shape[0]), columns_at, indexing="ij"), order=1,
                           mode="nearest")  # fmt: skip
    low = np.clip(np.floor(rows_at).astype(int), 0, len(wide) - 1)
    high = np.minimum(low + 1, len(wide) - 1)
    share = np.clip(rows_at - low, 0, 1)[:, None].astype(np.float32)
    return wide[low] * (1 - share) + wide[high] * share


@cache
def _disk(radius: int) -> tuple[np.ndarray, int, np.ndarray]:
    across = np.arange(-radius, radius + 1)
    rim = np.floor(np.sqrt(radius**2 - across**2)).astype(np.int64)
    n = np.arange(int((2 * rim + 1).sum()) + 2, dtype=np.float64)
    return rim, radius, n * np.log2(np.maximum(n, 1))
