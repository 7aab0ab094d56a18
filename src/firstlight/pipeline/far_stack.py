"""A stack whose rows are made by workers elsewhere; the bytes are those of one machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from firstlight.io.shared_array import share, take_piece, write_piece
from firstlight.model.buffers import Buffers
from firstlight.pipeline.crew import Crew
from firstlight.pipeline.integrate import Contribution, Engine, Stacked, Tile
from firstlight.pipeline.look import shared_calibration

TASKS_EACH = 4
"""Tasks for each worker: the last to end keeps the others waiting for less than a quarter of the time."""
_PLANES = ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high")
_BUFFERS = Buffers()


def stack_elsewhere(engine: Engine, crew: Crew, done: Callable[[int], None]) -> Stacked:
    """`Engine.run`, by the workers of a crew: each task makes some rows and leaves them in a file."""
    forwards = engine.forwards()
    tiles = engine.tiles(crew.workers, crew.backend.bytes_each * crew.workers, forwards)
    pieces = in_rows(tiles, TASKS_EACH * crew.workers)
    sent = replace(engine, contributions=tuple(_shared(c, crew) for c in engine.contributions))
    tasks = [(sent, piece, crew.folder / f"{crew.name('rows')}.npz") for piece in pieces]
    result = Stacked.blank(engine)
    hits = np.zeros(len(engine.contributions), np.int64)
    seen = np.zeros_like(hits)
    for piece, (path, its_hits, its_seen) in zip(pieces, crew.spread(stack_rows, tasks)):
        top, bottom = piece[0][0], piece[-1][1]
        for name, plane in take_piece(path).items():
            getattr(result, name)[:, top:bottom] = plane
        hits += its_hits
        seen += its_seen
        done((bottom - top) * engine.size[1])
    result.rejected_fraction[:] = hits / np.maximum(seen, 1)
    return result


def stack_rows(engine: Engine, tiles: Sequence[Tile], path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """On a worker: the tiles of some rows, written to a file; how many samples of each frame were rejected and seen."""
    top, bottom = tiles[0][0], tiles[-1][1]
    forwards = engine.forwards()
    terms = [engine.terms_of(channel, forwards) for channel in range(engine.channels)]
    result = Stacked.blank(engine, bottom - top)
    hits = np.zeros(len(engine.contributions), np.int64)
    seen = np.zeros_like(hits)
    for tile in tiles:
        its_hits, its_seen = engine.make_tile(tile, forwards, terms, result, _BUFFERS, first=top)
        hits += its_hits
        seen += its_seen
    write_piece(path, {name: getattr(result, name) for name in _PLANES})
    return path, hits, seen


def in_rows(tiles: Sequence[Tile], most: int) -> list[list[Tile]]:
    """Tiles in lots of whole rows, about ``most`` of them."""
    rows = [list(row) for _, row in groupby(tiles, key=lambda tile: tile[0])]
    each = max(1, -(-len(rows) // most))
    return [[tile for row in rows[i : i + each] for tile in row] for i in range(0, len(rows), each)]


def _shared(one: Contribution, crew: Crew) -> Contribution:
    surface = one.surface
    if surface is not None:
        surface = crew.once(one.surface, lambda: share(one.surface, crew.folder, crew.name("surface")))  # type: ignore[arg-type]
    minus = one.minus
    if minus is not None:
        plane = crew.once(minus.plane, lambda: share(minus.plane, crew.folder, crew.name("layer")))
        minus = replace(minus, plane=plane)
    return replace(one, calibration=shared_calibration(one.calibration, crew), surface=surface, minus=minus)
