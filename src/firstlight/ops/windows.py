"""Images that are looked at a band of rows at a time, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from firstlight.model.image import Image


class Source(Protocol):
    """Where bands come from."""

    shape: tuple[int, int, int]

    def band(self, top: int, bottom: int) -> Image:
        """Rows top <= y < bottom."""
        ...


BandWork = Callable[[Image, int], Image]
"""(a band, its first row in the image) -> the band, done."""


@dataclass(frozen=True, eq=False)
class ImageSource:
    """An image in memory.

    >>> ImageSource(Image(np.arange(6.0).reshape(3, 2))).band(1, 2).data.tolist()
    [[[2.0, 3.0]]]
    """

    image: Image

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.image.shape

    def band(self, top: int, bottom: int) -> Image:
        image, rows = self.image, np.s_[:, top:bottom]
        if top <= 0 and bottom >= image.shape[1]:
            return image
        return image.replace(
            data=image.data[rows],
            flags=image.flags[rows],
            variance=None if image.variance is None else image.variance[rows],
        )
