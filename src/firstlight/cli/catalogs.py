"""``firstlight catalogs``: star catalogues and objects on this machine."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import click

from firstlight.cli.tables import show_table
from firstlight.errors import InputError

_FOLDER = click.option(
    "--catalogs", "folder", type=click.Path(path_type=Path, file_okay=False), help="A further folder of catalogues."
)


@click.group("catalogs")
def command() -> None:
    """Star catalogues and deep-sky objects: list, search, find by name, fetch.

    \b
    firstlight catalogs list                            what is here, and how deep it is
    firstlight catalogs where                           which folders and files are looked at
    firstlight catalogs cone M27 --radius 0.5           stars around an object or a position
    firstlight catalogs find "north america"            objects by name
    firstlight catalogs get gaia M27 --radius 1         a deep extract, over the network
    """


@command.command("list")
@_FOLDER
def list_(folder: Path | None) -> None:
    """List the catalogues that are here: stars, bands, limits."""
    import numpy as np

    from firstlight.io.catalogs import find_catalogs, open_catalog

    folders = (str(folder),) if folder else ()
    rows = []
    for entry in find_catalogs(folders):
        try:
            catalog = open_catalog(entry.name, folders)
        except InputError as error:
            click.echo(f"note: {error}", err=True)
            continue
        mag = catalog.mag
        depth = f"{np.nanmedian(mag):.1f}, {np.nanpercentile(mag, 99):.1f}" if np.isfinite(mag).any() else ""
        rows.append((entry.name, f"{len(catalog)}", " ".join(catalog.mags), f"{catalog.epoch:g}", depth, entry.about))
    show_table(("name", "stars", "bands", "epoch", "magnitude: median, 99 %", "what"), rows)


@command.command("where")
@_FOLDER
def where(folder: Path | None) -> None:
    """Say where catalogues, indexes and programs that solve plates are looked for, and what was found."""
    import importlib.util

    from firstlight.io import solvers
    from firstlight.io.catalogs import catalog_folders, find_catalogs, index_folders
    from firstlight.io.places import cache_folder

    folders = (str(folder),) if folder else ()
    click.echo("Tables of stars (CSV, ECSV, FITS):")
    for place in catalog_folders(folders):
        click.echo(f"  {place}{'' if place.is_dir() else ' (not there)'}")
    click.echo("Catalogues found:")
    for entry in find_catalogs(folders):
        click.echo(f"  {entry.name}: {entry.path}")
    files = solvers.index_files()
    click.echo(f"Index files of astrometry.net: {len(files)} in {', '.join(str(f) for f in index_folders())}")
    click.echo(f"Cache (made again when it is missing): {cache_folder()}")
    click.echo("Engines:")
    click.echo("  native: yes")
    click.echo(f"  astrometry: {'yes' if importlib.util.find_spec('astrometry') else 'no (pip: firstlight[solve])'}")
    click.echo(f"  solve-field: {solvers.SOLVE_FIELD.find() or 'no (Debian: astrometry.net)'}")
    astap, stars = solvers.ASTAP.find(), solvers.astap_database()
    click.echo(f"  astap: {astap or 'no'}{'' if astap is None or stars else ', without a star database'}")
    click.echo("  nova: over the network, with a key in ASTROMETRY_API_KEY")


@command.command("cone")
@click.argument("place")
@click.option("--radius", type=click.FloatRange(0, 180), default=0.5, help="Degrees.  [default: 0.5]")
@click.option("--catalog", default="auto", help="Name or file of a catalogue.  [default: auto]")
@click.option("--faintest", type=float, help="Leave out fainter stars.")
@click.option("--year", type=float, help="Positions at this Julian year; default: of the catalogue.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this CSV file.")
@_FOLDER
def cone_(
    place: str, radius: float, catalog: str, faintest: float | None, year: float | None, output: Path | None,
    folder: Path | None,
) -> None:  # fmt: skip
    """Give the stars around PLACE as CSV: an object's name, or RA,DEC in degrees or sexagesimal."""
    from firstlight.io.atomic import atomic_path
    from firstlight.io.catalogs import cone

    ra, dec = position_of(place)
    found = cone(catalog, ra, dec, radius, faintest, (str(folder),) if folder else ())
    if year is not None:
        found = found.at(year)
    if output is None:
        _write_csv(found, sys.stdout)
        return
    with atomic_path(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        _write_csv(found, file)
    click.echo(f"{output}: {len(found)} stars")


def position_of(place: str) -> tuple[float, float]:
    """Degrees of an object's name, or of ``RA,DEC``."""
    from firstlight.io import convert
    from firstlight.io.deep_sky import find_object

    parts = [part.strip() for part in place.split(",")]
    if len(parts) == 2:
        ra, dec = convert.right_ascension(parts[0]), convert.declination(parts[1])
        if ra is None or dec is None:
            raise InputError(
                f"{place!r}: RA,DEC in degrees (299.9,22.72) or sexagesimal (19:59:36,+22:43:16) is allowed"
            )
        return ra, dec
    found = find_object(place)
    return found.ra, found.dec


def _write_csv(catalog, file) -> None:  # type: ignore[no-untyped-def]
    import math

    writer = csv.writer(file, lineterminator="\n")
    names = ["name"] if catalog.names is not None else []
    writer.writerow([*names, "ra", "dec", "pmra", "pmdec", "epoch", *catalog.mags])
    for i in range(len(catalog)):
        numbers = [catalog.pm_ra[i], catalog.pm_dec[i]]
        cells = ["" if math.isnan(value) else f"{value:.2f}" for value in numbers]
        mags = ["" if math.isnan(mag[i]) else f"{mag[i]:.3f}" for mag in catalog.mags.values()]
        name = [catalog.names[i]] if catalog.names is not None else []
        writer.writerow([*name, f"{catalog.ra[i]:.8f}", f"{catalog.dec[i]:.8f}", *cells, f"{catalog.epoch:g}", *mags])


@command.command("find")
@click.argument("name", nargs=-1, required=True)
@click.option("--near", is_flag=True, help="Give RA,DEC: objects around it.")
@click.option("--radius", type=click.FloatRange(0, 180), default=1.0, help="Degrees, with --near.  [default: 1]")
@_FOLDER
def find(name: tuple[str, ...], near: bool, radius: float, folder: Path | None) -> int:
    """Look up deep-sky objects (OpenNGC) by a name or a part of it: M 27, ngc7000, "north america", Veil."""
    from firstlight.cli.solve import sexagesimal
    from firstlight.io.deep_sky import find_object, objects_near, search_objects

    text, folders = " ".join(name), (str(folder),) if folder else ()
    if near:
        found = objects_near(*position_of(text), radius, folders)
    else:
        found = search_objects(text, folders) or [find_object(text, folders)]
    rows = []
    for entry in found[:40]:
        size = "" if entry.major is None else f"{entry.major:g}'" + (f" x {entry.minor:g}'" if entry.minor else "")
        names = ", ".join((entry.messier, *entry.common)).strip(", ")
        place = (sexagesimal(entry.ra / 15), sexagesimal(entry.dec, sign=True))
        mag = "" if entry.mag is None else f"{entry.mag:g}"
        rows.append((entry.name, names, entry.kind, *place, entry.constellation, size, mag))
    show_table(("name", "also", "kind", "RA", "Dec", "in", "size", "mag"), rows)
    if len(found) > 40:
        click.echo(f"{len(found) - 40} more are not listed.")
    return 0 if found else 1


@command.command("get")
@click.argument("service")
@click.argument("place")
@click.option("--radius", type=click.FloatRange(0, 10, min_open=True), default=0.5, help="Degrees.  [default: 0.5]")
@click.option("--faintest", type=float, help="Leave out fainter stars (in the service's own band).")
@click.option("--timeout", type=click.FloatRange(1, 3600), default=60.0, help="Seconds the network may take.")
@click.option("--again", is_flag=True, help="Ask even if the extract is here already.")
def get(service: str, place: str, radius: float, faintest: float | None, timeout: float, again: bool) -> None:
    """Fetch the stars around PLACE over the network, and keep them where all commands find them.

    SERVICE is gaia, refcat2, apass, ucac4 or vsx. PLACE is an object's name, or RA,DEC. The file tells when it was
    fetched and what was asked. Nothing else in firstlight uses the network unasked.
    """
    from firstlight.io.online_catalogs import fetch

    ra, dec = position_of(place)
    path, found = fetch(service, ra, dec, radius, faintest, seconds=timeout, again=again)
    click.echo(f"{path}: {len(found)} entries, {' '.join(found.mags) or 'no magnitudes'}")
