"""What the solver knows of the sky: catalogues and indexes on this machine, opened as they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

import numpy as np

from firstlight.errors import InputError
from firstlight.io.catalogs import AUTO, cone, find_catalogs, key_of, open_catalog, whole_sky, whole_sky_files
from firstlight.io.quad_cache import kept_index
from firstlight.model.catalog import Catalog
from firstlight.model.quad_index import QuadIndex
from firstlight.ops.align.plate_search import SHORTEST, Bounds
from firstlight.ops.align.quad_index import LARGEST, build_index, smallest_level

T = TypeVar("T")

SKY = 41252.96
"""Square degrees."""
LOCAL = 15.0
"""Degrees: around a known position an index of its own is made, no wider than this, of all stars known there."""
MOST_TABLE = 500_000
"""Entries of a table that may be made an index of."""


class LocalSky:
    """Catalogues and indexes of this machine, for images of one epoch."""

    def __init__(self, catalog: str = AUTO, folder: str = "", year: float | None = None) -> None:
        self.catalog, self.year = catalog, year
        self.folders = (folder,) if folder else ()
        self.preparing = 0.0
        """Seconds that went into what is made once: they are not the image's."""

    def indexes(self, bounds: Bounds, field: tuple[float, float]) -> Iterator[QuadIndex]:
        """Of all stars around a known position; else of the whole sky, then of tables of the user's."""
        smallest, largest = field
        around = bounds.radius + 0.5 * largest
        if bounds.ra is not None and bounds.dec is not None and around <= LOCAL:
            stars = cone(self.catalog, bounds.ra, bounds.dec, around, folders=self.folders)
            if len(stars) >= 4:
                area = SKY / 2 * (1 - np.cos(np.radians(around)))
                shortest = max(0.6 * smallest_level(stars, area), SHORTEST * smallest)
                yield build_index(stars, shortest, min(largest, LARGEST))
            return
        if self.catalog == AUTO:
            yield self._timed(lambda: sky_index(self.folders))
        yield from self._tables()

    def _tables(self) -> Iterator[QuadIndex]:
        """Of tables that hold a part of the sky."""
        if self.catalog == AUTO:
            names = [entry.name for entry in find_catalogs(self.folders) if entry.kind == "table"]
        else:
            names = [self.catalog]
        for name in names:
            try:
                found = self._timed(lambda: _table_index(name, self.folders))  # noqa: B023
            except InputError:
                if self.catalog != AUTO:
                    raise
                continue
            if found is not None:
                yield found

    def _timed(self, make: Callable[[], T]) -> T:
        begun = time.monotonic()
        made = make()
        self.preparing += time.monotonic() - begun
        return made

    def cone(self, ra: float, dec: float, radius: float, most: int) -> Catalog:
        """The brightest stars of a circle, where they are at the epoch of the image."""
        # Counts of stars rise about threefold a magnitude; ten times as many as wanted leave room for empty regions.
        density = 10.0 * most / max(np.pi * radius * radius, 1e-6)
        faintest = 8.0 + 2.0 * np.log10(density)
        found = None
        if radius > 3:
            found = cone(self.catalog, ra, dec, radius, faintest=float(faintest), folders=self.folders)
        if found is None or len(found) < most:
            found = cone(self.catalog, ra, dec, radius, folders=self.folders)
        found = found.take(np.arange(min(len(found), most)))
        return found if self.year is None else found.at(self.year)


def sky_index(folders: tuple[str, ...] = ()) -> QuadIndex:
    """The index of the whole sky: made when it is first needed (seconds), kept in the cache."""
    return _sky_index(whole_sky_files(folders), folders)


@lru_cache(maxsize=2)
def _sky_index(files: tuple[tuple[str, int], ...], folders: tuple[str, ...]) -> QuadIndex:
    def make() -> QuadIndex:
        stars = whole_sky(folders)
        return build_index(stars, smallest_level(stars, SKY))

    return kept_index(key_of(files), make)


@lru_cache(maxsize=16)
def _table_index(name: str, folders: tuple[str, ...]) -> QuadIndex | None:
    stars = open_catalog(name, folders)
    if not 8 <= len(stars) <= MOST_TABLE or np.isnan(stars.mag).all():
        return None
    area = _area(stars)
    return build_index(stars, smallest_level(stars, area), min(LARGEST, 2.0 * np.sqrt(area)))


def _area(stars: Catalog) -> float:
    """Square degrees that a table covers: as many as its stars occupy cells of a size that holds some each."""
    area = SKY
    for side in (10.0, 3.0, 1.0, 0.3, 0.1):
        cells = np.unique(
            np.column_stack([np.floor(stars.dec / side), np.floor(stars.ra * np.cos(np.radians(stars.dec)) / side)]),
            axis=0,
        )
        if len(cells) * 4 > len(stars):
            break
        area = min(area, len(cells) * side * side)
    return area
