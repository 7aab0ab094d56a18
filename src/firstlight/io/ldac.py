"""Star tables of the Astromatic programs: FITS_LDAC, a table of headers and a table of objects by turns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.atomic import atomic_path
from firstlight.model.catalog import Catalog

ERROR = 0.05
"""arcsec: taken for the error of catalogue positions, which our catalogues do not hold; that of Tycho-2's."""


def read_ldac(path: Path) -> np.ndarray:
    """The objects of the first image in a file, as a structured array.

    Raises
    ------
    FrameError
        It is no FITS_LDAC file.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as units:
            objects = next(unit for unit in units if unit.name == "LDAC_OBJECTS")
            return np.array(objects.data)
    except (OSError, StopIteration):
        raise FrameError(f"{path.name}: no FITS_LDAC star table; source-extractor writes one") from None


def write_reference(path: Path, catalog: Catalog) -> Path:
    """Write catalogue entries as a reference for SCAMP (``ASTREF_CATALOG FILE``); entries without a magnitude stay out.

    Motions are not written: the positions are taken as they are, so bring the catalogue to the epoch of the images.
    """
    from astropy.io import fits

    stars = catalog.take(np.isfinite(catalog.mag))
    error = np.full(len(stars), ERROR / 3600.0)
    columns: Mapping[str, tuple[str, str, np.ndarray]] = {
        "X_WORLD": ("1D", "deg", stars.ra),
        "Y_WORLD": ("1D", "deg", stars.dec),
        "ERRA_WORLD": ("1E", "deg", error),
        "ERRB_WORLD": ("1E", "deg", error),
        "ERRTHETA_WORLD": ("1E", "deg", np.zeros(len(stars))),
        "MAG": ("1E", "mag", stars.mag),
        "MAGERR": ("1E", "mag", np.full(len(stars), 0.05)),
        "OBSDATE": ("1D", "yr", np.full(len(stars), stars.epoch)),
    }
    objects = fits.BinTableHDU.from_columns(
        [fits.Column(name, kind, unit, array=values) for name, (kind, unit, values) in columns.items()],
        name="LDAC_OBJECTS",
    )
    head = fits.PrimaryHDU().header.tostring(padding=False).encode()
    heads = fits.BinTableHDU.from_columns(
        [fits.Column("Field Header Card", f"{len(head)}A", array=np.array([head]))], name="LDAC_IMHEAD"
    )
    heads.header["TDIM1"] = f"(80, {len(head) // 80})"
    with atomic_path(path) as temporary:
        fits.HDUList([fits.PrimaryHDU(), heads, objects]).writeto(temporary, overwrite=True)
    return path
