"""Operations that measure the whole image and then treat each pixel by itself, row by row.

Each `Look` sees some rows and keeps little of them; the order is free. So an image in memory is looked at in parts, by
as many hands as are lent, and a large file band by band; the bytes of the result are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from firstlight.model.image import Image
from firstlight.ops.parts import each_part


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of an image, in order; views where they follow each other."""

    data: np.ndarray
    """float32 (channel, row, x)."""
    flags: np.ndarray
    mask: np.ndarray | None = None
    """Pixels of a further image of the same size, where one was given."""

    @classmethod
    def of(cls, image: Image, rows: np.ndarray, mask: Image | None = None) -> Rows:
        at: slice | np.ndarray = rows
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
            at = slice(int(rows[0]), int(rows[-1]) + 1)
        return cls(image.data[:, at], image.flags[:, at], None if mask is None else mask.data[:, at])


@dataclass(frozen=True, eq=False)
class Look:
    """What is measured on some rows alone."""

    rows: np.ndarray
    """Ascending; of a mosaic whole cells of two rows, as far as the image goes."""
    see: Callable[[Rows], Any]


@dataclass(frozen=True, eq=False)
class Survey:
    """What an operation measures of an image, and what it does when it knows."""

    looks: list[Look]
    settle: Callable[[list[Any]], Callable[[Image, int], Image]]
    """From what was seen, in the order of the looks, to the work on any rows: the band, and the number of its first
    row."""

    def seen(self, image: Image, mask: Image | None = None) -> list[Any]:
        """What the looks see of an image in memory."""
        return each_part(lambda look: look.see(Rows.of(image, look.rows, mask)), self.looks)
