"""Curves as tables of straight pieces, as fine as their bends ask for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heappop, heappush

import numpy as np

TOLERANCE = 2e-7
"""Most that a table may be off in the middle of a piece: three roundings of a float32 at 1."""
STARTS = (0, 4, 8, 12, 16, 20, 24, 32, 48, 100)
"""Powers of 1/2 of the distance from the centre within which all pieces are of one length."""
FINENESS = range(5, 15)
"""Powers of 2: pieces to each doubling of the distance."""
LARGEST = 150_000
"""Pieces of a table: 1.2 MB, which a core's own cache holds."""


@dataclass(frozen=True, eq=False)
class Table:
    """A curve in straight pieces, in the form that `firstlight.kernels.lookup.looked_up` reads."""

    low: np.float32
    """Levels below this have its value."""
    high: np.float32
    """Levels above this have its value."""
    centre: np.float32
    """Pieces are shortest here."""
    cells: np.ndarray
    """float32 (2 n,): the value at the beginning of each piece, and the step to its end."""
    start: np.float32
    shift: np.int32
    above: np.int32
    below: np.int32

    @property
    def grid(self) -> tuple[np.ndarray, np.float32, np.int32, np.int32, np.int32]:
        """What kernels need to look up a distance from the centre."""
        return self.cells, self.start, self.shift, self.above, self.below


def tabulated(
    curve: Callable[[np.ndarray], np.ndarray], low: float, high: float, centre: float, relative: bool = False
) -> Table | None:
    """The smallest table that is right to `TOLERANCE` between two levels (``relative``: to this share of a value).

    None where the curve is too steep for any.
    """
    limits = np.float32(low), np.float32(high), np.float32(centre)

    def checked(levels: np.ndarray) -> np.ndarray:
        return np.asarray(curve(np.clip(levels, float(limits[0]), float(limits[1]))), np.float64)

    # The error falls with the square of the length of a piece: a coarse table tells how fine it must be.
    sizes = []
    for start in STARTS:
        error = _error(checked, limits, start, FINENESS[0], relative)
        fine = FINENESS[0] + max(math.ceil(0.5 * math.log2(max(error, 1e-30) / TOLERANCE)), 0)
        sizes.append((_pieces(limits, start, min(fine, 30)), start, fine))
    heapify(sizes)
    while sizes:
        size, start, fine = heappop(sizes)
        if size > LARGEST or fine > FINENESS[-1]:
            continue
        if _error(checked, limits, start, fine, relative) <= TOLERANCE:
            return _made(checked, limits, start, fine)
        heappush(sizes, (2 * size, start, fine + 1))
    return None


@lru_cache(maxsize=32)
def remembered(
    curve: Callable[..., np.ndarray], params: object, low: float, high: float, centre: float
) -> Table | None:
    """`tabulated`, made once for a curve and its parameters: bands and channels of an image share it."""
    return tabulated(lambda levels: curve(levels, params), low, high, centre)


def _first(start: int) -> np.float32:
    return np.float32(2.0**-start)


def _last_piece(reach: np.float32, start: int, shift: int) -> int:
    """Number of the piece at a distance from the centre, in the float32 arithmetic of the kernel."""
    return int((reach + _first(start)).view(np.int32)) >> shift


def _sides(limits: tuple[np.float32, ...], start: int, fine: int) -> list[tuple[int, float, int, int]]:
    """Of each side of the centre that has levels: its sign, its length, the first piece and how many."""
    low, high, centre = limits
    shift = 23 - fine
    first = int(_first(start).view(np.int32)) >> shift
    found = []
    for sign, reach in ((1, high - centre), (-1, centre - low)):
        if sign == 1 or reach > 0:
            found.append((sign, float(reach), first, _last_piece(reach, start, shift) - first + 1))
    return found


def _pieces(limits: tuple[np.float32, ...], start: int, fine: int) -> int:
    return sum(n for *_, n in _sides(limits, start, fine))


def _distances(numbers: np.ndarray, start: int, fine: int) -> np.ndarray:
    """Distances from the centre at which pieces of these numbers begin."""
    return (numbers << (23 - fine)).astype(np.int32).view(np.float32).astype(np.float64) - float(_first(start))


def _error(
    curve: Callable[[np.ndarray], np.ndarray], limits: tuple[np.float32, ...], start: int, fine: int, relative: bool
) -> float:
    """The largest error in the middle of a piece, at a level that float32 holds."""
    centre, worst = float(limits[2]), 0.0
    for sign, reach, first, n in _sides(limits, start, fine):
        nodes = np.minimum(_distances(np.arange(first, first + n + 1), start, fine), reach)
        values = curve(centre + sign * nodes)
        left, width = nodes[:-1], np.maximum(np.diff(nodes), 1e-300)
        levels = (centre + sign * (left + 0.5 * width)).astype(np.float32).astype(np.float64)
        part = (sign * (levels - centre) - left) / width
        true = curve(levels)
        error = np.abs(values[:-1] + part * np.diff(values) - true)
        if relative:
            error /= np.maximum(np.abs(true), 1e-300)
        # Levels as near as this to the centre of a curve that rises without limit there are all alike.
        counted = (part >= 0) & (part <= 1) & (left > (-1 if start < STARTS[-1] else 2.0**-start))
        worst = max(worst, float(error[counted].max(initial=0.0)))
    return worst


def _made(curve: Callable[[np.ndarray], np.ndarray], limits: tuple[np.float32, ...], start: int, fine: int) -> Table:
    cells, offsets, so_far = [], {1: 0, -1: 0}, 0
    for sign, reach, first, n in _sides(limits, start, fine):
        distances = _distances(np.arange(first, first + n + 1), start, fine)
        values = curve(float(limits[2]) + sign * distances)
        # The curve ends within the last piece; the piece goes straight on to its own end.
        inside = reach - distances[-2]
        if inside > 0:
            end = float(curve(np.array([float(limits[2]) + sign * reach]))[0])
            values[-1] = values[-2] + (end - values[-2]) * (distances[-1] - distances[-2]) / inside
        begin, end = values[:-1].astype(np.float32), values[1:].astype(np.float32)
        step = end - begin
        # No piece ends beyond the beginning of the next by rounding: what rises keeps rising.
        beyond = (begin + step - end) * np.sign(step) > 0
        step[beyond] = np.nextafter(step[beyond], np.float32(0))
        cells.append(np.stack([begin, step], axis=1).ravel())
        offsets[sign] = so_far - first
        so_far += n
    return Table(
        *limits, np.concatenate(cells), _first(start), np.int32(23 - fine), np.int32(offsets[1]), np.int32(offsets[-1])
    )
