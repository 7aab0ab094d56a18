"""Variance from gain and read noise."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Adu, Electrons, Unit


class NoiseModel(Params):
    gain: Annotated[float, Field(ge=0), Unit("e-/adu")] = 0.0
    """Electrons per adu; 0: as the header says."""
    read_noise: Annotated[Electrons, Field(ge=0)] = 0.0
    """Noise of one reading; 0: as the header says."""
    bias: Adu = 0.0
    """Level in the pixels that is not light or dark current and has no photon noise: 0 once the bias is subtracted."""


@operation("cal:noisemodel", reach=Reach.PIXEL, demands=State.LINEAR)
def noise_model(image: Image, p: NoiseModel) -> Image:
    """Give the image the variance that its detector promises: (read noise / gain)^2 + max(signal, 0) / gain, in adu^2.

    Right on frames that count light: after the bias and before dark and flat, which then add to it and scale it, or on
    the frame as read with ``bias`` given. The pixel's own value stands for its mean, so that single values are slightly
    off for faint light; their mean is right.

    Flags, plate and unit: kept. Variance: replaced.

    Raises
    ------
    InputError
        Gain or read noise is neither given nor in the header, or the image is not in adu.

    >>> noise_model(Image([[0.0, 100.0]]), NoiseModel(gain=2, read_noise=4)).variance.ravel().tolist()
    [4.0, 54.0]
    """
    if image.unit != PixelUnit.ADU:
        raise InputError(f"cal:noisemodel: the image is in {image.unit}; it must be in adu, as read")
    gain = p.gain or image.meta.gain
    read_noise = p.read_noise or image.meta.read_noise
    for name, value, unit in (("gain", gain, "e-/adu"), ("read_noise", read_noise, "e-")):
        if not value or not value > 0:
            raise InputError(f"cal:noisemodel: the header does not give the {name}; write it: {name}=... ({unit})")
    signal = np.maximum(image.data - np.float32(p.bias), 0)
    # Where there is no number there is no light to count either: read noise alone.
    signal = np.where(np.isfinite(signal), signal, np.float32(0))
    return image.replace(variance=np.float32((read_noise / gain) ** 2) + signal / np.float32(gain))
