"""Bands that grow with the light."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.contrast.inpaint import inpainted
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.noise.debanding import Debanding, bands_of
from firstlight.ops.registry import Reach, operation
from firstlight.units import Sigma, SubPx


class FlatDebanding(Debanding):
    mask: Annotated[Sigma, Field(ge=0.1, le=100)] = 0.5
    """Pixels brighter than their surroundings by so many times the scatter have no say."""
    envelope: Annotated[SubPx, Field(ge=2, le=1000)] = 128.0
    """Sigma of the Gaussian that says how bright the surroundings are."""


@operation("nr:flatdebanding", reach=Reach.FRAME)
def remove_bands_of_light(image: Image, p: FlatDebanding) -> Image:
    """Remove bands that are a share of the light, as columns of unequal gain leave them.

    The picture over its own smooth envelope goes through the filter of ``nr:debanding``, and the bands found are scaled
    by the envelope. For images whose level is above 0 everywhere: flats, twilight, light before the sky is subtracted.

    Flags, plate and unit: kept. Variance: kept, for the mean of a line of n pixels adds less than 1 / n of it. Pixels
    without a number take no part; a channel whose envelope is not above 0 everywhere is left as it is.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> gain = np.tile(np.where(np.arange(256) % 2, 1.02, 0.98)[:, None], (1, 128))
    >>> light = gain * np.linspace(100, 300, 128) + np.random.default_rng(1).normal(0, 0.5, (256, 128))
    >>> level = remove_bands_of_light(Image(light), FlatDebanding(envelope=16)).data[0]
    >>> bool(np.abs(np.diff(level, axis=0)).mean() < 0.3 * np.abs(np.diff(light, axis=0)).mean())
    True
    """
    from scipy.ndimage import gaussian_filter

    refuse_mosaic("nr:flatdebanding", image)
    data = image.data.copy()
    for channel, plane in enumerate(image.data):
        good = ~has(image.flags[channel], EXCLUDED)
        if not good.any():
            continue
        envelope = gaussian_filter(inpainted(plane, ~good), p.envelope, mode="nearest")
        if envelope.min() > 0:
            bands = envelope * bands_of(plane / envelope, good, p)
            data[channel] = np.where(good, plane - np.float32(p.amount) * bands, plane)
    return image.replace(data=data)
