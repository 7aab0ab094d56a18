"""Stars and what lies behind them stretched apart."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, State
from firstlight.ops.contrast.starless import StarSplit, split_stars
from firstlight.ops.registry import Reach, operation
from firstlight.ops.stretch import srgb
from firstlight.ops.stretch.asinh import Asinh, asinh
from firstlight.ops.stretch.colorimetric import Colorimetric, colorimetric
from firstlight.ops.stretch.hdr import Hdr, hdr
from firstlight.ops.stretch.levels import joined_flags, normalised
from firstlight.ops.stretch.midtones import Midtones, midtones
from firstlight.units import Unit

Bright = Annotated[float, Field(gt=0, le=1e6)]


class Starless(StarSplit):
    method: Literal["midtones", "hdr", "linear", "asinh"] = "midtones"
    """How the background is stretched: as `stretch:midtones`, `stretch:hdr`, `stretch:colorimetric`, `stretch:asinh`
    do with their defaults."""
    bg_bright: Bright = 1.0
    """The background is multiplied by this first (for ``linear`` 4 is usual)."""
    star_bright: Bright = 1.0
    """The stars are multiplied by this first."""
    star_shrink: Annotated[float, Field(gt=0.1, le=1), Unit("of the width")] = 0.75
    """Stars are made so much narrower; 1: they stay."""


@operation("stretch:starless", version=2, reach=Reach.FRAME, gives=State.STRETCHED)
def stretch_apart(image: Image, p: Starless) -> Image:
    """Stretch the stars and the background each in its own way, and join them: faint clouds show, stars stay small.

    Stars are taken out first (see `extract:starless`); they are coded as a screen does (sRGB), their profiles raised to
    a power that makes them narrower, and laid over the stretched background, 1 - (1 - background)(1 - stars). Levels
    are fractions of white: the saturation level, or the largest value where no saturation is known.

    Flags: OR-ed over the channels. Plate: kept. Variance: dropped, for that of what is drawn in behind stars is not
    known. Unit: normalised.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:64, :64]
    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64)) + 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 4)
    >>> out = stretch_apart(Image(sky), Starless()).data
    >>> 0.15 < float(np.median(out)) < 0.35
    True
    """
    image = normalised(image.replace(variance=None))
    parts = split_stars(image, p, "stretch:starless")
    background = parts.starless.replace(data=parts.starless.data * np.float32(p.bg_bright))
    if p.method == "hdr":
        shown = hdr(background, Hdr())
    elif p.method == "linear":
        shown = colorimetric(background, Colorimetric(bright=1.0))
    elif p.method == "asinh":
        shown = asinh(background, Asinh())
    else:
        shown = midtones(background, Midtones())
    light = np.clip(parts.stars.data * np.float32(p.star_bright), 0, 1)
    # A Gaussian to the power q has 1 / sqrt(q) of its width; the peak of the brightest channel stays what it is.
    coded = _narrower(srgb.curve(light), parts.mask, p.star_shrink)
    data = 1 - (1 - np.clip(shown.data, 0, 1)) * (1 - coded)
    return image.replace(data=data.astype(np.float32), flags=joined_flags(image))


def _narrower(stars: np.ndarray, mask: np.ndarray, shrink: float) -> np.ndarray:
    """Each star with its profile, as a share of its own peak, raised to a power."""
    if shrink == 1 or not mask.any():
        return stars
    from scipy.ndimage import label, maximum

    labels, count = label(mask)
    brightest = stars.max(axis=0)
    peaks = np.concatenate([[1.0], maximum(brightest, labels, np.arange(1, count + 1))]).astype(np.float32)
    share = np.clip(brightest / np.maximum(peaks[labels], np.float32(1e-6)), 0, 1)
    return stars * share ** np.float32(1 / shrink**2 - 1)
