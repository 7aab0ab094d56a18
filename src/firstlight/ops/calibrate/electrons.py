"""From the numbers of the converter to electrons."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Unit


class ToElectrons(Params):
    gain: Annotated[float, Field(ge=0), Unit("e-/adu")] = 0.0
    """Electrons per adu; 0: as the header says."""


@operation("cal:electrons", reach=Reach.PIXEL, demands=State.LINEAR)
def to_electrons(image: Image, p: ToElectrons) -> Image:
    """Multiply by the gain: pixels count electrons.

    Flags and plate: kept. Variance: times the gain squared. Unit: electron. The header keeps the gain used and the
    saturation, which stay in e-/adu and adu.

    Raises
    ------
    InputError
        The image is not in adu, or the gain is neither given nor in the header.

    >>> to_electrons(Image([[10.0]]), ToElectrons(gain=1.5)).data.item()
    15.0
    """
    if image.unit != PixelUnit.ADU:
        raise InputError(f"cal:electrons: the image is in {image.unit}; it must be in adu")
    gain = p.gain or image.meta.gain
    if not gain or not gain > 0:
        raise InputError("cal:electrons: the header does not give the gain; write it: gain=... (e-/adu)")
    variance = None if image.variance is None else image.variance * np.float32(gain) ** 2
    return image.replace(
        data=image.data * np.float32(gain),
        variance=variance,
        unit=PixelUnit.ELECTRON,
        meta=image.meta.replace(gain=gain),
    )
