"""Applying a model of the sky's gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.mosaic import refuse_mosaic

Mode = Literal["subtract", "divide"]

Model = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From a plane (y, x) and where it is good (boolean) to the surface of its sky, float64 (y, x)."""


def without_gradient(step: str, image: Image, model: Model, mode: Mode) -> Image:
    """The image with the model of each channel subtracted or divided out, and each channel's median kept.

    Raises
    ------
    InputError
        A CFA mosaic; ``divide`` where the model is not above 0 everywhere.
    """
    refuse_mosaic(step, image)
    data = np.empty_like(image.data)
    variance = image.variance if mode == "subtract" or image.variance is None else np.empty_like(image.data)
    for channel, plane in enumerate(image.data):
        good = image.good[channel]
        if not good.any():
            data[channel] = plane
            if mode == "divide" and variance is not None:
                variance[channel] = image.variance[channel]
            continue
        surface = model(plane, good)
        whole = bool(good.all())
        level = _median(plane, good, whole)
        if mode == "subtract":
            data[channel] = plane - surface
            data[channel] += np.float32(level - _median(data[channel], good, whole))
            continue
        if not surface.min() > 0:
            raise InputError(
                f"{step}: mode=divide, but the sky goes down to {surface.min():.3g} {image.unit}; "
                "only light can be divided: use mode=subtract, or leave the sky in the image"
            )
        factor = (float(np.median(surface)) / surface).astype(np.float32)
        factor *= np.float32(level / _median(plane * factor, good, whole)) if level > 0 else np.float32(1)
        data[channel] = plane * factor
        if variance is not None:
            variance[channel] = image.variance[channel] * factor**2
    return image.replace(data=data, variance=variance)


def _median(plane: np.ndarray, good: np.ndarray, whole: bool) -> float:
    return float(np.median(plane if whole else plane[good]))
