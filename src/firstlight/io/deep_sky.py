"""Deep-sky objects from OpenNGC: of the Python package pyongc, or of its CSV files in a folder of catalogues."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np

from firstlight.errors import InputError, nearest
from firstlight.io import convert
from firstlight.io.catalogs import catalog_folders
from firstlight.model.catalog import unit_vectors
from firstlight.model.deep_sky import DeepSkyObject, plain_name

KINDS = {
    "*": "star", "**": "double star", "*Ass": "association of stars", "OCl": "open cluster", "GCl": "globular cluster",
    "Cl+N": "cluster with nebula", "G": "galaxy", "GPair": "galaxy pair", "GTrpl": "galaxy triplet",
    "GGroup": "group of galaxies", "PN": "planetary nebula", "HII": "HII region", "DrkN": "dark nebula",
    "EmN": "emission nebula", "Neb": "nebula", "RfN": "reflection nebula", "SNR": "supernova remnant", "Nova": "nova",
    "NonEx": "does not exist", "Dup": "duplicate", "Other": "other",
}  # fmt: skip
NO_OBJECTS = ("does not exist", "duplicate")


def deep_sky(folders: Iterable[str] = ()) -> tuple[DeepSkyObject, ...]:
    """All objects known here.

    Raises
    ------
    InputError
        Neither the package pyongc nor OpenNGC's files are here.
    """
    return _deep_sky(tuple(str(folder) for folder in catalog_folders(tuple(folders))))


@lru_cache(maxsize=2)
def _deep_sky(folders: tuple[str, ...]) -> tuple[DeepSkyObject, ...]:
    for folder in map(Path, folders):
        files = sorted(folder.glob("*openngc*.csv*")) + sorted(folder.glob("NGC.csv")) if folder.is_dir() else []
        if files:
            return tuple(entry for path in files for entry in _of_file(path))
    spec = importlib.util.find_spec("pyongc")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place, "ongc.db")
        if path.is_file():
            return tuple(_of_package(path))
    raise InputError(
        "deep-sky objects: OpenNGC is not here; install it with: pip install pyongc, or put NGC.csv into a folder of "
        "catalogues"
    )


def _of_package(path: Path) -> Iterator[DeepSkyObject]:
    question = (
        "SELECT name, type, ra, dec, const, majax, minax, pa, vmag, bmag, messier, ngc, ic, identifiers, commonnames "
        "FROM objects"
    )
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as base:
        for row in base.execute(question):
            name, kind, ra, dec, constellation, major, minor, angle, v, b, messier, ngc, ic, other, common = row
            if ra is None or dec is None:
                continue
            yield _entry(
                name, kind, math.degrees(ra), math.degrees(dec), constellation, (major, minor, angle), (v, b),
                messier, ngc, ic, other, common,
            )  # fmt: skip


def _of_file(path: Path) -> Iterator[DeepSkyObject]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.name.endswith(".gz") else data).decode("utf-8-sig")
    for row in csv.DictReader(io.StringIO(text), delimiter=";"):
        ra, dec = convert.right_ascension(row.get("RA")), convert.declination(row.get("Dec"))
        if ra is None or dec is None:
            continue
        sizes = tuple(convert.number(row.get(key)) for key in ("MajAx", "MinAx", "PosAng"))
        mags = tuple(convert.number(row.get(key)) for key in ("V-Mag", "B-Mag"))
        yield _entry(
            row["Name"], row["Type"], ra, dec, row.get("Const"), sizes, mags,
            row.get("M"), row.get("NGC"), row.get("IC"), row.get("Identifiers"), row.get("Common names"),
        )  # fmt: skip


def _entry(
    name: str, kind: str, ra: float, dec: float, constellation: str | None,
    sizes: tuple[float | None, ...], mags: tuple[float | None, ...],
    messier: str | None, ngc: str | None, ic: str | None, other: str | None, common: str | None,
) -> DeepSkyObject:  # fmt: skip
    spaced = _spaced(name)
    number = str(messier or "").lstrip("M").lstrip("0")
    further = [*(f"NGC {n.lstrip('0')}" for n in str(ngc or "").split(",") if n),
               *(f"IC {n.lstrip('0')}" for n in str(ic or "").split(",") if n),
               *(part.strip() for part in str(other or "").split(",") if part.strip())]  # fmt: skip
    return DeepSkyObject(
        spaced, KINDS.get(kind, kind), ra, dec, constellation or "", sizes[0], sizes[1], sizes[2],
        mags[0] if mags[0] is not None else mags[1], f"M {number}" if number else "",
        tuple(part.strip() for part in str(common or "").split(",") if part.strip()), tuple(further),
    )  # fmt: skip


def _spaced(name: str) -> str:
    """NGC0891 as people write it: NGC 891."""
    letters = name.rstrip("0123456789ABCDEFabcdef +-") or name[:1]
    for head in ("NGC", "IC", "ESO", "UGC", "PGC", "MWSC", "HCG", "LDN", "B", "C", "H", "M", "Cl", "Mel", "Barnard"):
        if name.startswith(head) and name[len(head) : len(head) + 1].isdigit():
            letters = head
    rest = name[len(letters) :]
    return f"{letters} {rest.lstrip('0') or rest}" if letters in ("NGC", "IC", "C", "B", "M", "Mel", "HCG") else name


@lru_cache(maxsize=2)
def _by_name(objects: tuple[DeepSkyObject, ...]) -> dict[str, DeepSkyObject]:
    found: dict[str, DeepSkyObject] = {}
    # Duplicates last: a name leads to the object itself.
    for entry in sorted(objects, key=lambda each: each.kind in NO_OBJECTS):
        for name in entry.names:
            found.setdefault(plain_name(name), entry)
    return found


def find_object(name: str, folders: Iterable[str] = ()) -> DeepSkyObject:
    """The object of this name: NGC, IC, Messier, Caldwell or common name; case, blanks and noughts aside.

    Raises
    ------
    InputError
        There is none; the message names the nearest.

    >>> found = find_object("Andromeda Galaxy")
    >>> found.name, found.messier, round(found.ra, 2), round(found.dec, 2)
    ('NGC 224', 'M 31', 10.68, 41.27)
    """
    objects = deep_sky(folders)
    names = _by_name(objects)
    wanted = plain_name(name)
    if wanted in names:
        return names[wanted]
    matches = [e for e in objects if any(wanted and wanted in plain_name(common) for common in e.common)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        listed = ", ".join(f"{e.name} ({e.common[0]})" for e in matches[:6])
        raise InputError(f"object {name!r}: several have this in their names: {listed}; give one of them")
    common = [word for entry in objects for word in (*entry.common, entry.name, entry.messier) if word]
    raise InputError(f"object {name!r}: OpenNGC has none of this name{nearest(name, common)}")


def search_objects(text: str, folders: Iterable[str] = ()) -> list[DeepSkyObject]:
    """Objects that have a text in one of their names, the largest first."""
    wanted = plain_name(text)
    found = [e for e in deep_sky(folders) if wanted and any(wanted in plain_name(n) for n in (e.name, *e.common))]
    exact = _by_name(deep_sky(folders)).get(wanted)
    found.sort(key=lambda e: (e is not exact, -(e.major or 0.0)))
    return [exact, *(e for e in found if e is not exact)] if exact else found


def objects_near(ra: float, dec: float, radius: float, folders: Iterable[str] = ()) -> list[DeepSkyObject]:
    """Objects within ``radius`` degrees of a place, the largest first; no duplicates."""
    objects = [e for e in deep_sky(folders) if e.kind not in NO_OBJECTS]
    vectors = unit_vectors(np.array([e.ra for e in objects]), np.array([e.dec for e in objects]))
    middle = unit_vectors(np.array([ra]), np.array([dec]))[0]
    near = np.flatnonzero(vectors @ middle >= math.cos(math.radians(radius)))
    return sorted((objects[i] for i in near), key=lambda e: -(e.major or 0.0))
