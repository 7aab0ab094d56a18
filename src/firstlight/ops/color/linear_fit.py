"""Channels brought to one level and scale."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.model.image import Image
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.color.join import split
from firstlight.ops.color.together import block_means, fit_line
from firstlight.ops.registry import Params, Reach, operation


class LinearFit(Params):
    reference: Literal["brightest", "red", "green", "blue"] = "brightest"
    """The channel that stays; ``brightest``: that with the largest scale."""


@operation("color:linearfit", reach=Reach.FRAME)
def linear_fit(image: Image, p: LinearFit) -> Image:
    """Bring each channel to the level and the scale of one of them, by the line that fits their pixels best.

    Means of blocks of 8 x 8 px are compared, outliers by 3 sigma left out; both channels are taken as noisy. What all
    channels show alike turns grey: of narrowband images that is most of the light, of broadband ones use a true colour
    calibration instead.

    Flags, plate and unit: kept. Variance: times the squared factor, the line is taken as exact.

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> grey = np.add.outer(np.arange(32.0), np.arange(32.0))
    >>> out = linear_fit(Image(np.stack([grey, 0.5 * grey + 7, 0.1 * grey])), LinearFit(reference="red"))
    >>> bool(np.ptp(out.data, axis=0).max() < 1e-3)
    True
    """
    need_three("color:linearfit", image)
    planes = [block_means(split(image, c)) for c in range(3)]
    if p.reference == "brightest":
        scales = [fit_line(planes[0], plane)[0] for plane in planes]
        reference = int(np.argmax(scales))
    else:
        reference = NAMES.index(p.reference)
    data = image.data.copy()
    variance = None if image.variance is None else image.variance.copy()
    for c in range(3):
        if c != reference:
            factor, summand = fit_line(planes[c], planes[reference])
            data[c] = data[c] * np.float32(factor) + np.float32(summand)
            if variance is not None:
                variance[c] *= np.float32(factor**2)
    return image.replace(data=data, variance=variance)
