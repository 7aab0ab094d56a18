"""Pieces of a plane that are deconvolved on their own, each by the point spread function of its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firstlight.ops.deconvolve.blur import Blur

SIDE = 1280
"""px: of a tile at most. What is thrown away at its rims shall be little, and its planes not many megabytes."""
CELLS = 8
"""Tiles along the longer side of a picture over which the point spread function changes, at least ..."""
SMALLEST = 192
"""... unless they would be smaller than this, px."""
OVERLAP = 32
"""px: over twice so many one tile fades into the next where their point spread functions differ."""
MARGIN = 2.5
"""Halves of the kernel that are deconvolved with a tile and thrown away; and at least ..."""
LEAST = 24
"""... so many px. Measured: what is cut off further away changes a restored pixel by less than 1e-4 of the noise."""


@dataclass(frozen=True, eq=False)
class Spread:
    """The point spread function over the field."""

    at: Callable[[float, float], np.ndarray]
    """Kernel (odd, odd) at a place (x, y) of the image, px."""
    varies: bool = False

    @classmethod
    def same(cls, kernel: np.ndarray) -> Spread:
        return cls(lambda x, y: kernel)


@dataclass(frozen=True)
class Tile:
    """A piece of a band of rows: where it is done, and where it counts."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    fade: int
    """px on both sides of its inner edges over which it fades into its neighbours."""

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y)."""
        return 0.5 * (sum(self.columns) - 1), 0.5 * (sum(self.rows) - 1)

    def window(self, margin: int, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The tile with so many px around it, within the plane."""
        return tuple(
            slice(max(first - margin, 0), min(last + margin, n))
            for (first, last), n in zip((self.rows, self.columns), shape)
        )  # type: ignore[return-value]

    def weight(self, shape: tuple[int, int]) -> np.ndarray:
        """How much of the pixels of ``window(fade)`` it gives, float32: 1 but for its rims."""
        down, across = (_ramp(first, last, self.fade, n) for (first, last), n in zip((self.rows, self.columns), shape))
        return down[:, None] * across[None, :]


def tiles(shape: tuple[int, int], varies: bool) -> list[list[Tile]]:
    """Tiles of a plane, in groups whose members do not touch each other.

    >>> [[tile.columns for tile in group] for group in tiles((500, 2000), False)]
    [[(0, 1000), (1000, 2000)]]
    """
    side = max(max(shape) // CELLS, SMALLEST) if varies else SIDE
    groups: list[list[Tile]] = [[], [], [], []]
    for j, rows in enumerate(_cut(shape[0], side)):
        for i, columns in enumerate(_cut(shape[1], side)):
            groups[2 * (j % 2) + i % 2 if varies else 0].append(Tile(rows, columns, OVERLAP if varies else 0))
    return [group for group in groups if group]


def margin_of(blur: Blur) -> int:
    """px around a tile that are deconvolved with it."""
    return max(round(MARGIN * blur.half), LEAST)


def _cut(length: int, side: int) -> list[tuple[int, int]]:
    number = max(-(-length // side), 1)
    return [(length * k // number, length * (k + 1) // number) for k in range(number)]


def _ramp(first: int, last: int, fade: int, length: int) -> np.ndarray:
    """Weights from first - fade to last + fade, within the plane: 1 inside, falling through 1/2 at inner edges."""
    at = np.arange(max(first - fade, 0), min(last + fade, length)) + 0.5
    weight = np.ones(len(at))
    if fade and first > 0:
        weight *= np.clip((at - (first - fade)) / (2 * fade), 0, 1)
    if fade and last < length:
        weight *= np.clip((last + fade - at) / (2 * fade), 0, 1)
    return weight.astype(np.float32)
