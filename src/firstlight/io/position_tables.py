"""Tables of places in px."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firstlight.errors import InputError


def read_xy(path: Path) -> np.ndarray | None:
    """Columns x and y (n, 2) of a CSV, ECSV or FITS table; None where it has no such columns.

    Raises
    ------
    InputError
        The file cannot be read as a table.
    """
    from astropy.table import Table

    suffix = path.suffix.lower()
    kind = {".ecsv": "ascii.ecsv", ".fits": "fits", ".fit": "fits"}.get(suffix, "ascii.csv")
    try:
        table = Table.read(path, format=kind)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table: {error}; give CSV, ECSV or FITS") from error
    names = {name.lower(): name for name in table.colnames}
    if "x" not in names or "y" not in names:
        return None
    try:
        return np.column_stack([np.asarray(table[names[axis]], np.float64) for axis in "xy"])
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: x and y must be numbers; correct them there") from error
