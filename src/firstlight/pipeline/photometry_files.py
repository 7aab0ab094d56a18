"""Tables and reports of `firstlight photometry`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight import __version__
from firstlight.errors import InputError
from firstlight.io.catalogs import open_catalog
from firstlight.io.star_tables import Column, write_columns
from firstlight.model.flags import FLAG_NAMES, Flag

if TYPE_CHECKING:
    from firstlight.ops.catalog.zero_point import ZeroPoint
    from firstlight.pipeline.photometry import Measured, PhotometryResult

MMAG = 1000.0


def read_positions(path: str) -> tuple[np.ndarray, bool]:
    """Places (n, 2) of a table, and whether they are right ascension and declination, degrees.

    Columns ``x`` and ``y`` win over ``ra`` and ``dec``.

    Raises
    ------
    InputError
        The file is not there, or has neither.
    """
    from firstlight.io.position_tables import read_xy

    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file; give a table with the columns x and y, or ra and dec")
    places = read_xy(Path(path))
    if places is not None:
        return places, False
    catalog = open_catalog(path)
    return np.column_stack([catalog.ra, catalog.dec]), True


def write_photometry(measured: Measured, folder: Path, suffix: str) -> None:
    """The table of an image."""
    name = measured.path.name
    for ending in (".gz", ".fz", ".bz2"):
        name = name.removesuffix(ending)
    path = folder / f"{Path(name).stem}_photometry{suffix}"
    meta = {change.keyword: change.value for change in _changes(measured)}
    meta |= {"image": measured.path.name, "software": f"firstlight {__version__}"}
    measured.files.append(write_columns(path, table_columns(measured), meta))


def _changes(measured: Measured) -> Any:
    from firstlight.pipeline.photometry import header_changes

    return header_changes(measured)


def table_columns(measured: Measured) -> list[Column]:
    """Columns of an image's table."""
    found, known, plane = measured.photometry, measured.known, measured.plane
    n = len(found)
    nothing = np.full(n, np.nan)
    shift = 0.5 if plane.shrink == 2 else 0.0
    sky = known.sky if known.sky is not None else np.full((n, 2), np.nan)
    has_zero = measured.zero_point is not None
    calibrated = measured.calibrated if measured.calibrated is not None else nothing
    catalog = known.of(known.catalog.mags[measured.band]) if known.catalog is not None and measured.band else nothing
    zero_error = measured.zero_point.zero_error if has_zero else np.nan  # type: ignore[union-attr]
    used = measured.zero_point.used if has_zero else np.zeros(n, bool)  # type: ignore[union-attr]
    return [
        Column("star", np.arange(1, n + 1), about="number"),
        Column("x", found.x * plane.shrink + shift, "px", "first pixel 0", 3),
        Column("y", found.y * plane.shrink + shift, "px", "first pixel 0", 3),
        Column("ra", sky[:, 0], "deg", "ICRS", 7),
        Column("dec", sky[:, 1], "deg", "ICRS", 7),
        Column("magnitude", calibrated, "mag", f"calibrated to {measured.band} of the catalogue", 4),
        Column("error", measured.error, "mag", "standard error, without that of the zero point", 4),
        Column("total_error", np.hypot(measured.error, zero_error), "mag", "with that of the zero point", 4),
        Column("instrumental", measured.magnitude, "mag", "-2.5 log10(flux/s), whole light", 4),
        Column("flux", found.flux[:, 0], measured.image.unit.value, "in the aperture, above the ring", 3),
        Column("flux_error", found.error[:, 0], measured.image.unit.value, "its standard error", 3),
        Column("snr", found.snr[:, 0], "", "signal to noise", 2),
        Column("sky", found.sky, measured.image.unit.value, "level of the ring", 3),
        Column("peak", found.peak, measured.image.unit.value, "above the ring", 2),
        Column("catalog", catalog, "mag", "of the catalogue", 4),
        Column("colour", nothing if measured.colour is None else measured.colour, "mag", str(measured.colour_name), 4),
        Column("used", used, about="made the zero point"),
        Column("saturated", measured.saturated, about="the core is full: a lower limit of the light"),
        Column("flags", [_flag_words(bits) for bits in found.flags[:, 0]], about="of the pixels of the aperture"),
    ]  # fmt: skip


def _flag_words(bits: int) -> str:
    return " ".join(name.lower() for bit, name in FLAG_NAMES.items() if bits & bit and bit != Flag.REJECTED)


def report_of(result: PhotometryResult) -> str:
    """What was found, in words."""
    lines = []
    for measured in result.images:
        lines += [*_image_lines(measured), ""]
    if result.together is not None:
        lines += ["All images together:", *_zero_lines(result.together, "")]
    lines += [f"Not measured: {why}" for name, why in result.failed.items()]
    return "\n".join(lines).rstrip()


def _image_lines(measured: Measured) -> list[str]:
    found = measured.photometry
    shrink = measured.plane.shrink
    lines = [
        f"{measured.path.name}: {len(found)} stars, FWHM {measured.fwhm * shrink:.2f} px, aperture "
        f"{measured.radius * shrink:.2f} px" + (f", airmass {measured.airmass:.3f}" if measured.airmass else "")
    ]
    if measured.growth is not None:
        error = measured.growth.correction_error(measured.radius)
        lines.append(
            f"  aperture correction {measured.growth.correction(measured.radius):+.4f} +/- {error:.4f} mag, from "
            f"{measured.growth.n_stars} stars" + ("" if measured.correction else " (not applied)")
        )
    if measured.zero_point is not None:
        lines += _zero_lines(measured.zero_point, measured.colour_name or "", measured.band or "")
    kind = f"{measured.band} " if measured.zero_point is not None else "instrumental "
    lines.append(f"  limit (5 sigma) {kind}{measured.limit:.2f} mag")
    complete = measured.completeness
    if complete is not None:
        shares = ", ".join(f"{m:.1f}: {100 * s:.0f} %" for m, s in zip(complete.magnitude, complete.share))
        lines.append(
            f"  half of the stars are found at {complete.half:.2f} mag, of {int(complete.n.sum())} put in ({shares})"
            if np.isfinite(complete.half)
            else f"  crowded: of {int(complete.n.sum())} stars put in, these shares are found: {shares}"
        )
    lines += [f"  note: {note}" for note in measured.notes]
    return lines + [f"  {path}" for path in measured.files]


def _zero_lines(zero: ZeroPoint, colour_name: str, band: str = "") -> list[str]:
    at = f" at {colour_name} = {zero.colour_zero:.3f}" if "colour" in zero.terms and colour_name else ""
    lines = [
        f"  zero point {zero.zero:.4f} +/- {zero.zero_error:.4f} mag{f' ({band})' if band else ''}{at}, from "
        f"{zero.n_stars} stars, scatter {MMAG * zero.scatter:.0f} mmag"
    ]
    for name, (value, error) in zero.terms.items():
        lines.append(f"  {'extinction' if name == 'airmass' else 'term'} in {name}: {value:+.4f} +/- {error:.4f}")
    return lines
