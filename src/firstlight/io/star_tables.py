"""Tables of measurements as CSV, ECSV or FITS: columns with unit and meaning."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path

SUFFIXES = (".csv", ".ecsv", ".fits")
_UNITS = {"px": "pix"}
"""Units as FITS spells them."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table."""

    name: str
    values: Any
    """Numbers (NaN: not known), or texts."""
    unit: str = ""
    about: str = ""
    digits: int | None = None
    """Behind the decimal point, in texts; None: as many as tell the number apart."""

    def cell(self, value: Any) -> str:
        if isinstance(value, (bool, np.bool_)):
            return "1" if value else "0"
        if isinstance(value, (float, np.floating)):
            if not np.isfinite(value):
                return ""
            return repr(float(value)) if self.digits is None else f"{value:.{self.digits}f}"
        return str(value)


def write_columns(
    path: str | os.PathLike[str], columns: Sequence[Column], meta: Mapping[str, Any] | None = None
) -> Path:
    """Write a table, whole or not at all; the suffix says how: .csv, .ecsv (astropy reads units, meanings and ``meta``
    back) or .fits.

    Raises
    ------
    InputError
        Another suffix.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_columns(Path(folder, "a.csv"), [Column("mag", np.array([1.25, np.nan]), "mag", digits=3)]).read_text()
    'mag\\n1.250\\n\\n'
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path}: the suffix is '{path.suffix}'; {', '.join(SUFFIXES)} are allowed; choose one of them"
        )
    with atomic_path(path) as temporary:
        if suffix == ".csv":
            _write_csv(temporary, columns)
        elif suffix == ".ecsv":
            _write_ecsv(temporary, columns, meta or {})
        else:
            _write_fits(temporary, columns, meta or {})
    return path


def _write_csv(path: Path, columns: Sequence[Column]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        if len(columns) == 1:
            file.writelines(columns[0].cell(value) + "\n" for value in columns[0].values)
        else:
            writer.writerows(zip(*([c.cell(v) for v in c.values] for c in columns)))


def _write_ecsv(path: Path, columns: Sequence[Column], meta: Mapping[str, Any]) -> None:
    """ECSV 1.0: the header is YAML in comments, which JSON is as well."""
    lines = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:"]
    for column in columns:
        entry = {"name": column.name, "datatype": _datatype(column.values)}
        if column.unit:
            entry["unit"] = _UNITS.get(column.unit, column.unit)
        if column.about:
            entry["description"] = column.about
        lines.append(f"# - {json.dumps(entry, ensure_ascii=False)}")
    if meta:
        lines.append(f"# meta: {json.dumps(_plain(meta), ensure_ascii=False)}")
    lines.append("# schema: astropy-2.0")
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        rows = zip(*([_ecsv_cell(c, v) for v in c.values] for c in columns))
        writer.writerows(rows)


def _ecsv_cell(column: Column, value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    return "nan" if isinstance(value, (float, np.floating)) and np.isnan(value) else column.cell(value)


def _datatype(values: Any) -> str:
    kind = np.asarray(values).dtype
    return {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}.get(kind.kind, "string")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (np.floating, np.integer, np.bool_)):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _write_fits(path: Path, columns: Sequence[Column], meta: Mapping[str, Any]) -> None:
    from astropy.io import fits

    made = []
    for column in columns:
        values = np.asarray(column.values)
        if values.dtype.kind not in "biuf":
            texts = [str(value) for value in column.values]
            wide = max([len(text.encode("utf-8")) for text in texts] + [1])
            values, form = np.array([t.encode("ascii", "replace") for t in texts], f"S{wide}"), f"{wide}A"
        else:
            form = {"b": "L", "i": "K", "u": "K", "f": "D"}[values.dtype.kind]
        made.append(fits.Column(column.name, form, unit=_UNITS.get(column.unit, column.unit) or None, array=values))
    table = fits.BinTableHDU.from_columns(made, name="TABLE")
    for number, column in enumerate(columns, 1):
        if column.about:
            table.header.comments[f"TTYPE{number}"] = column.about.encode("ascii", "replace").decode()[:45]
    for key, value in meta.items():
        if isinstance(value, (str, int, float)) and value == value:
            name = key.upper().replace(" ", "_")
            table.header[name if len(name) <= 8 else f"HIERARCH {name}"] = (
                str(value)[:60] if isinstance(value, str) else value
            )
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True, checksum=True)
