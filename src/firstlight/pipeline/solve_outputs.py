"""What a solved image leaves on the disk: a copy with its plate, the file itself, a side file, stars, regions."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.cards import Card
from firstlight.io.edit_header import Change, plan_edit
from firstlight.io.fits_scan import find_image, open_bytes
from firstlight.io.fits_writer import format_card
from firstlight.io.open_fits import WCS
from firstlight.io.read import OUTPUT_FOLDER, format_of
from firstlight.io.write import write
from firstlight.model.stars import Stars
from firstlight.ops.align.plates import positions_of, sky_of
from firstlight.pipeline.solve import Outcome, Solved, with_plate

FOLDER = "solved"
"""Inside our own output folder, which is never searched for frames."""
COMMENTS = {
    "CRVAL1": "[deg] right ascension at the reference pixel",
    "CRVAL2": "[deg] declination at the reference pixel",
    "CRDER1": "[deg] rms of the matched stars",
    "CRDER2": "[deg] rms of the matched stars",
    "A_ORDER": "SIP distortion",
    "AP_ORDER": "... and back",
}


@dataclass(frozen=True)
class SolveOutputs:
    """What is written, and where."""

    output: Path | None = None
    """File (of a single image) or folder; None: ``firstlight/solved`` beside each image."""
    in_place: bool = False
    """Change the header of the FITS file itself; its pixels stay byte for byte."""
    sidecar: bool = False
    """Only a header, as NAME.wcs."""
    stars: str = ""
    """Star table with sky positions: ``csv`` or ``ecsv``."""
    regions: bool = False
    """Stars and catalogue as regions for ds9, NAME.reg."""
    overwrite: bool = False


def cards_of(solved: Solved) -> list[Card]:
    """The plate's cards, and how good it is."""
    cards = dict(solved.plate.cards)
    if solved.plate.rms is not None:
        cards |= dict.fromkeys(("CRDER1", "CRDER2"), solved.plate.rms / 3600.0)
    return [(key, value, COMMENTS.get(key, "")) for key, value in cards.items()]


def told_of(solved: Solved) -> list[str]:
    """What HISTORY says of it."""
    plate, rms = solved.plate, solved.plate.rms
    told = f"plate solved by {solved.engine}"
    return [told + (f", {plate.n_matched} stars matched, rms {rms:.3f} arcsec" if rms is not None else "")]


def write_solution(outcome: Outcome, wanted: SolveOutputs, single: bool) -> list[Path]:
    """Write what is wanted of a solved file; ``single``: it is the only one, and ``output`` may be a file's name.

    Raises
    ------
    InputError
        A file is in the way, or another format than FITS would be changed in place.
    """
    path, solved = outcome.path, outcome.solved
    if solved is None:
        return []
    is_fits = format_of(path) == "fits"
    stem = path.name.split(".")[0] if is_fits and path.name.count(".") <= 2 else path.stem
    ending = "".join(path.suffixes[-2:]) if is_fits and path.suffix.lower() in (".gz", ".fz", ".bz2") else path.suffix
    folder = path.parent / OUTPUT_FOLDER / FOLDER if wanted.output is None else wanted.output
    target = folder / (path.name if is_fits else f"{stem}.fits")
    if wanted.output is not None and single and wanted.output.suffix.lower() in (".fits", ".fit", ".fts", ".fz"):
        folder, target = wanted.output.parent, wanted.output
        if is_fits and target.suffix.lower() not in (ending.lower(), ".fits", ".fit", ".fts"):
            raise InputError(f"{target}: {path.name} is copied as it is; give a name that ends with {ending}")
    written: list[Path] = []
    if wanted.in_place:
        if not is_fits:
            raise InputError(f"{path}: only FITS files are changed in place; leave out --in-place, or take --sidecar")
        _edited(path, path, solved)
        written.append(path)
        folder = path.parent if wanted.output is None else folder
    elif wanted.sidecar:
        folder = path.parent if wanted.output is None else folder
        written.append(_free(folder / f"{stem}.wcs", wanted))
        _write_sidecar(written[-1], outcome)
    else:
        written.append(_free(target, wanted))
        if is_fits:
            _edited(path, target, solved)
        elif outcome.frame is not None:
            write(target, with_plate(outcome.frame.read(), solved.plate))
    if wanted.stars:
        written.append(_free(folder / f"{stem}.stars.{wanted.stars}", wanted))
        _write_text(written[-1], _table(solved, ecsv=wanted.stars == "ecsv"))
    if wanted.regions:
        written.append(_free(folder / f"{stem}.reg", wanted))
        _write_text(written[-1], _regions(solved))
    return written


