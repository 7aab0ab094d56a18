"""Work on one image in parts that do not need each other.

Operations are serial. Where the rows of a result can be computed on their own, they ask for the parts and have each one
done by `each_part`: one after the other, unless the program above them has lent hands with `lend`. What comes out does
not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

SMALLEST = 1 << 17
"""Pixels of a part below which handing it over costs more than it gains."""


@dataclass(frozen=True)
class Hands:
    """Who does the parts."""

    run: Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
    """As `map`: results in the order of the parts."""
    number: int
    """Parts that can be done at once."""


_hands: ContextVar[Hands | None] = ContextVar("hands", default=None)


@contextmanager
def lend(run: Callable[..., Iterable[Any]], number: int) -> Iterator[None]:
    """Have parts done by ``run`` (such as the `map` of an executor of ``number`` threads) while the block lasts."""
    before = _hands.set(Hands(run, number))
    try:
        yield
    finally:
        _hands.reset(before)


def each_part(function: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """The results of a function for each part, in their order.

    >>> each_part(lambda part: part[1] - part[0], [(0, 3), (3, 10)])
    [3, 7]
    """
    hands = _hands.get()
    if hands is None or len(parts) < 2:
        return [function(part) for part in parts]
    return list(hands.run(function, parts))


def row_parts(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """(first, last) rows of the parts of a plane (y, x), as many as there are hands; one for a small plane."""
    hands = _hands.get()
    height, width = shape[-2:]
    number = min(hands.number if hands else 1, max(height * width // SMALLEST, 1), max(height, 1))
    return [(height * k // number, height * (k + 1) // number) for k in range(number)]


def each_plane_part(shape: tuple[int, ...], work: Callable[[int, slice], Any]) -> list[Any]:
    """What ``work(channel, rows)`` gives for the parts of each channel of an image (channel, y, x)."""
    rows = row_parts(shape)
    return each_part(lambda part: work(part[0], slice(*part[1])), [(c, r) for c in range(shape[0]) for r in rows])


def each_row_part(shape: tuple[int, ...], work: Callable[[int, int], Any]) -> list[Any]:
    """What ``work(first, last)`` gives for parts of the pixels of an image (channel, y, x), counted along its rows."""
    width = shape[-1]
    return each_part(lambda rows: work(rows[0] * width, rows[1] * width), row_parts(shape))


def across(planes: np.ndarray) -> np.ndarray:
    """Channels (channel, y, x) as (channel, pixels), without a copy where all lie together in memory."""
    return np.ascontiguousarray(planes).reshape(len(planes), -1)
