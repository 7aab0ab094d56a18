"""How an image is shown: the settings of a picture, the cuts between black and white, colour maps."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError, nearest
from firstlight.io.icc import Space
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.chain import apply
from firstlight.ops.registry import Params
from firstlight.ops.spec import step
from firstlight.ops.stretch.sample import trusted
from firstlight.units import Percent, Px


class PictureSettings(Params):
    """How an image is shown."""

    cuts: Literal["auto", "midtones", "percentile", "zscale", "asinh", "minmax", "none"] = "auto"
    """How light becomes brightness. ``auto``: by midtones if it is linear, else as it is."""
    low: Annotated[Percent, Field(ge=0, le=100)] = 2.0
    """Of ``percentile`` and ``asinh``: this percentile is black."""
    high: Annotated[Percent, Field(ge=0, le=100)] = 99.5
    """Of ``percentile`` and ``asinh``: this percentile is white."""
    gamma: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    """The picture is raised to 1 / gamma."""
    saturation: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Colours are made so much stronger."""
    negative: bool = False
    """Black sky on white paper, or the other way round."""
    bin: Annotated[Px, Field(ge=1, le=64)] = 1
    """So many by so many pixels are averaged to one."""
    width: Annotated[Px, Field(ge=0, le=100_000)] = 0
    """The picture is made no wider than this; 0: as wide as the image."""
    map: str = ""
    """Colour map for images without colours, such as viridis; empty: grey."""
    bar: bool = False
    """Show a bar with the colours and their values."""
    scale: bool = False
    """Show a bar of a round length on the sky; the image needs a plate."""
    north: bool = False
    """Show arrows to north and east; the image needs a plate."""
    title: str = ""
    """Written above the picture."""
    caption: str = ""
    """Written below the picture."""
    quality: Annotated[int, Field(ge=1, le=100)] = 92
    """Of JPEG."""
    profile: Space = "srgb"
    """Colour space of PNG, JPEG and TIFF: ``srgb`` for screens; ``display-p3``, ``adobe-rgb`` and, with 16 bits,
    ``prophoto`` keep colours that are stronger than those of sRGB, for programs that heed profiles."""
    bits: Literal[8, 16, 32] = 8
    """Bits a colour: 16 for PNG and TIFF, 32 (float) for TIFF."""


def with_cuts(image: Image, p: PictureSettings) -> Image:
    cuts = p.cuts
    if cuts == "auto":
        cuts = "midtones" if image.state == State.LINEAR else "none"
    if cuts == "midtones":
        return apply(image, step("stretch:midtones"))
    if cuts == "none":
        if image.state == State.STRETCHED:
            return image
        return apply(image, step("stretch:linear"))
    if not p.low < p.high:
        raise InputError(f"picture: low={p.low:g}, high={p.high:g}; low must be below high")
    samples = np.concatenate([trusted(image, c) for c in range(image.shape[0])])
    if cuts == "zscale":
        from astropy.visualization import ZScaleInterval

        low, high = ZScaleInterval().get_limits(samples)
    elif cuts == "minmax":
        low, high = float(samples.min()), float(samples.max())
    else:
        low, high = np.percentile(samples, [p.low, p.high])
    span = max(float(high - low), 1e-9 * max(abs(float(high)), 1.0))
    data = (image.data - np.float32(low)) / np.float32(span)
    image = image.replace(data=data, unit=PixelUnit.NORMALISED, state=State.STRETCHED)
    if cuts == "asinh":
        return apply(image, step("stretch:asinh", beta=30.0))
    return image


def in_colours(data: np.ndarray, name: str) -> np.ndarray:
    from matplotlib import colormaps

    if data.shape[0] != 1:
        raise InputError("picture: map: the image has colours of its own; colour maps are for images without")
    if name not in colormaps:
        raise InputError(f"picture: map: there is no colour map {name!r}{nearest(name, list(colormaps)) or ''}")
    table = colormaps[name](np.arange(256))[:, :3].astype(np.float32)
    return table[np.rint(data[0] * 255).astype(int)].transpose(2, 0, 1)
