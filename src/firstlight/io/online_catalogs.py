"""Catalogues over the network (Gaia, VizieR), only when asked; what was fetched is kept with the date and the query."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.catalog_files import read_catalog
from firstlight.io.places import user_folder
from firstlight.model.catalog import Catalog

MOST = 200_000
"""Rows of one extract."""


@dataclass(frozen=True)
class Service:
    """A catalogue of VizieR."""

    table: str
    columns: tuple[str, ...]
    magnitude: str
    """Column that a limit is put on."""
    epoch: float
    about: str


SERVICES: Mapping[str, Service] = {
    "gaia": Service(
        "I/355/gaiadr3", ("Source", "RA_ICRS", "DE_ICRS", "pmRA", "pmDE", "Gmag", "BPmag", "RPmag"), "Gmag", 2016.0,
        "Gaia DR3: positions, motions, G, BP, RP to G = 21",
    ),
    "refcat2": Service(
        "J/ApJ/867/105/refcat2",
        ("RA_ICRS", "DE_ICRS", "pmRA", "pmDE", "Gmag", "BPmag", "RPmag", "gmag", "rmag", "imag", "zmag"), "rmag",
        2015.5, "ATLAS-REFCAT2: Gaia's positions with g, r, i, z to 19",
    ),
    "apass": Service(
        "II/336/apass9", ("RAJ2000", "DEJ2000", "Vmag", "Bmag", "g_mag", "r_mag", "i_mag"), "Vmag", 2000.0,
        "APASS DR9: B, V, g, r, i from 10 to 17",
    ),
    "ucac4": Service(
        "I/322A/out", ("UCAC4", "RAJ2000", "DEJ2000", "pmRA", "pmDE", "f.mag", "Bmag", "Vmag"), "f.mag", 2000.0,
        "UCAC4: positions, motions, B, V to 16",
    ),
    "vsx": Service(
        "B/vsx/vsx", ("Name", "RAJ2000", "DEJ2000", "Type", "max", "min", "Period"), "max", 2000.0,
        "AAVSO's index of variable stars",
    ),
}  # fmt: skip


def fetched_path(service: str, ra: float, dec: float, radius: float, faintest: float | None) -> Path:
    """Where an extract is kept: among the user's catalogues, so that every command finds it."""
    query = json.dumps([service, round(ra, 6), round(dec, 6), round(radius, 6), faintest])
    key = hashlib.blake2s(query.encode(), digest_size=4).hexdigest()
    return user_folder() / "catalogs" / f"{service}_{ra:.3f}_{dec:+.3f}_{radius:g}deg_{key}.ecsv"


def fetch(
    service: str,
    ra: float,
    dec: float,
    radius: float,
    faintest: float | None = None,
    *,
    seconds: float = 60.0,
    again: bool = False,
) -> tuple[Path, Catalog]:
    """The stars around a place, from the network or from what was fetched before.

    Parameters
    ----------
    radius : degrees.
    faintest : magnitude in the service's own band.
    seconds : the network may take.
    again : ask even if it is here already.

    Raises
    ------
    InputError
        Unknown service, no network, too many rows, or the package astroquery is missing.
    """
    if service == "tycho2":
        raise InputError(
            "tycho2: not fetched from here; on Debian and Ubuntu: apt-get install astrometry-data-tycho2-07"
        )
    if service not in SERVICES:
        raise InputError(f"catalogue service {service!r}: {', '.join(SERVICES)} are allowed")
    path = fetched_path(service, ra, dec, radius, faintest)
    if not path.is_file() or again:
        table = _ask(SERVICES[service], ra, dec, radius, faintest, seconds)
        if len(table) == 0:
            raise InputError(f"{service}: no entries within {radius:g} degrees of {ra:.4f}, {dec:+.4f}")
        if len(table) >= MOST:
            raise InputError(f"{service}: more than {MOST} entries; take a smaller radius or a limit with --faintest")
        _keep(path, table, service, ra, dec, radius, faintest)
    return path, read_catalog(path)


def _ask(service: Service, ra: float, dec: float, radius: float, faintest: float | None, seconds: float) -> Any:
    try:
        from astroquery.vizier import Vizier
    except ImportError as error:
        raise InputError(
            "online catalogues: the package astroquery is not here; install it with: pip install 'firstlight[online]'"
        ) from error
    from astropy import units
    from astropy.coordinates import SkyCoord

    limits = {} if faintest is None else {service.magnitude: f"<{faintest:g}"}
    vizier = Vizier(columns=list(service.columns), column_filters=limits, row_limit=MOST, timeout=seconds)
    try:
        found = vizier.query_region(
            SkyCoord(ra, dec, unit="deg"), radius=radius * units.deg, catalog=service.table, cache=False
        )
    except Exception as error:  # requests, urllib3 and astroquery raise kinds of their own, without a common base
        raise InputError(f"{service.table}: VizieR cannot be reached: {_one_line(error)}; try again later") from error
    return found[0] if found else []


def _one_line(error: Exception) -> str:
    if "NameResolution" in str(error) or "Max retries" in str(error):
        # Their own words are names of classes.
        return "there is no connection to its server"
    return re.sub(r"\s+", " ", str(error))[:160] or type(error).__name__


def _keep(path: Path, table: Any, service: str, ra: float, dec: float, radius: float, faintest: float | None) -> None:
    """As ECSV with plain columns; its meta tells what was asked, where and when."""
    for name in table.colnames:
        table[name].description = None
        table[name].meta = {}
    if service in SERVICES and "ref_epoch" not in table.colnames:
        table["ref_epoch"] = SERVICES[service].epoch
    table.meta = {
        "service": f"VizieR {SERVICES[service].table}",
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "query": {"ra": ra, "dec": dec, "radius_deg": radius, "faintest": faintest},
    }
    with atomic_path(path) as temporary:
        table.write(temporary, format="ascii.ecsv", delimiter=",", overwrite=True)
