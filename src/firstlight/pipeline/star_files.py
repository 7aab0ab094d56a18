"""Lists of stars of files: `firstlight stars`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.read import find_files, format_of, open_frames, read
from firstlight.io.regions import Ellipse, write_regions
from firstlight.io.star_tables import Column, write_columns
from firstlight.io.write import write
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.pixel_map import cd_matrix
from firstlight.model.plate import Plate
from firstlight.model.psf import Psf
from firstlight.model.star_table import COLUMNS, StarTable
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.inspect.psf_model import MeasurePsf
from firstlight.ops.inspect.star_list import Measured, StarList, list_stars
from firstlight.ops.inspect.stars import FindStars

PACKED = (".fz", ".gz", ".bz2", ".xz")
UNITS = {PixelUnit.ADU: "adu", PixelUnit.ELECTRON: "electron", PixelUnit.NORMALISED: ""}


class StarsSettings(StarList):
    """Settings of `firstlight stars`."""

    find: FindStars = FindStars(max_stars=50_000)
    model: MeasurePsf = MeasurePsf()
    format: Literal["csv", "ecsv", "fits"] = "csv"
    """Of the table; ``ecsv`` and ``fits`` carry units and meanings."""
    regions: bool = False
    """Write a region file for ds9 too."""
    psf_image: bool = False
    """Write the PSF in the middle of the image as a FITS file too."""


@dataclass(frozen=True, eq=False)
class Listed:
    """The stars of one file."""

    path: Path
    measured: Measured
    files: tuple[Path, ...]
    facts: dict[str, Any]


def list_files(
    given: Sequence[Path], settings: StarsSettings, output: Path
) -> Iterator[tuple[Path, Listed | FrameError]]:
    """Measure one file after the other; a file that cannot be used is given back with the reason.

    Raises
    ------
    InputError
        A file or folder does not exist, a folder holds no frames, or two files would write the same table.
    """
    paths = files_of(given)
    check_names(paths)
    for path in paths:
        try:
            yield path, _listed(path, settings, output)
        except FrameError as error:
            yield path, error


def files_of(given: Sequence[Path]) -> list[Path]:
    """The files, and all frames in the folders; of a series each exposure, as ``file.ser#0001``.

    Raises
    ------
    InputError
        One does not exist, or a folder holds no frames.
    """
    paths: list[Path] = []
    for each in given:
        is_exposure = "#" in each.name and not each.exists()
        found = [each] if is_exposure else find_files(each)
        if not found:
            raise InputError(f"{each}: no frames in this folder; give files, or a folder that holds some")
        paths += [exposure for path in found for exposure in _exposures(path)]
    return list(dict.fromkeys(paths))


def _exposures(path: Path) -> list[Path]:
    if format_of(path) not in ("ser", "avi", "tiff"):
        return [path]
    try:
        return [path if f.number is None else path.with_name(f.name) for f in open_frames(path)]
    except FrameError:
        # What is wrong with it is told when it is read.
        return [path]


def stem_of(path: Path) -> str:
    """The name without endings of formats and packers.

    >>> stem_of(Path("M 31.R.fits.fz")), stem_of(Path("moon.ser#0012"))
    ('M 31.R', 'moon_0012')
    """
    name, mark, number = path.name.rpartition("#")
    if mark and number.isdigit():
        return f"{stem_of(Path(name))}_{number}"
    name = path.name
    while (end := Path(name).suffix.lower()) and (end in PACKED or format_of(Path(name)) is not None):
        name = name[: -len(end)]
    return name or path.name


def check_names(paths: Sequence[Path]) -> None:
    """Refuse files whose products would have one name."""
    seen: dict[str, Path] = {}
    for path in paths:
        name = stem_of(path)
        if name in seen:
            raise InputError(
                f"{path}: has the same name as {seen[name]}; their tables would be one file; measure them apart"
            )
        seen[name] = path


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """Errors of a frame get the name of its file in front."""
    try:
        yield
    except FrameError as error:
        text = str(error)
        raise FrameError(text if text.startswith(path.name) else f"{path.name}: {text}") from error


def check_linear(path: Path, image: Image) -> None:
    """Fluxes of a stretched image mean nothing."""
    if image.state == State.STRETCHED:
        raise FrameError(
            f"{path.name}: is stretched; light is measured on linear images; measure the image before the stretch"
        )


def _listed(path: Path, settings: StarsSettings, output: Path) -> Listed:
    image = read(path)
    check_linear(path, image)
    with of_file(path):
        measured = list_stars(image, settings, settings.find, settings.model)
    if len(measured.table) == 0:
        raise FrameError(
            f"{path.name}: no star {settings.find.threshold:g} sigma above the noise; lower --find-threshold, or look "
            "at the image"
        )
    facts = facts_of(path, image, measured)
    output.mkdir(parents=True, exist_ok=True)
    files = [
        write_columns(output / f"{stem_of(path)}_stars.{settings.format}", columns_of(image, measured.table), facts)
    ]
    if settings.regions:
        files.append(write_regions(output / f"{stem_of(path)}_stars.reg", ellipses_of(measured.table), f"{path.name}"))
    if settings.psf_image and measured.psf is not None:
        files.append(output / f"{stem_of(path)}_psf.fits")
        write(files[-1], image_of(measured.psf))
    return Listed(path, measured, tuple(files), facts)


def pixel_scale(plate: Plate | None) -> float | None:
    """arcsec/px; None without a plate."""
    if plate is None or "CRVAL1" not in plate.cards:
        return None
    return float(3600.0 * np.sqrt(abs(np.linalg.det(cd_matrix(plate)))))


def columns_of(image: Image, table: StarTable) -> list[Column]:
    """All columns, with right ascension, declination and widths in arcsec where there is a plate."""
    unit = UNITS[image.unit]
    columns = []
    for name, (its_unit, about, digits) in COLUMNS.items():
        columns.append(Column(name, getattr(table, name), unit if its_unit == "flux" else its_unit, about, digits))
    exposure = image.meta.exposure or 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitude = -2.5 * np.log10(np.where(table.flux > 0, table.flux, np.nan) / exposure)
        error = 1.0857 * table.flux_error / np.where(table.flux > 0, table.flux, np.nan)
    about = "-2.5 log10 of flux per second" if image.meta.exposure else "-2.5 log10 of flux"
    columns += [
        Column("magnitude", magnitude, "mag", f"{about}; no zero point", 4),
        Column("magnitude_error", error, "mag", "standard error of magnitude", 4),
    ]
    scale = pixel_scale(image.plate)
    if scale is not None and image.plate is not None:
        try:
            ra, dec = SkyMap.of(image.plate).sky(np.column_stack([table.x, table.y])).T
        except FrameError:
            return columns
        columns += [
            Column("ra", ra, "deg", "right ascension, ICRS", 7),
            Column("dec", dec, "deg", "declination, ICRS", 7),
            Column("fwhm_arcsec", table.fwhm * scale, "arcsec", "width at half maximum", 4),
        ]
    return columns


def ellipses_of(table: StarTable) -> list[Ellipse]:
    """As large as the stars' light at a tenth of its height; full stars red, companions blue."""
    middle = float(np.nanmedian(table.fwhm)) if np.isfinite(table.fwhm).any() else 3.0
    found = []
    for k in range(len(table)):
        fwhm = table.fwhm[k] if np.isfinite(table.fwhm[k]) else middle
        ratio = table.axis_ratio[k] if np.isfinite(table.axis_ratio[k]) else 1.0
        turn = table.angle[k] if np.isfinite(table.angle[k]) else 0.0
        colour = "red" if table.saturated[k] else "cyan" if table.companion[k] else ""
        found.append(
            Ellipse(
                float(table.x[k]),
                float(table.y[k]),
                float(fwhm / np.sqrt(ratio)),
                float(fwhm * np.sqrt(ratio)),
                float(turn),
                colour,
            )
        )
    return found


def image_of(psf: Psf) -> Image:
    """The PSF in the middle of the field, sum 1."""
    return Image(psf.kernel.astype(np.float32), unit=PixelUnit.NORMALISED)


def facts_of(path: Path, image: Image, measured: Measured) -> dict[str, Any]:
    """What the table says of the image."""
    facts: dict[str, Any] = {
        "file": path.name,
        "stars": len(measured.table),
        "background": round(measured.sky.level, 4),
        "noise": round(measured.sky.noise, 4),
        "gain": measured.plane.gain,
        "exposure": image.meta.exposure,
        "positions": "0-based; the centre of the first pixel is (0, 0)",
    }
    if measured.psf is not None:
        bell = measured.psf.bell
        facts |= {
            "psf_fwhm": round(bell.fwhm, 4), "psf_beta": round(bell.beta, 3), "psf_stars": measured.psf.n_stars,
            "psf_eccentricity": round(bell.eccentricity, 4), "psf_degree": measured.psf.degree,
        }  # fmt: skip
    return {name: value for name, value in facts.items() if value is not None}
