"""One grey channel."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.mix import mixed
from firstlight.ops.registry import Params, Reach, operation

WEIGHTS = {"human": (0.299, 0.587, 0.114), "equal": (1 / 3, 1 / 3, 1 / 3), "green": (0.0, 1.0, 0.0)}
"""Shares of red, green and blue; ``human`` is the luma of ITU-R BT.601."""


class Grey(Params):
    weights: Literal["human", "equal", "green", "direct"] = "human"
    """``human``: 0.299 red + 0.587 green + 0.114 blue. ``equal``: their mean. ``green``: the green channel alone.
    ``direct``: the samples of a mosaic as they are, each of its own colour, at full resolution (balance them first)."""


@operation("color:grey", version=2, reach=Reach.PIXEL)
def grey(image: Image, p: Grey) -> Image:
    """Make one grey channel of red, green and blue, or of the samples of a mosaic.

    Flags: OR-ed over the colours that take part. Variance: squared weights, the colours taken as independent. Plate and
    unit: kept. The gain (e-/adu) in the header is divided by the sum of the squared weights, the read noise (e-) by its
    root: that of the mean of three like colours. Saturation stays: from there on a colour may be full.

    Raises
    ------
    InputError
        If the image has no three channels, or is no mosaic for ``direct``.

    >>> pixel = Image(np.array([100.0, 200.0, 300.0])[:, None, None])
    >>> [round(float(grey(pixel, Grey(weights=w)).data[0, 0, 0]), 3) for w in ("human", "equal", "green")]
    [181.5, 200.0, 200.0]
    """
    meta = image.meta
    if p.weights == "direct":
        if image.shape[0] != 1 or meta.cfa is None:
            pattern = "no CFA pattern" if meta.cfa is None else f"the pattern {meta.cfa}"
            raise InputError(
                f"color:grey: the image has {image.shape[0]} channel(s) and {pattern}; weights=direct takes a mosaic; "
                "use weights=human, equal or green"
            )
        return image.replace(meta=meta.replace(cfa=None))
    need_three("color:grey", image)
    weights = np.array([WEIGHTS[p.weights]], np.float32)
    squared = float((weights**2).sum())
    return mixed(image, weights).replace(
        meta=meta.replace(
            gain=meta.gain and meta.gain / squared, read_noise=meta.read_noise and meta.read_noise / squared**0.5
        )
    )
