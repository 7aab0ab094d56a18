"""Inverse hyperbolic sine stretch that keeps colours."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.kernels.curves import boost_asinh
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import joined_flags, normalised, white_level
from firstlight.units import Unit

WEIGHTS = {"equal": (1 / 3, 1 / 3, 1 / 3), "human": (0.2126, 0.7152, 0.0722)}
"""Shares of red, green and blue in the luminance; ``human`` is that of ITU-R BT.709."""
SMALL = 1e-12


class Asinh(Params):
    beta: Annotated[float, Field(gt=0, le=1e6)] = 100.0
    """Strength: faint light is brightened up to beta / asinh(beta) times."""
    black: Annotated[float, Field(ge=-1, lt=1), Unit("of white")] = 0.0
    """This level becomes 0."""
    luminance: Literal["human", "equal"] = "human"
    """Weights of the colours in the luminance that decides how much a pixel is brightened."""
    inverse: bool = False
    """Undo it: from the stretched picture back to linear values (what was clipped stays clipped)."""


@operation("stretch:asinh", reach=Reach.PIXEL, gives=State.STRETCHED)
def asinh(image: Image, p: Asinh) -> Image:
    """Brighten faint light by an asinh curve of the luminance; the ratio of the colours in a pixel stays.

    y = x asinh(beta L) / (L asinh(beta)) with x the channel and L the luminance, both above black as fractions of what
    lies between black and white (the saturation level, or the largest value where no saturation is known). Results
    outside 0 to 1 are clipped, which is where saturated colours may turn.

    Flags: OR-ed over the channels, which share their luminance. Plate: kept. Variance: first order, from all channels;
    0 where clipped; dropped by the inverse. Unit: normalised.

    References
    ----------
    Lupton et al. 2004, PASP 116, 133.

    >>> y = asinh(Image([[0.0, 1.0, 100.0]]), Asinh(beta=100)).data.ravel()
    >>> [round(float(v), 3) for v in y]
    [0.0, 0.166, 1.0]
    """
    if p.inverse:
        return _undone(normalised(image), p)
    weights = _weights(image.shape[0], p)
    if image.variance is None:
        return _without_noise(image, weights, p)
    image = normalised(image)
    x = (image.data - np.float32(p.black)) * np.float32(1 / (1 - p.black))
    luminance = np.tensordot(weights, x, axes=1)
    boost = _boost(luminance, p)
    data = x * boost
    slope = _slope(luminance, boost, p)
    given = image.variance * np.float32(1 / (1 - p.black) ** 2)
    shared = np.tensordot(weights**2, given, axes=1)
    variance = np.empty_like(data)
    for channel, weight in enumerate(weights):
        through = x[channel] * slope
        own = (boost + weight * through) ** 2 - (weight * through) ** 2
        variance[channel] = own * given[channel] + through**2 * shared
    variance = np.where((data < 0) | (data > 1), np.float32(0), np.maximum(variance, 0))
    return image.replace(data=np.clip(data, 0, 1), variance=variance, flags=joined_flags(image))


def _without_noise(image: Image, weights: np.ndarray, p: Asinh) -> Image:
    """The same in one pass, for images without variance."""
    white = white_level(image)
    data = np.empty_like(image.data)
    flat = (len(data), -1)
    boost_asinh(
        np.ascontiguousarray(image.data).reshape(flat), weights, np.float32(p.black * white),
        np.float32(1 / (white * (1 - p.black))), np.float32(p.beta), data.reshape(flat),
    )  # fmt: skip
    return image.replace(data=data, unit=PixelUnit.NORMALISED, flags=joined_flags(image))


def _undone(image: Image, p: Asinh) -> Image:
    """The luminance is found again from that of the picture; then the colours from their ratio to it."""
    shown = np.clip(image.data, 0, 1)
    luminance = np.tensordot(_weights(image.shape[0], p), shown, axes=1)
    linear = np.sinh(luminance * np.float32(np.arcsinh(p.beta))) / np.float32(p.beta)
    small = np.abs(luminance) < SMALL
    ratio = np.where(small, np.float32(np.arcsinh(p.beta) / p.beta), linear / np.where(small, 1, luminance))
    data = np.float32(p.black) + np.float32(1 - p.black) * shown * ratio
    return image.replace(data=data.astype(np.float32), variance=None, flags=joined_flags(image))


def _weights(channels: int, p: Asinh) -> np.ndarray:
    return np.array(WEIGHTS[p.luminance] if channels == 3 else [1 / channels] * channels, np.float32)


def _boost(luminance: np.ndarray, p: Asinh) -> np.ndarray:
    """asinh(beta L) / (L asinh(beta)); its limit at 0."""
    small = np.abs(luminance) < SMALL
    safe = np.where(small, np.float32(1), luminance)
    return np.where(small, np.float32(p.beta), np.arcsinh(p.beta * safe) / safe) / np.float32(np.arcsinh(p.beta))


def _slope(luminance: np.ndarray, boost: np.ndarray, p: Asinh) -> np.ndarray:
    """d boost / d L."""
    reach = p.beta * luminance
    near = np.abs(reach) < 0.02
    safe = np.where(near, np.float32(1), luminance)
    far = (p.beta / (np.sqrt(1 + reach**2) * np.float32(np.arcsinh(p.beta))) - boost) / safe
    # The difference above loses all digits near 0; there the series -beta^3 L / 3 stands in.
    return np.where(near, -(p.beta**3) * luminance / (3 * np.arcsinh(p.beta)), far).astype(np.float32)


def curve(x: np.ndarray, p: Asinh) -> np.ndarray:
    """The stretch of normalised values of a grey pixel."""
    x = (x - p.black) / (1 - p.black)
    return np.clip(np.arcsinh(p.beta * x) / np.arcsinh(p.beta), 0.0, 1.0)


def inverse(y: np.ndarray, p: Asinh) -> np.ndarray:
    """Undo `curve` for values between black and white."""
    return p.black + (1 - p.black) * np.sinh(y * np.arcsinh(p.beta)) / p.beta
