"""Curves of filters and sensors: those that come along, and the user's own as CSV."""

from __future__ import annotations

import csv
import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from firstlight.errors import InputError, nearest
from firstlight.model.passband import Passband, bells, through, window

_WIDTH = re.compile(r"^(.+?)\s+(\d+(?:\.\d+)?)\s*nm$")
SETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dichroic": (("dichroic R", "dichroic G", "dichroic B"), ("CMOS back-illuminated",) * 3),
    "dyed": (("dyed R", "dyed G", "dyed B"), ("CCD full-frame",) * 3),
    "osc": (("UV/IR cut",) * 3, ("CMOS colour R", "CMOS colour G", "CMOS colour B")),
    "dslr": (("DSLR glass",) * 3, ("DSLR R", "DSLR G", "DSLR B")),
    "johnson": (("Cousins R", "Johnson V", "Johnson B"), ("ideal",) * 3),
    "sho": (("SII", "Ha", "OIII"), ("CMOS back-illuminated",) * 3),
    "hoo": (("Ha", "OIII", "OIII"), ("CMOS back-illuminated",) * 3),
}
"""Filters and sensors of red, green and blue that usually go together."""


@lru_cache(maxsize=1)
def known_passbands() -> dict[str, dict[str, Passband]]:
    """``filters`` and ``sensors`` by name."""
    text = files("firstlight.io").joinpath("passbands.toml").read_text(encoding="utf-8")
    return {
        kind: {name: _made(name, entry) for name, entry in entries.items()}
        for kind, entries in tomllib.loads(text).items()
    }


def _made(name: str, entry: dict) -> Passband:
    about = entry["about"]
    if "window" in entry:
        return window(name, *entry["window"], edge=entry.get("edge", 4.0), about=about)
    if "line" in entry:
        return _line(name, *entry["line"], about=about)
    if "bells" in entry:
        return bells(name, entry["bells"], about)
    points = np.array(entry["points"], np.float64).reshape(-1, 2)
    return Passband(name, points[:, 0], points[:, 1], about)


def _line(name: str, centre: float, width: float, about: str) -> Passband:
    return window(name, centre - width / 2, centre + width / 2, edge=width / 4, about=about)


def find_passband(name: str, kind: str) -> Passband:
    """A filter or a sensor (``kind``: filters, sensors) by its name, or of a CSV file.

    A narrowband filter of another width is its name and the width: ``Ha 3nm``; any other is ``656.3 nm`` and the width:
    ``line 656.3 3nm``. Upper and lower case do not matter.

    >>> find_passband("Ha 3nm", "filters").on(np.array([650.0, 656.0, 662.0])).round(1).tolist()
    [0.0, 0.9, 0.0]

    Raises
    ------
    InputError
        There is none of this name, or the file holds no curve.
    """
    known = known_passbands()[kind]
    lower = {key.lower(): key for key in known}
    if name.lower() in lower:
        return known[lower[name.lower()]]
    if Path(name).suffix.lower() in (".csv", ".txt", ".dat"):
        return read_passband(Path(name))
    if kind == "filters" and (found := _WIDTH.match(name)):
        base, width = found.group(1).lower(), float(found.group(2))
        lines = {"ha": 656.28, "hb": 486.13, "oiii": 500.70, "sii": 672.40, "nii": 658.35}
        place = base.removeprefix("line ")
        if base in lines:
            return _line(name, lines[base], width, known[lower[base]].about)
        if re.fullmatch(r"\d{3,4}(\.\d+)?", place):
            return _line(name, float(place), width, "a line")
    raise InputError(
        f"no curve {name!r} among the {kind}{nearest(name, known) or ';'} `firstlight wb curves` lists them; or give "
        "a CSV file with columns of wavelength (nm) and transmission"
    )


def read_passband(path: Path) -> Passband:
    """A curve of two columns: wavelength (nm, or Angstrom where above 3000) and share (or per cent where above 1.5).

    Raises
    ------
    InputError
        The file is missing, or has no two columns of rising numbers.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give a CSV with columns of wavelength (nm) and transmission")
    rows = []
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.reader(re.sub(r"[;,\t ]+", ",", line.strip()) for line in file if not line.startswith("#")):
            try:
                rows.append((float(row[0]), float(row[1])))
            except (IndexError, ValueError):
                continue
    points = np.array(sorted(rows), np.float64).reshape(-1, 2)
    if len(points) < 2 or not (np.diff(points[:, 0]) > 0).all() or points[:, 1].max() <= 0:
        raise InputError(
            f"{path}: {len(points)} points that make no curve; two columns are needed: wavelength (nm) and transmission"
        )
    nm, share = points.T
    nm = nm / 10 if nm.max() > 3000 else nm
    return Passband(path.stem, nm, share / 100 if share.max() > 1.5 else share, str(path.name))


def channels_of(set_name: str, filters: tuple[str, ...] = (), sensor: tuple[str, ...] = ()) -> list[Passband]:
    """Red, green and blue of a set, its filters or its sensor replaced where given (one name for all, or three).

    Raises
    ------
    InputError
        An unknown set, or two names where one or three are needed.
    """
    if set_name not in SETS:
        raise InputError(f"no set of curves {set_name!r}{nearest(set_name, SETS) or ';'} use {', '.join(SETS)}")
    names = [*SETS[set_name]]
    for place, given in enumerate((filters, sensor)):
        if given and len(given) not in (1, 3):
            raise InputError(f"{len(given)} curves are named: {', '.join(given)}; one for all channels, or three")
        if given:
            names[place] = tuple(given) * (3 // len(given))
    parts = [[find_passband(n, kind) for n in each] for each, kind in zip(names, ("filters", "sensors"))]
    return [through([f, s]) for f, s in zip(*parts)]
