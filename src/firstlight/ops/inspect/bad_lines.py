"""Columns and rows that are not like those around them, whole or in part."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

WINDOW = 11
"""Lines of the same colour that a line is compared with, itself included."""
SIGMA = 5.0
SEGMENT = 32
"""px of one colour: a line is judged in pieces of this length."""
SHORTEST = 2
"""Pieces in a row that must stand out: one alone may be a star or a cluster of hot pixels."""
WHOLE = 0.9
"""A line that stands out over this share of its length is bad as a whole."""


@dataclass(frozen=True)
class BadLine:
    """Part of a column or row; positions are 0-based, ``last`` belongs to it."""

    axis: str
    """``column`` or ``row``."""
    index: int
    first: int
    last: int
    excess: float
    """adu above its neighbours; for flats, in units of the mean."""


def find_bad_lines(plane: np.ndarray, step: int = 1, sigma: float = SIGMA) -> list[BadLine]:
    """Bad columns and rows of a master (y, x); ``step`` is 2 on a CFA mosaic.

    The median of each piece of a line is compared with those of the 11 lines of the same colour around it; it is bad
    where it is ``sigma`` robust standard deviations off, in two pieces running at least.

    >>> plane = np.random.default_rng(1).normal(100, 2, (256, 200)); plane[128:, 50] += 9
    >>> [(line.axis, line.index, line.first, line.last) for line in find_bad_lines(plane)]
    [('column', 50, 128, 255)]
    """
    found: dict[tuple[str, int], list[BadLine]] = {}
    for j in range(step):
        for i in range(step):
            part = plane[j::step, i::step]
            for axis, lines, across, along in (
                ("column", _columns(part, sigma), i, j), ("row", _columns(part.T, sigma), j, i)
            ):  # fmt: skip
                for index, first, last, excess in lines:
                    whole = BadLine(axis, step * index + across, step * first + along, step * last + along, excess)
                    found.setdefault((axis, whole.index), []).append(whole)
    return [_joined(parts) for _, parts in sorted(found.items())]


def _joined(parts: list[BadLine]) -> BadLine:
    """The pieces of one line, as seen on the pixels of each colour."""
    first, last = min(p.first for p in parts), max(p.last for p in parts)
    return BadLine(parts[0].axis, parts[0].index, first, last, max((p.excess for p in parts), key=abs))


def mask_of(lines: list[BadLine], shape: tuple[int, int]) -> np.ndarray:
    """Boolean (y, x): True on the lines."""
    mask = np.zeros(shape, bool)
    for line in lines:
        part = slice(line.first, line.last + 1)
        mask[(part, line.index) if line.axis == "column" else (line.index, part)] = True
    return mask


def _columns(plane: np.ndarray, sigma: float) -> list[tuple[int, int, int, float]]:
    height, width = plane.shape
    if width < WINDOW or height < SHORTEST * SEGMENT:
        return []
    edges = np.append(np.arange(0, height - SEGMENT + 1, SEGMENT), height)
    if edges[-1] - edges[-2] < SEGMENT // 2 or (len(edges) > 2 and edges[-2] == height):
        edges = np.delete(edges, -2)
    level = np.stack([np.nanmedian(plane[top:bottom], axis=0) for top, bottom in pairwise(edges)])
    excess = level - _around(level)
    spread = np.maximum(1.4826 * np.median(np.abs(excess), axis=1, keepdims=True), 1e-6)
    # A sensor of whole adu may show no spread at all: less than the noise of a median is none either.
    floor = 1.2533 * 1.4826 * float(np.nanmedian(np.abs(plane - np.nanmedian(plane, axis=1, keepdims=True))))
    spread = np.maximum(spread, floor / np.sqrt(SEGMENT))
    signs = np.where(excess > sigma * spread, 1, np.where(excess < -sigma * spread, -1, 0))
    found = []
    for x in np.flatnonzero((signs != 0).any(axis=0)):
        runs = _runs(signs[:, x])
        for start, stop in runs:
            if stop - start < min(SHORTEST, len(signs)):
                continue
            if stop - start >= WHOLE * len(signs):
                start, stop = 0, len(signs)
            mean = float(excess[start:stop, x].mean())
            found.append((int(x), int(edges[start]), int(edges[stop]) - 1, mean))
    return found


def _around(level: np.ndarray) -> np.ndarray:
    padded = np.pad(level, ((0, 0), (WINDOW // 2, WINDOW // 2)), mode="reflect")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1), axis=2)


def _runs(signs: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of one sign, as (first, one past the last)."""
    cuts = np.flatnonzero(np.diff(signs)) + 1
    starts, stops = np.r_[0, cuts], np.r_[cuts, len(signs)]
    return [(int(a), int(b)) for a, b in zip(starts, stops) if signs[a] != 0]
