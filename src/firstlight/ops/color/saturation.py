"""Stronger or weaker colours."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.asinh import WEIGHTS
from firstlight.ops.stretch.levels import joined_flags


class Saturation(Params):
    factor: Annotated[float, Field(ge=0, le=10)] = 1.5
    """Distance of each colour from grey is multiplied by this; 0 gives a grey picture."""
    luminance: Literal["human", "equal"] = "human"
    """Weights of the colours in the grey."""


@operation("color:saturation", reach=Reach.PIXEL)
def saturation(image: Image, p: Saturation) -> Image:
    """Move each colour away from (or towards) the luminance of its pixel, which stays.

    Nothing is clipped; apply it after the stretch, where the background has little colour noise left. Flags: OR-ed over
    the channels, which share their luminance. Variance: exact, from all channels, taken as independent. Plate and unit:
    kept.

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
    mix = p.factor * np.eye(3, dtype=np.float32) + np.float32(1 - p.factor) * weights
    variance = None if image.variance is None else np.tensordot(mix**2, image.variance, axes=1)
    return image.replace(data=np.tensordot(mix, image.data, axes=1), variance=variance, flags=joined_flags(image))
