"""Stronger or weaker colours."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.mix import mixed
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.asinh import WEIGHTS
from firstlight.ops.stretch.levels import joined_flags
from firstlight.units import Degrees


class Saturation(Params):
    factor: Annotated[float, Field(ge=0, le=10)] = 1.5
    """Distance of each colour from grey is multiplied by this; 0 gives a grey picture."""
    method: Literal["linear", "power"] = "linear"
    """``linear``: away from the luminance of the pixel. ``power``: the channels over the largest of them are raised to
    the power ``factor``: the largest stays, and strong colours gain less."""
    luminance: Literal["human", "equal"] = "human"
    """Weights of the colours in the grey."""
    hue: Annotated[Degrees, Field(ge=0, le=360)] = 0.0
    """Only colours near this hue, where ``width`` is below 360: red 0, yellow 60, green 120, cyan 180, blue 240."""
    width: Annotated[Degrees, Field(gt=0, le=360)] = 360.0
    """Full width at half strength of the range of hues; 360: all of them."""
    background: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Darker pixels, as a share of the brightest luminance, gain less and less, so that noise gains no colour; 0: all
    alike."""


@operation("color:saturation", reach=Reach.FRAME, version=3)
def saturation(image: Image, p: Saturation) -> Image:
    """Move each colour away from (or towards) the luminance of its pixel, which stays.

    Nothing is clipped; apply it after the stretch, where the background has little colour noise left. Flags: OR-ed over
    the channels, which share their luminance. Variance: exact, from all channels, taken as independent; dropped where
    the strength depends on the pixel (``power``, a range of hues, a protected background). Plate and unit: kept.

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> pixel = Image(np.array([1.0, 2.0, 3.0])[:, None, None])
    >>> saturation(pixel, Saturation(factor=2, luminance="equal")).data.ravel().round(5) + 0.0
    array([0., 2., 4.], dtype=float32)
    """
    need_three("color:saturation", image)
    weights = np.array(WEIGHTS[p.luminance], np.float32)
    if p.method == "linear" and p.width == 360 and p.background == 0:
        return mixed(image, p.factor * np.eye(3) + (1 - p.factor) * weights).replace(flags=joined_flags(image))
    data = np.where(np.isfinite(image.data), image.data, 0)
    grey = np.tensordot(weights, data, axes=1)
    if p.method == "linear":
        strong = grey + np.float32(p.factor) * (data - grey)
    else:
        top = np.maximum(data.max(axis=0), 1e-12)
        strong = top * np.clip(data / top, 0, 1) ** np.float32(p.factor)
        strong = np.where(data.max(axis=0) > 0, strong, data)
    share = near_hue(data, p.hue, p.width)
    if p.background:
        brightest = float(np.max(np.where(image.good.all(axis=0), grey, 0), initial=0.0))
        share = share * np.clip(grey / np.float32(max(p.background * brightest, 1e-12)), 0, 1)
    moved = data + share * (strong - data)
    return image.replace(
        data=np.where(np.isfinite(image.data), moved, image.data), variance=None, flags=joined_flags(image)
    )


def near_hue(rgb: np.ndarray, hue: float, width: float) -> np.ndarray:
    """How near the hue of each pixel is to a hue: 1 there, 1/2 half a width away, 0 from a width on; 1 for 360."""
    if width >= 360:
        return np.ones(rgb.shape[1:], np.float32)
    own = hue_of(rgb)
    away = np.abs((own - np.float32(hue) + 180) % 360 - 180)
    share = 0.5 + 0.5 * np.cos(np.pi * np.minimum(away / width, 1))
    return np.where(np.isfinite(own), share, 0).astype(np.float32)


def hue_of(rgb: np.ndarray) -> np.ndarray:
    """Hue of HSV, degrees; NaN for grey."""
    r, g, b = rgb
    top, low = rgb.max(axis=0), rgb.min(axis=0)
    spread = np.where(top > low, top - low, np.float32(np.nan))
    found = np.where(top == r, (g - b) / spread, np.where(top == g, 2 + (b - r) / spread, 4 + (r - g) / spread))
    return (60 * found) % 360
