"""Amplifier glow: smooth light of the sensor's own electronics on long darks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CELLS = 24
"""Cells along the longer side in which the dark is compared."""
PLACES = (("top left", "top", "top right"), ("left", "centre", "right"), ("bottom left", "bottom", "bottom right"))


@dataclass(frozen=True, eq=False)
class Glow:
    """Where a dark is brightest, beyond hot pixels."""

    peak: float
    """Of the brightest cell above the median of all, in the unit of the plane."""
    error: float
    """Standard deviation of a cell without glow."""
    place: str
    """``top left`` ... ``bottom right``, by the order of rows in the file."""
    cells: np.ndarray
    """Medians of the cells, (rows, columns)."""

    @property
    def certain(self) -> bool:
        return self.peak > 6 * self.error


def measure_glow(plane: np.ndarray) -> Glow:
    """Glow of a master dark without bias (y, x).

    >>> y, x = np.mgrid[:240, :240]
    >>> dark = np.random.default_rng(1).normal(0, 1, (240, 240)) + 9 * np.exp(-np.hypot(y, 239 - x) / 40)
    >>> measure_glow(dark).place
    'top right'
    """
    height, width = plane.shape
    side = max(4, max(height, width) // CELLS)
    rows, columns = max(height // side, 1), max(width // side, 1)
    strips = [np.array_split(strip, columns, axis=1) for strip in np.array_split(plane, rows, axis=0)]
    cells = np.array([[np.median(cell) for cell in strip] for strip in strips])
    noise = 1.4826 * float(np.median(np.abs(np.diff(plane, axis=1)))) / np.sqrt(2)
    error = 1.2533 * noise / np.sqrt(plane.size / cells.size)
    # What the cells themselves scatter by counts too: whole adu, and the fixed pattern.
    if columns > 1:
        error = float(np.hypot(error, 1.4826 * np.median(np.abs(np.diff(cells, axis=1))) / np.sqrt(2)))
    top = np.unravel_index(int(np.argmax(cells)), cells.shape)
    place = PLACES[min(3 * top[0] // rows, 2)][min(3 * top[1] // columns, 2)]
    return Glow(float(cells[top] - np.median(cells)), error, place, cells)