def _free(path: Path, wanted: SolveOutputs) -> Path:
    if path.exists() and not wanted.overwrite:
        raise InputError(f"{path}: exists already; give another place with -o, or --overwrite")
    return path


def _edited(path: Path, target: Path, solved: Solved) -> None:
    """A FITS file with another plate in its header; all else byte for byte."""
    cards = cards_of(solved)
    new = {card[0] for card in cards}
    old = {card[0] for card in find_image(open_bytes(path)).cards if WCS.match(card[0])} - new
    # EPOCH may be that of coordinates in other keywords; with EQUINOX there it is not looked at.
    changes = [Change(key) for key in sorted(old - {"EPOCH"})]
    changes += [Change(key, value, comment or None) for key, value, comment in cards]
    try:
        plan_edit(path, changes, told_of(solved)).write(target)
    except FrameError as error:
        raise InputError(f"{path}: its header cannot be changed: {error}; take --sidecar") from error


def _write_sidecar(path: Path, outcome: Outcome) -> None:
    if outcome.solved is None:
        return
    height, width = outcome.shape
    cards: list[Card] = [
        ("SIMPLE", True, "FITS standard 4.0"), ("BITPIX", 8, ""), ("NAXIS", 0, ""),
        ("IMAGEW", width, "[px] width of the image"), ("IMAGEH", height, "[px] height of the image"),
        *cards_of(outcome.solved), *(("HISTORY", line, "") for line in told_of(outcome.solved)),
    ]  # fmt: skip
    text = "".join(format_card(*card) for card in cards) + "END".ljust(80)
    _write_bytes(path, text.ljust(-(-len(text) // 2880) * 2880).encode("ascii"))


def star_columns(solved: Solved) -> dict[str, np.ndarray]:
    """Measured stars with their places on the sky and the catalogue's star that each was matched to."""
    stars = solved.stars
    columns: dict[str, Any] = {field.name: getattr(stars, field.name) for field in fields(Stars)}
    sky = sky_of(solved.plate, stars.positions)
    columns |= {"ra": sky[:, 0], "dec": sky[:, 1]}
    if (fit := solved.fit) is not None and fit.catalog is not None:
        for name, values in (
            ("catalog_ra", fit.catalog.ra), ("catalog_dec", fit.catalog.dec),
            *((f"catalog_{band}", mag) for band, mag in fit.catalog.mags.items()),
        ):  # fmt: skip
            column = np.full(len(stars), np.nan)
            column[fit.stars] = values[fit.entries]
            columns[name] = column
    return columns


def _table(solved: Solved, ecsv: bool) -> str:
    columns = star_columns(solved)
    units = {"x": "pix", "y": "pix", "fwhm": "pix", "hfr": "pix", "angle": "deg", "ra": "deg", "dec": "deg",
             "catalog_ra": "deg", "catalog_dec": "deg"}  # fmt: skip
    buffer = io.StringIO()
    if ecsv:
        buffer.write("# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n")
        for name in columns:
            unit = units.get(name) or ("mag" if name.startswith("catalog_") else "")
            buffer.write(f"# - {{name: {name}, {f'unit: {unit}, ' if unit else ''}datatype: float64}}\n")
        buffer.write("# meta: {positions: '0-based, centre of the first pixel is 0', sky: ICRS}\n")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    sky = {"ra", "dec", "catalog_ra", "catalog_dec"}
    for row in zip(*columns.values()):
        writer.writerow(
            "" if not np.isfinite(v) else f"{v:.8f}" if name in sky else f"{v:.6g}" if name not in "xy" else f"{v:.4f}"
            for name, v in zip(columns, row)
        )
    return buffer.getvalue()


def _regions(solved: Solved) -> str:
    lines = ["# Region file format: DS9 version 4.1", "global color=green width=1", "image"]
    matched = set(solved.fit.stars.tolist()) if solved.fit is not None else set()
    for i, (x, y, fwhm) in enumerate(zip(solved.stars.x, solved.stars.y, solved.stars.fwhm)):
        colour = "" if i in matched else " # color=yellow"
        lines.append(f"circle({x + 1:.3f},{y + 1:.3f},{max(fwhm, 2.0):.2f}){colour}")
    if solved.fit is not None and solved.fit.catalog is not None:
        known = solved.fit.catalog
        where = positions_of(solved.plate, np.column_stack([known.ra, known.dec]))
        for x, y in where[np.isfinite(where).all(axis=1)]:
            lines.append(f"point({x + 1:.3f},{y + 1:.3f}) # point=cross color=red")
    return "\n".join(lines) + "\n"


def _write_text(path: Path, text: str) -> None:
    _write_bytes(path, text.encode("utf-8"))


def _write_bytes(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
