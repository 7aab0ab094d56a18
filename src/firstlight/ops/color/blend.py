"""Two images blended by a mask."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import SubPx


class Blend(Params):
    background_fit: bool = True
    """Bring the other image to the background of this one first, measured where the mask is dark."""
    feather: Annotated[SubPx, Field(ge=0, le=500)] = 0.0
    """Soften the mask by a Gaussian of this sigma."""


@operation("color:blend", reach=Reach.FRAME)
def blend(image: Image, p: Blend, other: Image, mask: Image) -> Image:
    """Show the other image where the mask is bright: a comet stack in a stack of stars, for one.

    The mask is scaled to 0..1 by its largest value; its channels are averaged. Where one of both images has no number
    the other stands in, for the eye: the flags stay.

    Flags: of the image, and those of the other where it takes part. Variance: of the weighted sum, both taken as
    independent; dropped if one has none. Plate and unit: kept.

    Raises
    ------
    InputError
        The images differ in channels or size, or the mask in size.

    >>> mask = Image([[0.0, 1.0]])
    >>> blend(Image([[1.0, 1.0]]), Blend(background_fit=False), Image([[5.0, 5.0]]), mask).data.ravel().tolist()
    [1.0, 5.0]
    """
    if other.shape != image.shape or mask.shape[1:] != image.shape[1:]:
        shown = ", ".join(" x ".join(map(str, i.shape)) for i in (image, other, mask))
        raise InputError(f"color:blend: image, other and mask are {shown}; they must be equal (the mask may be mono)")
    share = np.where(mask.good, mask.data, np.float32(0)).mean(axis=0)
    share = np.clip(share / max(float(share.max(initial=0.0)), 1e-30), 0, 1)
    if p.feather:
        from scipy.ndimage import gaussian_filter

        share = gaussian_filter(share, p.feather, mode="nearest")
    data = other.data
    if p.background_fit:
        data = data + _steps(image, other, share)[:, None, None]
    lost, gone = has(image.flags, EXCLUDED), has(other.flags, EXCLUDED)
    share = np.where(lost & ~gone, np.float32(1), np.where(gone & ~lost, np.float32(0), share)).astype(np.float32)
    mine, theirs = (np.where(share < 1, image.data, np.float32(0)), np.where(share > 0, data, np.float32(0)))
    variance = None
    if image.variance is not None and other.variance is not None:
        variance = (1 - share) ** 2 * image.variance + share**2 * other.variance
    flags = image.flags | np.where(share > 0, other.flags, np.uint16(0))
    return image.replace(data=(1 - share) * mine + share * theirs, variance=variance, flags=flags)


def _steps(image: Image, other: Image, share: np.ndarray) -> np.ndarray:
    """What each channel of the other lacks to the background of the image."""
    steps = np.zeros(image.shape[0], np.float32)
    bad = np.uint16(EXCLUDED | Flag.SATURATED)
    for channel in range(image.shape[0]):
        usable = ((image.flags[channel] | other.flags[channel]) & bad) == 0
        outside = usable & (share < 0.1)
        usable = outside if outside.sum() > 100 else usable
        if usable.any():
            steps[channel] = np.median(image.data[channel][usable]) - np.median(other.data[channel][usable])
    return steps
