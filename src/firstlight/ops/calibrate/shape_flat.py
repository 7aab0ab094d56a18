"""Flats made ready: normalised, smoothed, or left with nothing but dust."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.calibrate.planes import colour_planes
from firstlight.ops.inspect.flat_exposure import why_unfit
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Adu, Percent, SubPx


class ShapeFlat(Params):
    mode: Literal["colour", "grey"] = "colour"
    """``colour``: each colour is divided by its own mean, so that dividing keeps the white point. ``grey``: all by one
    mean, which takes the colour of the flat's light out of the lights."""
    pedestal: Adu = 0.0
    """Subtracted first: the level that is no light, where no bias was subtracted."""
    smooth: Annotated[SubPx, Field(ge=0, le=500)] = 0.0
    """Sigma of a Gaussian, in pixels of one colour: keeps vignetting and dust, drops noise and the response of single
    pixels; 0: none."""
    local: Annotated[SubPx, Field(ge=0, le=4000)] = 0.0
    """Sigma of a Gaussian that is divided out, in pixels of one colour: keeps dust and drops vignetting (256 is usual);
    0: none."""
    floor: Annotated[Percent, Field(ge=0, le=50)] = 5.0
    """Pixels below this share of the mean (and below 5 adu) take the smallest good value: nothing is divided by
    nearly 0."""


@operation("cal:shapeflat", reach=Reach.FRAME, demands=State.LINEAR)
def shape_flat(image: Image, p: ShapeFlat) -> Image:
    """Normalise a flat to mean 1, and smooth it or take its large structure out where asked.

    Flags: pixels below the floor gain LOW_FLAT. Variance: divided by the mean squared; smoothing lowers it as far as it
    averages independent pixels. Plate: kept. Unit: normalised.

    Raises
    ------
    InputError
        It is over-exposed (more than 5 % of its pixels are full) or under-exposed (signal below 10 times the noise);
        the message has the numbers.

    >>> flat = shape_flat(Image([[98.0, 102.0], [100.0, 100.0]]), ShapeFlat())
    >>> flat.data.ravel().tolist(), str(flat.unit)
    ([0.98..., 1.01..., 1.0, 1.0], 'normalised')
    """
    unfit = why_unfit(image, p.pedestal)
    if unfit:
        raise InputError(f"cal:shapeflat: {unfit}")
    data = (image.data - np.float32(p.pedestal)).astype(np.float32)
    good = image.good
    variance = None if image.variance is None else image.variance.astype(np.float32)
    flags = image.flags.copy()
    places = list(colour_planes(image))
    means = [float(np.mean(data[c], where=good[c], dtype=np.float64)) if good[c].any() else 0.0 for c in places]
    overall = float(np.mean(means)) if means else 0.0
    for place, own in zip(places, means):
        mean = own if p.mode == "colour" else overall
        if not (own > 0 and mean > 0):
            raise InputError(f"cal:shapeflat: its mean above the pedestal is {own:.3g}; it must be above 0")
        plane, ok = data[place] / np.float32(mean), good[place]
        limit = p.floor / 100 * own / mean
        if image.unit == PixelUnit.ADU and p.floor:
            limit = max(limit, min(5.0 / mean, 0.5))
        low = ok & (plane <= limit)
        fair = ok & ~low
        if low.any() and fair.any():
            plane[low] = plane[fair].min()
            flags[place] |= np.where(low, np.uint16(Flag.LOW_FLAT), np.uint16(0))
        noise = None if variance is None else variance[place] / np.float32(mean) ** 2
        if p.smooth:
            plane, noise = _smoothed(plane, noise, ok, p.smooth)
        if p.local:
            level = own / mean
            around = np.maximum(_gaussian(plane, ok, p.local), 1e-6) / np.float32(level)
            plane = plane / around
            noise = None if noise is None else noise / around**2
        data[place] = plane
        if variance is not None and noise is not None:
            variance[place] = noise
    data = np.where(good, data, np.where(np.isfinite(data), data, image.data)).astype(np.float32)
    return image.replace(data=data, flags=flags, variance=variance, unit=PixelUnit.NORMALISED)


def _gaussian(plane: np.ndarray, good: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of the good pixels around each."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(good.astype(np.float32), sigma, mode="nearest")
    total = gaussian_filter(np.where(good, plane, np.float32(0)), sigma, mode="nearest")
    return total / np.maximum(weight, np.float32(1e-6))


def _smoothed(
    plane: np.ndarray, noise: np.ndarray | None, good: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray | None]:
    smooth = _gaussian(plane, good, sigma)
    if noise is not None:
        # The square of a Gaussian is one of sigma / sqrt 2, of area 1 / (4 pi sigma^2); no wider than a single pixel.
        share = min(1.0, 1 / (4 * np.pi * sigma**2))
        noise = _gaussian(np.where(good, noise, np.float32(0)), good, sigma / 2**0.5) * np.float32(share)
    return smooth, noise
