"""Hydrogen light in a picture of red, green and blue."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three, sky_level
from firstlight.ops.color.continuum import continuum_factor
from firstlight.ops.color.join import split
from firstlight.ops.color.together import joined_filters, joined_meta, mean_of_good, need_alike, need_mono
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import white_level
from firstlight.units import Px

Weight = Annotated[float, Field(ge=0, le=1e6)]


class Hydrogen(Params):
    how: Literal["mean", "screen", "line"] = "mean"
    """The weighted mean of hydrogen and red; screen, 1 - (1 - a)(1 - b); red and the line alone (continuum subtracted),
    times ``amount``."""
    fit: Literal["none", "mean", "local"] = "mean"
    """How hydrogen is scaled to red: not at all; to its mean; from place to place, by the smoothed ratio of both."""
    scale: Weight = 1.0
    """Hydrogen is multiplied by this after the fit."""
    smooth: Annotated[Px, Field(ge=2, le=2048)] = 64
    """Of the local fit: width of the Gaussian (sigma) that smooths the ratio."""
    hydrogen_weight: Weight = 1.0
    """Of hydrogen in the mean."""
    red_weight: Weight = 1.0
    """Of red in the mean."""
    amount: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Of the line that is added to red (``how=line``)."""
    blue: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the line that is added to blue too (``how=line``): hydrogen shines there as well."""


@operation("color:hydrogen", reach=Reach.FRAME)
def add_hydrogen(image: Image, p: Hydrogen, hydrogen: Image) -> Image:
    """Mix a hydrogen (H alpha) image into red.

    Hydrogen is scaled to red; red becomes (wh Ha + wr R) / (wh + wr), or their screen, or R + amount (Ha - k R) with k
    from the stars. For its part in the brightness of the picture see `color:luminance`.

    Flags: OR-ed in red (and blue, where it changes). Plate and unit: kept. Variance: of the sums, scales and k taken as
    exact, first order for ``screen``; dropped for a local fit. Exposures and frames in the header are sums.

    Raises
    ------
    InputError
        No three channels, or a hydrogen image of another size, unit or state.

    >>> out = add_hydrogen(Image(np.full((3, 1, 1), 2.0)), Hydrogen(), Image([[8.0]]))
    >>> out.data.ravel().tolist()
    [2.0, 2.0, 2.0]
    """
    need_three("color:hydrogen", image)
    need_mono("color:hydrogen", hydrogen=hydrogen)
    need_alike("color:hydrogen", image, hydrogen=hydrogen)
    red = split(image, 0)
    line = _scaled(hydrogen, red, p)
    new, noise = _red(red, line, p)
    data, flags = image.data.copy(), image.flags.copy()
    data[0] = new[0]
    flags[0] |= hydrogen.flags[0]
    variance = None
    if noise is not None and image.variance is not None:
        variance = image.variance.copy()
        variance[0] = noise[0]
    if p.how == "line" and p.blue:
        gain = np.float32(p.blue)
        data[2] += gain * (new[0] - red.data[0])
        flags[2] |= flags[0]
        if variance is not None:
            variance[2] += gain**2 * noise[0]  # type: ignore[index]
    meta = joined_meta([image, hydrogen]).replace(filter=joined_filters([hydrogen, image]))
    return image.replace(data=data, flags=flags, variance=variance, meta=meta)


def _scaled(hydrogen: Image, red: Image, p: Hydrogen) -> Image:
    if p.fit == "local":
        return hydrogen.replace(data=hydrogen.data * _local_ratio(hydrogen, red, p.smooth) * p.scale, variance=None)
    factor = p.scale
    if p.fit == "mean":
        mine, theirs = mean_of_good(hydrogen), mean_of_good(red)
        factor *= theirs / mine if mine > 0 and theirs > 0 else 1.0
    factor = np.float32(factor)
    return hydrogen.replace(
        data=hydrogen.data * factor, variance=None if hydrogen.variance is None else hydrogen.variance * factor**2
    )


def _local_ratio(hydrogen: Image, red: Image, smooth: int) -> np.ndarray:
    """Smoothed red over smoothed hydrogen; of good pixels, and never more than ten times the ratio of the means."""
    from scipy.ndimage import gaussian_filter

    good = (hydrogen.good & red.good)[0]
    filled = [np.where(good, i.data[0], np.float32(0)) for i in (red, hydrogen)]
    planes = [gaussian_filter(plane, smooth, mode="nearest") for plane in filled]
    weight = gaussian_filter(good.astype(np.float32), smooth, mode="nearest")
    mean = mean_of_good(red) / (mean_of_good(hydrogen) or 1.0)
    mean = mean if mean > 0 else 1.0
    safe = (planes[1] > 1e-6 * np.abs(planes[1]).max(initial=1e-30)) & (weight > 1e-3)
    ratio = np.divide(planes[0], planes[1], out=np.full_like(planes[0], mean), where=safe)
    return np.clip(ratio, 0.1 * mean, 10 * mean)[None].astype(np.float32)


def _red(red: Image, line: Image, p: Hydrogen) -> tuple[np.ndarray, np.ndarray | None]:
    r, h, vr, vh = red.data, line.data, red.variance, line.variance
    known = vr is not None and vh is not None
    if p.how == "mean":
        total = p.hydrogen_weight + p.red_weight or 1.0
        wh, wr = np.float32(p.hydrogen_weight / total), np.float32(p.red_weight / total)
        return wh * h + wr * r, wh**2 * vh + wr**2 * vr if known else None  # type: ignore[operator]
    if p.how == "screen":
        white = np.float32(white_level(red))
        x, y = 1 - h / white, 1 - r / white
        return white * (1 - x * y), y**2 * vh + x**2 * vr if known else None  # type: ignore[operator]
    k, amount = np.float32(continuum_factor(line, red)), np.float32(p.amount)
    sky_h, sky_r = np.float32(sky_level(line, 0)), np.float32(sky_level(red, 0))
    added = amount * ((h - sky_h) - k * (r - sky_r))
    return r + added, (1 - amount * k) ** 2 * vr + amount**2 * vh if known else None  # type: ignore[operator]
