"""Curves of levels, in the form in which they are applied to the pixels of a plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from firstlight.kernels.curves import bend_by_table, bend_midtones, bend_straight
from firstlight.ops.stretch.table import Table, remembered

BLOCK = 50_000
"""Pixels of a block: its intermediate results stay in the cache."""


class Bend(Protocol):
    """A curve of levels, which are fractions of white."""

    def on(
        self, x: np.ndarray, factor: np.float32, variance: np.ndarray, out: np.ndarray, spread: np.ndarray
    ) -> None:  # fmt: skip
        """Fill ``out`` with the curve of ``x * factor``, and ``spread`` with its variance; all (n,).

        ``variance`` and ``spread`` are empty where it is not known.
        """
        ...


@dataclass(frozen=True)
class Straight:
    """(level - low) * scale, clipped to least..most."""

    low: float
    scale: float
    least: float = 0.0
    most: float = 1.0

    def on(
        self, x: np.ndarray, factor: np.float32, variance: np.ndarray, out: np.ndarray, spread: np.ndarray
    ) -> None:  # fmt: skip
        numbers = (np.float32(n) for n in (self.low, self.scale, self.least, self.most))
        bend_straight(x, factor, variance, *numbers, out, spread)


@dataclass(frozen=True)
class Transfer:
    """Midtones transfer function of levels between two; 0..1 of it then brought to base..base + span."""

    low: float
    high: float
    midtone: float
    base: float = 0.0
    span: float = 1.0

    def inverse(self) -> Transfer:
        """It undone, for values between 0 and 1."""
        return Transfer(0.0, 1.0, 1 - self.midtone, self.low, self.high - self.low)

    def on(
        self, x: np.ndarray, factor: np.float32, variance: np.ndarray, out: np.ndarray, spread: np.ndarray
    ) -> None:  # fmt: skip
        # Not what float32 takes for 0 or 1, or black and white would be 0 / 0.
        midtone = min(max(self.midtone, 1e-30), 1 - 1e-7)
        scale = 1 / (self.high - self.low)
        numbers = (np.float32(n) for n in (self.low, scale, midtone, self.base, self.span))
        bend_midtones(x, factor, variance, *numbers, out, spread)


@dataclass(frozen=True, eq=False)
class Tabled:
    """A curve looked up in a table."""

    table: Table

    def on(
        self, x: np.ndarray, factor: np.float32, variance: np.ndarray, out: np.ndarray, spread: np.ndarray
    ) -> None:  # fmt: skip
        t = self.table
        bend_by_table(x, factor, variance, t.low, t.high, t.centre, *t.grid, out, spread)


@dataclass(frozen=True, eq=False)
class Direct:
    """A curve too steep for a table, computed for each pixel."""

    curve: Callable[[np.ndarray], np.ndarray]

    def on(
        self, x: np.ndarray, factor: np.float32, variance: np.ndarray, out: np.ndarray, spread: np.ndarray
    ) -> None:  # fmt: skip
        for part in (slice(top, top + BLOCK) for top in range(0, x.size, BLOCK)):
            level = x[part] * factor
            out[part] = self.curve(level)
            if variance.size:
                sigma = np.sqrt(variance[part]) * factor
                spread[part] = (0.5 * (self.curve(level + sigma) - self.curve(level - sigma))) ** 2


def bend_of(
    curve: Callable[..., np.ndarray], params: Any, low: float = 0.0, high: float = 1.0, centre: float = 0.0
) -> Bend:
    """A curve and its parameters (hashable) as a bend; it is level outside ``low`` to ``high``.

    ``curve(levels, params)`` takes float64; ``centre`` is the level about which it bends most.
    """
    table = remembered(curve, params, low, high, centre)
    return Direct(lambda levels: curve(levels, params)) if table is None else Tabled(table)
