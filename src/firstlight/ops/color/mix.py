"""Channels mixed by a matrix."""

from __future__ import annotations

import numpy as np
from pydantic import field_validator

from firstlight.errors import InputError
from firstlight.kernels.mixing import mix_channels
from firstlight.model.image import Image
from firstlight.ops.parts import across, each_row_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import set_bits
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


@operation("color:mix", version=2, reach=Reach.PIXEL)
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
    shape = (len(matrix), *image.shape[1:])

    def summed(array: np.ndarray, shares: np.ndarray) -> np.ndarray:
        x, out = across(array), np.empty(shape, np.float32)
        each_row_part(shape, lambda first, last: mix_channels(x, first, last, shares, across(out)))
        return out

    m = matrix.astype(np.float32)
    variance = None if image.variance is None else summed(image.variance, m**2)
    return image.replace(data=summed(image.data, m), variance=variance, flags=_flags_of_shares(image, m))


def _flags_of_shares(image: Image, matrix: np.ndarray) -> np.ndarray:
    """Flags OR-ed over the channels that have a share; one without must not bring its gaps along."""
    if not set_bits(image):
        return image.flags if len(matrix) == image.shape[0] else np.zeros((len(matrix), *image.shape[1:]), np.uint16)
    out = np.zeros((len(matrix), *image.shape[1:]), np.uint16)
    for row, plane in zip(matrix, out):
        for channel in np.flatnonzero(row):
            plane |= image.flags[channel]
    return out
