"""A detector's answer made proportional to the light."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Adu, Unit


class Linearity(Params):
    second: Annotated[float, Field(ge=-1e-3, le=1e-3), Unit("1/adu")] = 0.0
    """Coefficient of the square of the signal; `firstlight detector` measures it."""
    third: Annotated[float, Field(ge=-1e-6, le=1e-6), Unit("1/adu2")] = 0.0
    """Coefficient of the cube of the signal."""
    bias: Adu = 0.0
    """Level in the pixels that is no signal: 0 once the bias is subtracted."""


@operation("cal:linearity", reach=Reach.PIXEL, demands=State.LINEAR)
def linearity(image: Image, p: Linearity) -> Image:
    """Correct non-linearity: s becomes s + second s^2 + third s^3, with s the signal above the bias.

    Apply it to lights, darks and flats alike, before dark and flat: what bends is the sum of light and dark current.
    Faint pixels stay as they are. Where the polynomial turns over (beyond what was measured), it goes on as a straight
    line.

    Flags: kept. Variance: times the square of the slope. Plate and unit: kept. The saturation level in the header moves
    along.

    Raises
    ------
    InputError
        The image is not in adu, or was corrected for dark or flat already.

    >>> linearity(Image([[0.0, 1000.0]]), Linearity(second=1e-5)).data.ravel().tolist()
    [0.0, 1010.0]
    """
    if image.unit != PixelUnit.ADU:
        raise InputError(f"cal:linearity: the image is in {image.unit}; it must be in adu, as read")
    done = sorted(image.meta.calibrated & {"dark", "flat"})
    if done:
        raise InputError(
            f"cal:linearity: the image is corrected for {' and '.join(done)} already; make this an earlier step, "
            "for the darks and flats too"
        )
    top = _turning_point(p)
    signal = image.data - np.float32(p.bias)
    value, slope = _corrected(signal, p, top)
    variance = None if image.variance is None else (image.variance * slope**2).astype(np.float32)
    saturation = image.meta.saturation
    if saturation is not None:
        white, _ = _corrected(np.array(saturation - p.bias), p, top)
        saturation = float(white) + p.bias
    data = (value + p.bias).astype(np.float32)
    return image.replace(data=data, variance=variance, meta=image.meta.replace(saturation=saturation))


def _corrected(signal: np.ndarray, p: Linearity, top: float) -> tuple[np.ndarray, np.ndarray]:
    """The polynomial and its slope, float64; below zero and above ``top`` straight lines."""
    s = np.clip(signal, 0.0, top, dtype=np.float64)
    slope = np.where(signal < 0, 1.0, 1 + 2 * p.second * s + 3 * p.third * s * s)
    return s + p.second * s**2 + p.third * s**3 + (signal - s) * slope, slope


def _turning_point(p: Linearity) -> float:
    """Signal up to which the slope stays above 0.2."""
    a, b, c = 3 * p.third, 2 * p.second, 0.8
    if a == 0:
        return -c / b if b < 0 else np.inf
    inside = b * b - 4 * a * c
    if inside < 0:
        return np.inf
    roots = [(-b + sign * inside**0.5) / (2 * a) for sign in (1, -1)]
    return min((root for root in roots if root > 0), default=np.inf)
