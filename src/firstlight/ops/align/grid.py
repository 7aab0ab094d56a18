"""The pixel grid of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from firstlight.errors import InputError
from firstlight.model.pixel_map import PixelMap, plate_after
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform

LARGEST = 8.0
"""A union larger than this many times the reference frame is refused: a wrong transform, or a mosaic."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Height and width, and the map from reference positions to positions on the grid."""

    height: int
    width: int
    from_reference: Transform

    def plate(self, known: Plate | None, scale: float = 1.0) -> Plate | None:
        """The plate of the reference on the grid, or on one of ``scale`` as many pixels along an axis."""
        if known is None:
            return None
        # Half a pixel of the new grid less half a pixel of the reference.
        x, y = (float(scale * shift + 0.5 * (scale - 1)) for shift in self.from_reference.matrix[:2, 2])
        moved = plate_after(known, PixelMap(scale=scale, x0=x, y0=y))
        return moved and replace(moved, cards={k: v for k, v in moved.cards.items() if k not in ("NAXIS1", "NAXIS2")})


def plan_grid(shape: tuple[int, int], transforms: Sequence[Transform], framing: str) -> Grid:
    """Grid that covers the reference frame, or (``union``) every frame.

    >>> plan_grid((100, 200), [Transform.of_shift(-10.0, 5.5)], "union").width
    210
    """
    height, width = shape
    if framing == "reference":
        return Grid(height, width, Transform.identity())
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
    mapped = np.concatenate([corners, *(transform(corners) for transform in transforms)])
    low, high = np.floor(mapped.min(axis=0)), np.ceil(mapped.max(axis=0))
    new_width, new_height = (int(v) + 1 for v in high - low)
    if new_width * new_height > LARGEST * width * height:
        raise InputError(
            f"framing union: {new_width} x {new_height} px would be {new_width * new_height / (width * height):.0f} "
            f"times the frame; at most {LARGEST:.0f}; use framing reference, or mosaic if these are panels of one field"
        )
    return Grid(new_height, new_width, Transform.of_shift(-low[0], -low[1]))
