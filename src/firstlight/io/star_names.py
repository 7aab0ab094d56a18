"""Names of bright stars."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class NamedStar:
    """A star with a name in common use."""

    name: str
    designation: str
    """Bayer's letter and constellation, or Flamsteed's number."""
    ra: float
    """ICRS, J2000, degrees."""
    dec: float


@cache
def named_stars() -> tuple[NamedStar, ...]:
    """Bright stars with names in common use.

    >>> [star.name for star in named_stars() if star.designation.endswith("Lyr")]
    ['Vega', 'Sheliak', 'Sulafat']
    """
    text = files("firstlight.io").joinpath("star_names.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(NamedStar(row["name"], row["designation"], float(row["ra"]), float(row["dec"])) for row in rows)
