"""What models of the sky look at: medians of cells, and some of the pixels. Each is seen a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from firstlight.ops.calibrate.nodes import Surface

ENOUGH = 1000
"""Pixels of a cell that settle its median to a twenty-fifth of the noise."""
MANY = 500_000
"""Pixels of a plane that settle its level."""
SAMPLED_ROWS = 256
TOGETHER = 32
"""Rows of small cells that are seen at once."""
ALL = np.empty((0, 0), bool)
"""In place of a boolean plane that is true everywhere."""


class Want(Protocol):
    """Something to be seen of a plane (y, x)."""

    @property
    def under_mask(self) -> bool:
        """Whether it is looked at under a mask too."""
        ...

    @property
    def parts(self) -> list[np.ndarray]:
        """Rows that must be seen together, ascending, of each part."""
        ...

    def see(self, part: int, plane: np.ndarray, good: np.ndarray) -> Any:
        """What the rows of a part show; ``good`` is boolean, or `ALL`."""
        ...

    def joined(self, found: list[Any]) -> Any:
        """What all parts show."""
        ...


@dataclass(frozen=True, eq=False)
class Sight:
    """What a model wants to see of a plane, and the surface that it makes of it."""

    wants: tuple[Want, ...]
    fit: Callable[..., Surface | None]
    """Called with what each want showed; None where no sky was seen."""


Model = Callable[[tuple[int, int], int], Sight]
"""From the shape of a plane and the pixels of the sensor from one of its pixels to the next (2 in the planes of a
mosaic)."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows and columns of cells of a plane, of one size."""

    tops: np.ndarray
    tall: int
    lefts: np.ndarray
    wide: int
    every: int = 1
    """Rows from one that is looked at to the next, in a cell."""
    under_mask: bool = False

    @classmethod
    def even(cls, shape: tuple[int, int], size: int) -> Grid:
        """Cells of about ``size``, evenly spread: up to one row or column between two of them is left out.

        About 1000 pixels of a cell are looked at: whole rows, an odd number apart, so that even and odd rows count
        alike.
        """
        (tops, tall), (lefts, wide) = (_even(length, size) for length in shape)
        return cls(tops, tall, lefts, wide, min(tall * wide // ENOUGH | 1, tall))

    @property
    def y(self) -> np.ndarray:
        """Centres of the cells, px."""
        return self.tops + (self.tall - 1) / 2

    @property
    def x(self) -> np.ndarray:
        return self.lefts + (self.wide - 1) / 2

    @cached_property
    def _rows(self) -> np.ndarray:
        """Rows of each row of cells that are looked at."""
        first = (min(self.every, self.tall) - 1) // 2
        return self.tops[:, None] + np.arange(first, self.tall, self.every)

    @cached_property
    def _together(self) -> list[np.ndarray]:
        """Rows of cells of each part."""
        count = max(TOGETHER // self.tall, 1)
        return [self._rows[k : k + count] for k in range(0, len(self.tops), count)]

    @cached_property
    def parts(self) -> list[np.ndarray]:
        return [np.arange(r[0, 0], r[-1, -1] + 1) if self.every == 1 else np.unique(r) for r in self._together]

    def see(self, part: int, plane: np.ndarray, good: np.ndarray) -> np.ndarray:
        from firstlight.kernels.gradient import cell_medians

        rows = self._together[part]
        tops = np.searchsorted(self.parts[part], rows[:, 0])
        value = np.empty((len(rows), len(self.lefts)))
        cell_medians(plane, good, tops, rows.shape[1], self.lefts, self.wide, value)
        return value

    def joined(self, found: list[np.ndarray]) -> np.ndarray:
        """Medians: float64 (rows, columns) of cells; NaN where less than half of one is good."""
        return np.concatenate(found)


def _even(length: int, size: int) -> tuple[np.ndarray, int]:
    """First pixels of cells of about ``size`` along an axis, and their common length."""
    n = max(length // size, 1)
    return np.arange(n) * length // n, length // n


@dataclass(frozen=True, eq=False)
class Sample:
    """Some pixels of a plane."""

    values: np.ndarray
    """float32 (row, column), of ``rows`` and each ``step``-th column."""
    good: np.ndarray
    """Boolean, the same shape."""
    rows: np.ndarray
    step: int

    def level(self, surface: Surface | None = None, divide: bool = False) -> float:
        """Median of the good ones; less a surface, or over it. 0 without any."""
        values = self.values
        if surface is not None:
            sky = surface.at(self.rows)[:, :: self.step][:, : values.shape[1]]
            values = values / sky if divide else values - sky
        values = values[self.good]
        return float(np.median(values)) if values.size else 0.0


@dataclass(frozen=True, eq=False)
class Pixels:
    """Some of the pixels of a plane: all of a small one, else of rows and columns an odd number apart."""

    shape: tuple[int, int]
    sigma: float = 0.0
    """Px: of a Gaussian mean of the good pixels around each."""
    under_mask: bool = False
    """Look under a mask too."""
    most: int = MANY

    @cached_property
    def rows(self) -> np.ndarray:
        height = self.shape[0]
        step = 1 if self._all else max(height // SAMPLED_ROWS | 1, int(self.sigma) | 1)
        return np.arange(min((step - 1) // 2, height - 1), height, step)

    @cached_property
    def step(self) -> int:
        """From one column to the next."""
        return 1 if self._all else max(len(self.rows) * self.shape[1] // self.most | 1, int(self.sigma) | 1)

    @property
    def _all(self) -> bool:
        return self.shape[0] * self.shape[1] <= self.most

    @property
    def _far(self) -> int:
        return int(4 * self.sigma + 0.5)

    @cached_property
    def parts(self) -> list[np.ndarray]:
        if not self.sigma:
            return [self.rows[k : k + TOGETHER] for k in range(0, len(self.rows), TOGETHER)]
        return [np.arange(max(y - self._far, 0), min(y + self._far + 1, self.shape[0])) for y in self.rows]

    def see(self, part: int, plane: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values of a part and how much of what they stand for is good, 0 .. 1."""
        if self.sigma:
            return self._smooth(part, plane, good)
        values = plane[:, :: self.step].copy()
        return values, np.isfinite(values) if good is ALL else good[:, :: self.step] & np.isfinite(values)

    def _smooth(self, part: int, plane: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from scipy.ndimage import correlate1d

        away = self.parts[part] - self.rows[part]
        bell = _bell(np.arange(-self._far, self._far + 1), self.sigma)
        down = bell[away + self._far]
        counts = np.isfinite(plane) if good is ALL else good & np.isfinite(plane)
        if counts.all():
            weight, values = np.full(plane.shape[1], down.sum()), down @ plane
        else:
            weight, values = down @ counts.astype(np.float32), down @ np.where(counts, plane, np.float32(0))
        weight, values = (correlate1d(a, bell, mode="constant")[None, :: self.step] for a in (weight, values))
        return values / np.maximum(weight, np.float32(1e-3)), weight

    def joined(self, found: list[tuple[np.ndarray, np.ndarray]]) -> Sample:
        values, share = (np.concatenate(each) for each in zip(*found))
        good = share > 0.5
        return Sample(values, good if good.any() else (share > 0) & (share >= share.max()), self.rows, self.step)


def _bell(away: np.ndarray, sigma: float) -> np.ndarray:
    weight = np.exp(-0.5 * (away / sigma) ** 2)
    return (weight / weight.sum()).astype(np.float32)
