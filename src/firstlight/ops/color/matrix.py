"""Named mixtures of channels."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.mix import mixed
from firstlight.ops.registry import Params, Reach, operation

MATRICES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "cls": ((1, 0, 0), (0, 1, 0), (0, -0.56, 1.96)),
    "zworgb-o3-fix": ((1, 0, 0), (0, 1, 0), (0, 1, 1)),
    "sho-2-hso": ((1, 1, 0), (0.5, 0, 1), (0, 0, 1)),
    "sho-warm": ((0.75, 0.35, 0), (0, 0.65, 0.35), (0, 0, 1)),
    "hago": ((1, 0, 0), (0, 0.5, 0.5), (0, 0, 1)),
    "sho2hoo": ((0.5, 0.5, 0), (0, 0, 1), (0, 0, 1)),
    "sho2hso": ((0.7, 1, 0), (0.5, 0, 0.7), (0, 0, 1)),
    "rgb2hoo": ((1, 0, 0), (0, 1, 1), (0, 1, 1)),
}
"""Rows: red, green and blue of the result; columns: shares of the channels of the image."""


class Matrix(Params):
    name: Literal["cls", "zworgb-o3-fix", "sho-2-hso", "sho-warm", "hago", "sho2hoo", "sho2hso", "rgb2hoo"] = "cls"
    """Which mixture; `firstlight wb list` shows them. Numbers of your own go into `color:mix`."""


@operation("color:matrix", reach=Reach.PIXEL)
def matrix(image: Image, p: Matrix) -> Image:
    """Mix the channels by a named matrix: casts of filters (``cls``), narrowband channels in other colours.

    Flags: OR-ed over the channels that take part. Variance: squared shares, the channels taken as independent. Plate
    and unit: kept. Nothing is clipped.

    References
    ----------
    The matrices are those of cvastrophoto.

    Raises
    ------
    InputError
        If the image has no three channels.

    >>> matrix(Image(np.array([1.0, 2.0, 4.0])[:, None, None]), Matrix(name="sho2hoo")).data.ravel().tolist()
    [1.5, 4.0, 4.0]
    """
    need_three("color:matrix", image)
    return mixed(image, np.array(MATRICES[p.name]))
