"""The tables of the Earth's rotation that come with Astropy, as numbers: to read their text takes half a second."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.io.atomic import keep_array
from firstlight.io.places import cache_folder

UNITS = {"MJD": "d", "UT1_UTC": "s", "PM_x": "arcsec", "PM_y": "arcsec", "dX_2000A": "marcsec", "dY_2000A": "marcsec"}
"""Columns that positions need, as Astropy names them."""


@lru_cache(maxsize=1)
def earth_rotation() -> Any:
    """`astropy.utils.iers.IERS`: the bundled tables, from the cache of earlier runs where they are the same.

    Without the network; tables that Astropy has in memory already are those it uses.
    """
    from astropy import units as u
    from astropy.utils import iers

    if iers.IERS_Auto.iers_table is not None:
        return iers.IERS_Auto.iers_table
    bundled = Path(iers.IERS_A_FILE), Path(iers.IERS_B_FILE)
    ages = "-".join(f"{status.st_size}.{status.st_mtime_ns}" for status in (path.stat() for path in bundled))
    kept = cache_folder() / f"earth-{ages}.npy"
    numbers = _read(kept)
    if numbers is None:
        whole = iers.IERS_Auto.open()
        numbers = np.array([whole[name].to_value(unit) for name, unit in UNITS.items()])
        with suppress(OSError):
            for older in kept.parent.glob("earth-*.npy"):
                older.unlink()
        keep_array(kept, numbers)
    return iers.IERS({name: column * u.Unit(unit) for (name, unit), column in zip(UNITS.items(), numbers)})


def _read(kept: Path) -> np.ndarray | None:
    try:
        numbers = np.load(kept)
    except (OSError, ValueError, EOFError):
        return None
    whole = numbers.ndim == 2 and len(numbers) == len(UNITS) and numbers.shape[1] > 0
    return numbers if whole and np.all(np.diff(numbers[0]) > 0) else None
