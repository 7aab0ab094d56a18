"""Quads of stars by their shape, of the whole sky or of a part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Level:
    """Quads of one size and the stars they are made of."""

    shortest: float
    """Radians; the longest sides of the quads are this to 1.41 times this long."""
    lowest: float
    columns: np.ndarray
    first: np.ndarray
    vectors: np.ndarray
    """Stars (n, 3) by cells; of each cell the brightest."""
    start: np.ndarray
    """First star of each cell, and the number of stars."""
    codes: np.ndarray
    """uint16 (m, 4), in order of bins and then of the third number."""
    members: np.ndarray
    """int32 (m, 4), stars of each quad."""
    bins: np.ndarray
    """First quad of each bin, and the number of quads."""


@dataclass(frozen=True, eq=False)
class QuadIndex:
    """Levels from small to large quads, and the catalogue they were made of."""

    levels: tuple[Level, ...]
    source: str = ""

    def __len__(self) -> int:
        """Quads."""
        return sum(len(level.codes) for level in self.levels)
