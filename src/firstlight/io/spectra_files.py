"""Tables of the user's own with a spectrum for each star."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np

from firstlight.errors import InputError
from firstlight.io.catalog_files import read_catalog
from firstlight.model.catalog import Catalog
from firstlight.model.passband import GRID

_COLUMN = re.compile(r"^(?:f|flux|flux_|xp|xp_|nm|nm_)?(\d{3,4}(?:\.\d+)?)(?:nm)?$", re.IGNORECASE)


def read_spectra(path: Path) -> tuple[Catalog, np.ndarray]:
    """The stars of a table, and their spectra (n, GRID) per wavelength, in any unit; NaN where a star has none.

    A CSV, ECSV or FITS table with columns ``ra``, ``dec`` (degrees, ICRS) and one column for each wavelength, its name
    the number of nm, with or without ``f``, ``flux`` or ``xp`` before it: ``f400, f420, ...``. Sampled spectra of Gaia
    look so. Energy per wavelength (W / m2 / nm).

    Raises
    ------
    InputError
        No such file, no columns of places, or fewer than five of wavelengths between 300 and 1100 nm.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give a table with ra, dec and a column for each wavelength")
    catalog = read_catalog(path)
    table = _table(path)
    found = {float(m[1]): name for name in table.colnames if (m := _COLUMN.match(name)) and 300 <= float(m[1]) <= 1100}
    if len(found) < 5:
        raise InputError(
            f"{path}: {len(found)} columns of wavelengths; at least 5 named by their nm (f400, f420, ...) are needed; "
            "a table of magnitudes goes with --catalog"
        )
    if len(table) != len(catalog):
        raise InputError(f"{path}: {len(table) - len(catalog)} rows have no place on the sky; leave them out")
    nm = np.array(sorted(found))
    flux = np.stack([np.ma.filled(np.ma.asarray(table[found[each]]).astype(np.float64), np.nan) for each in nm], axis=1)
    # Beyond their ends spectra stay level: hardly any filter looks there.
    return catalog, np.stack([np.interp(GRID, nm, row) for row in flux])


def _table(path: Path):
    from astropy.table import Table

    lower = path.name.lower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if lower.endswith((".fits", ".fit", ".fits.gz")):
            return Table.read(path, format="fits")
        return Table.read(path, format="ascii.ecsv" if lower.endswith(".ecsv") else "ascii.csv")
