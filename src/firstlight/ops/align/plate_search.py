"""Where on the sky a list of stars lies: quads looked up in an index, hypotheses verified by all stars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from firstlight.kernels import hypotheses, quads
from firstlight.model.catalog import places, unit_vectors
from firstlight.model.quad_index import QuadIndex

QUAD_STARS = 32
"""Brightest stars of an image whose quads are looked up."""
VERIFY_STARS = 80
"""Brightest stars that confirm a hypothesis or not."""
CANDIDATE = 14.0
"""Log-odds from which a hypothesis is worth a closer look."""
TOLERANCE = 0.012
"""Of each number of a code."""
BLUR = 1.2
"""px; spread of an image's stars around where a quad says they are, near the quad."""
BATCH = 60_000
"""Hypotheses between two looks at the clock."""
SHORTEST = 0.07
"""Of the image's diagonal: shorter quads are too inexact."""


@dataclass(frozen=True)
class Bounds:
    """What is known beforehand; the defaults leave everything free."""

    smallest_scale: float = 1e-3
    """arcsec/px."""
    largest_scale: float = 1000.0
    ra: float | None = None
    """Of the image's centre, degrees."""
    dec: float | None = None
    radius: float = 180.0
    """Degrees from there to where the centre may be."""
    flipped: bool | None = None
    """False: x to the right, y up and north up have east on the left, as on the sky; True: as in a mirror."""


@dataclass(frozen=True)
class Found:
    """A hypothesis: gnomonic about the image's middle, turned and scaled."""

    ra: float
    dec: float
    cd: tuple[tuple[float, float], tuple[float, float]]
    """Degrees per px: (east, north) from (x, y)."""
    odds: float
    """Natural logarithm, from the stars beside the quad."""


def search_index(
    positions: np.ndarray,
    shape: tuple[int, int],
    index: QuadIndex,
    bounds: Bounds,
    accept: Callable[[Found], bool],
    expired: Callable[[], bool] = lambda: False,
) -> tuple[bool, int]:
    """Try hypotheses until one is accepted.

    Parameters
    ----------
    positions : (n, 2), brightest first.
    shape : (height, width) of the image.
    accept : asked of each hypothesis that the stars speak for; True ends the search.
    expired : asked now and then; True ends the search.

    Returns
    -------
    Whether one was accepted, and how many hypotheses were looked at.
    """
    height, width = shape
    diagonal = float(np.hypot(height, width))
    middle = np.array([(width - 1) / 2.0, (height - 1) / 2.0])
    stars = np.ascontiguousarray(positions[:VERIFY_STARS], np.float64)
    x, y = stars[:, 0].copy(), stars[:, 1].copy()
    image = _ImageQuads.of(x[:QUAD_STARS], y[:QUAD_STARS], SHORTEST * diagonal)
    low, high = (np.radians(scale / 3600.0) for scale in (bounds.smallest_scale, bounds.largest_scale))
    hint, cosine = np.zeros(3), -2.0
    if bounds.ra is not None and bounds.dec is not None and bounds.radius < 180:
        hint = unit_vectors(np.array([bounds.ra]), np.array([bounds.dec]))[0]
        cosine = float(np.cos(np.radians(bounds.radius)))
    parity = -1 if bounds.flipped is None else int(not bounds.flipped)
    total = 0
    # Bright stars first, at every size; then fainter ones.
    for first, last in zip(image.stages, image.stages[1:]):
        part = image.part(first, last)
        for level in index.levels:
            within = (part.sides * high >= level.shortest) & (part.sides * low <= 1.42 * level.shortest)
            tried, chosen = 0, part.take(within)
            while tried < len(chosen.members):
                found = np.empty(10)
                tried, looked = hypotheses.search(
                    x, y, chosen.members, chosen.codes, chosen.sides, tried, BATCH, parity, TOLERANCE, BLUR, middle,
                    low, high, hint, cosine, CANDIDATE, level.vectors, level.start, level.lowest,
                    level.shortest, level.columns, level.first, level.codes, level.members, level.bins,
                    found,
                )  # fmt: skip
                total += looked
                if found[0] >= CANDIDATE and accept(_as_found(found, middle)):
                    return True, total
                if expired():
                    return False, total
    return False, total


@dataclass(frozen=True, eq=False)
class _ImageQuads:
    members: np.ndarray
    codes: np.ndarray
    sides: np.ndarray
    stages: tuple[int, ...] = ()

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, shortest: float) -> _ImageQuads:
        n = len(x)
        room = n * (n - 1) * (n - 2) * (n - 3) // 24
        codes, members = np.empty((room, 4)), np.empty((room, 4), np.int64)
        count = quads.quads_of_image(x, y, shortest, codes, members) if room else 0
        codes, members = codes[:count], members[:count]
        sides = np.hypot(x[members[:, 0]] - x[members[:, 1]], y[members[:, 0]] - y[members[:, 1]])
        faintest = members.max(axis=1, initial=-1)
        stages = tuple(int(np.searchsorted(faintest, k)) for k in (0, 8, 12, 16, 20, 24, 28, max(n, 32)))
        return cls(members, codes, sides, stages)

    def part(self, first: int, last: int) -> _ImageQuads:
        return replace(
            self, members=self.members[first:last], codes=self.codes[first:last], sides=self.sides[first:last]
        )

    def take(self, mask: np.ndarray) -> _ImageQuads:
        return replace(self, members=self.members[mask], codes=self.codes[mask], sides=self.sides[mask])


def _as_found(found: np.ndarray, middle: np.ndarray) -> Found:
    ra, dec = places(found[None, 2:5])
    p, q = np.degrees(found[5:7])
    sign = -1.0 if found[1] else 1.0
    return Found(float(ra[0]), float(dec[0]), ((p, -sign * q), (q, sign * p)), float(found[0]))
