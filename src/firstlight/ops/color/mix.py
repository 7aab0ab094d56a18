"""Channels mixed by a matrix."""

from __future__ import annotations

import numpy as np
from pydantic import field_validator

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.numbers import parse_numbers


class Mix(Params):
    matrix: str = "1/0/0/0/1/0/0/0/1"
    """Row by row, the shares of the channels in each channel of the result: 9 numbers for three from three, 3 for grey
    from three, 6 for three from two."""

    @field_validator("matrix")
    @classmethod
    def _numbers(cls, text: str) -> str:
        if not parse_numbers(text):
            raise ValueError("a matrix needs numbers; write them as 1/0/0/0/1/0/0/0/1")
        return text


@operation("color:mix", reach=Reach.PIXEL)
def mix(image: Image, p: Mix) -> Image:
    """Make each channel a sum of shares of all channels: narrowband palettes, corrections of filters, grey.

    Flags: OR-ed over the channels that take part. Variance: squared shares, the channels taken as independent. Plate
    and unit: kept. Nothing is clipped.

    Raises
    ------
    InputError
        The numbers make no matrix with a column for each channel and one or three rows.

    >>> mix(Image(np.array([2.0, 4.0])[:, None, None]), Mix(matrix="1/0/0.5/0.5/0/1")).data.ravel().tolist()
    [2.0, 3.0, 4.0]
    """
    numbers = parse_numbers(p.matrix)
    channels = image.shape[0]
    rows = len(numbers) // channels
    if rows not in (1, 3) or rows * channels != len(numbers):
        raise InputError(
            f"color:mix: a matrix of {len(numbers)} numbers, and the image has {channels} channel(s); "
            f"{channels} (for grey) or {3 * channels} (for colour) are needed"
        )
    return mixed(image, np.array(numbers).reshape(rows, channels))


def mixed(image: Image, matrix: np.ndarray) -> Image:
    """The channels times a matrix (rows, channels)."""
    m = matrix.astype(np.float32)
    # A channel without a share must not bring its gaps along.
    parts = [[(c, share) for c, share in enumerate(row) if share] or [(0, np.float32(0))] for row in m]

    def summed(array: np.ndarray, power: int) -> np.ndarray:
        return np.stack([sum(share**power * array[c] for c, share in row) for row in parts])  # type: ignore[misc]

    return image.replace(
        data=summed(image.data, 1),
        variance=None if image.variance is None else summed(image.variance, 2),
        flags=np.stack([np.bitwise_or.reduce([image.flags[c] for c, _ in row]) for row in parts]),
    )
