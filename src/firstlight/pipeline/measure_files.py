"""Reports on single images and a table of all: `firstlight measure`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.io.read import open_frame, read
from firstlight.io.star_tables import Column, write_columns
from firstlight.io.table_files import write_json, write_yaml
from firstlight.library.assign import Chooser
from firstlight.library.plans import Rules
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, State
from firstlight.model.star_table import StarTable
from firstlight.ops.calibrate.dark import SubtractDark, subtract_dark
from firstlight.ops.inspect.field_shape import FieldShape, field_shape_of
from firstlight.ops.inspect.psf_model import MeasurePsf
from firstlight.ops.inspect.star_list import Measured, StarList, list_stars
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.inspect.statistics import PERCENTILES, Statistics, statistics_of
from firstlight.ops.inspect.white_level import WhiteLevel, white_level_of
from firstlight.pipeline.at_hand import masters_at_hand
from firstlight.pipeline.star_files import check_names, files_of, of_file, pixel_scale, stem_of
from firstlight.units import Adu, Percent, Px

CIRCULAR = 3.0
"""Widths along x and y that differ by less than this many errors are equal."""
STRONG = 30.0
"""SNR of stars that tell the shape of the field."""


class MeasureSettings(FindStars):
    """Settings of `firstlight measure`."""

    max_stars: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Only so many of the strongest are measured."""
    report: Literal["yaml", "json", "none"] = "yaml"
    """Format of the report on each image."""
    table: Literal["csv", "ecsv"] = "csv"
    """Format of the table of all."""
    state: Literal["auto", "linear", "nonlinear"] = "auto"
    """``auto``: as the file says. Of ``nonlinear`` images only statistics are taken; ``linear``: stars on any."""
    library: bool = False
    """Subtract the dark of the calibration library that fits each image."""
    margin: Annotated[Px, Field(ge=0)] = 0
    """Pixels at the edges that are left out of everything."""
    corners: Annotated[Percent, Field(ge=0, le=50)] = 0.0
    """Stars in quarter circles around the corners are left out; the radius is this share of the shorter side."""
    saturation: Annotated[Adu, Field(ge=0)] = 0.0
    """White level; 0: by the header, else by the pixels."""


@dataclass(frozen=True, eq=False)
class Report:
    """What was measured on one image: a mapping of mappings, as the report file holds it."""

    path: Path
    content: dict[str, Any]
    measured: Measured | None
    file: Path | None


def measure_files(
    given: Sequence[Path], settings: MeasureSettings, output: Path, dark: Path | None = None
) -> Iterator[Report | tuple[Path, str]]:
    """A report for one image after the other; one that cannot be used is told with the reason.

    Raises
    ------
    InputError
        A file does not exist, or two would write the same report.
    """
    paths = files_of(given)
    check_names(paths)
    master = read(dark) if dark is not None else None
    chooser = None
    if settings.library:
        shelf, used, _ = masters_at_hand("", output / "none")
        if not used:
            raise InputError("--library: there is no calibration library; `firstlight library build` makes one")
        chooser = Chooser(shelf, Rules())
    for path in paths:
        try:
            image = read(path)
            darkened, said = image, ""
            if master is not None and dark is not None:
                darkened, said = subtract_dark(image, SubtractDark(), master), dark.name
            elif chooser is not None:
                darkened, said = _with_library(path, image, chooser)
            with of_file(path):
                report = _report(path, darkened, settings, output, said)
            yield report
        except (FrameError, InputError) as error:
            yield path, str(error)


def _with_library(path: Path, image: Image, chooser: Chooser) -> tuple[Image, str]:
    plan = chooser.assign(open_frame(path)).dark
    if plan is None or plan.parts:
        return image, "none of the library fits"
    return subtract_dark(image, SubtractDark(), read(plan.like.path)), plan.like.path.name


def _report(path: Path, image: Image, settings: MeasureSettings, output: Path, dark: str) -> Report:
    image = _without_margin(path, image, settings.margin)
    linear = settings.state == "linear" or (settings.state == "auto" and image.state == State.LINEAR)
    white = white_level_of(image, settings.saturation)
    content: dict[str, Any] = {"image": _image_facts(path, image, dark)}
    measured = None
    if linear:
        stars = StarList(corners=settings.corners, saturation=white.level if np.isfinite(white.level) else 0.0)
        find = FindStars(**{name: getattr(settings, name) for name in FindStars.model_fields})
        measured = list_stars(image.replace(state=State.LINEAR), stars, find, MeasurePsf())
        content["background"] = _background(measured)
        content["sources"] = _sources(image, measured, settings)
        content["psf"] = psf_facts(measured, pixel_scale(image.plate))
        content["field"] = _field(measured)
    content["saturation"] = _saturation(image, white, measured)
    content["statistics"] = _statistics(image)
    file = None
    if settings.report != "none":
        output.mkdir(parents=True, exist_ok=True)
        file = output / f"{stem_of(path)}_quality.{settings.report}"
        (write_yaml if settings.report == "yaml" else write_json)(file, content)
    return Report(path, content, measured, file)


def _without_margin(path: Path, image: Image, margin: int) -> Image:
    if not margin:
        return image
    if 2 * margin + 16 > min(image.shape[1:]):
        raise InputError(
            f"{path.name}: is {image.shape[2]} x {image.shape[1]} px; a margin of {margin} px leaves nothing"
        )
    inner = (slice(None), slice(margin, -margin), slice(margin, -margin))
    variance = None if image.variance is None else image.variance[inner]
    return image.replace(data=image.data[inner], flags=image.flags[inner], variance=variance, plate=None)


def _image_facts(path: Path, image: Image, dark: str) -> dict[str, Any]:
    meta = image.meta
    channels, height, width = image.shape
    facts = {
        "file": path.name, "target": meta.target, "filter": meta.filter, "telescope": meta.telescope,
        "camera": meta.camera, "start": meta.start.isoformat() if meta.start else None, "exposure_s": meta.exposure,
        "airmass": meta.airmass, "gain_e_adu": meta.gain, "temperature_c": meta.temperature, "width": width,
        "height": height, "channels": channels, "cfa": meta.cfa, "unit": str(image.unit.value),
        "state": str(image.state.value), "arcsec_per_px": _rounded(pixel_scale(image.plate)), "dark": dark or None,
    }  # fmt: skip
    return {name: value for name, value in facts.items() if value is not None}


def _background(measured: Measured) -> dict[str, Any]:
    sky = measured.sky
    return {"level": _rounded(sky.level), "noise": _rounded(sky.noise), "range_5_95": _rounded(sky.gradient)}


def _sources(image: Image, measured: Measured, settings: MeasureSettings) -> dict[str, Any]:
    table, exposure = measured.table, image.meta.exposure
    rate = table.flux / exposure if exposure else table.flux
    name = f"{image.unit.value}_per_s" if exposure else f"flux_{image.unit.value}"
    quantiles = np.nanpercentile(rate, [100, 50, 0]) if len(table) else [np.nan] * 3
    return {
        "detected": measured.quality.n_stars,
        "with_photometry": len(table),
        "beside_others": int(table.companion.sum()),
        "threshold_sigma": settings.threshold,
        "snr_median": _rounded(measured.quality.snr),
        f"{name}_brightest": _rounded(quantiles[0]),
        f"{name}_median": _rounded(quantiles[1]),
        f"{name}_faintest": _rounded(quantiles[2]),
    }


def strong_stars(table: StarTable) -> StarTable:
    """Single, unsaturated stars with enough light to tell a shape; weaker ones where there are too few."""
    alone = ~table.saturated.astype(bool) & ~table.companion.astype(bool) & ~table.near_edge.astype(bool)
    alone &= ~table.blended.astype(bool) & np.isfinite(table.fwhm)
    for snr in (STRONG, STRONG / 2, 0.0):
        chosen = alone & (table.snr >= snr)
        if chosen.sum() >= 30:
            break
    return table.take(chosen)


def psf_facts(measured: Measured, scale: float | None) -> dict[str, Any]:
    """Width along x, y and both, median and its error, px and arcsec; shape of the PSF."""
    strong = strong_stars(measured.table)
    facts: dict[str, Any] = {"stars": len(strong)}
    widths: dict[str, tuple[float, float]] = {}
    for name, values in (("fwhm", strong.fwhm), ("fwhm_x", strong.fwhm_x), ("fwhm_y", strong.fwhm_y)):
        middle = float(np.median(values)) if len(values) else float("nan")
        spread = 1.4826 * float(np.median(np.abs(values - middle))) if len(values) else float("nan")
        error = 1.2533 * spread / np.sqrt(max(len(values), 1))
        widths[name] = middle, error
        facts[name] = {"px": _rounded(middle), "error_px": _rounded(error), "scatter_px": _rounded(spread)}
        if scale is not None:
            facts[name] |= {"arcsec": _rounded(middle * scale), "error_arcsec": _rounded(error * scale)}
    (wx, ex), (wy, ey) = widths["fwhm_x"], widths["fwhm_y"]
    facts["circular"] = bool(abs(wx - wy) < max(CIRCULAR * np.hypot(ex, ey), 0.02 * wx)) if len(strong) else None
    facts |= {
        "eccentricity": _rounded(measured.quality.eccentricity),
        "hfr_px": _rounded(measured.quality.hfr),
    }
    psf = measured.psf
    if psf is not None:
        facts["model"] = {
            "stars": psf.n_stars, "fwhm_px": _rounded(psf.fwhm), "moffat_beta": _rounded(psf.moffat.beta),
            "moffat_misfit": _rounded(psf.moffat.misfit), "gaussian_fwhm_px": _rounded(psf.gaussian.fwhm),
            "gaussian_misfit": _rounded(psf.gaussian.misfit), "eccentricity": _rounded(psf.bell.eccentricity),
            "angle_deg": _rounded(psf.bell.angle), "degree": psf.degree,
        }  # fmt: skip
    elif measured.note:
        facts["model"] = {"none": measured.note}
    return facts


def field_of(measured: Measured) -> FieldShape:
    """Tilt, curvature and elongation over the field.

    Raises
    ------
    FrameError
        Too few stars.
    """
    strong = strong_stars(measured.table)
    return field_shape_of(strong.x, strong.y, strong.fwhm, strong.eccentricity, strong.angle, measured.plane.data.shape)


def _field(measured: Measured) -> dict[str, Any]:
    try:
        shape = field_of(measured)
    except FrameError as error:
        return {"none": str(error)}
    return {
        "fwhm_px": [[_rounded(v) for v in row] for row in shape.fwhm],
        "eccentricity": [[_rounded(v) for v in row] for row in shape.eccentricity],
        "tilt_percent": _rounded(shape.tilt),
        "tilt_error_percent": _rounded(shape.tilt_error),
        "tilt_towards_deg": _rounded(shape.tilt_angle),
        "curvature_percent": _rounded(shape.curvature),
        "curvature_error_percent": _rounded(shape.curvature_error),
        "fwhm_polynomial": [_rounded(v) for v in shape.coefficients],
        "words": shape.words(),
    }


def _saturation(image: Image, white: WhiteLevel, measured: Measured | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"level": _rounded(white.level), "told_by": white.source, "pixels": white.n_pixels}
    facts["percent"] = _rounded(100 * white.n_pixels / image.data.size)
    if measured is not None:
        facts["stars"] = int(measured.table.saturated.sum())
    return facts


def _statistics(image: Image) -> dict[str, Any]:
    names = ["mono"] if image.shape[0] == 1 else list("RGB")[: image.shape[0]]
    names += [f"channel{k}" for k in range(len(names) + 1, image.shape[0] + 1)]
    planes = dict(zip(names, zip(image.data, has(image.flags, EXCLUDED))))
    cfa = image.meta.cfa
    if image.shape[0] == 1 and cfa and len(cfa) == 4:
        data, bad = planes.pop("mono")
        cells = {f"{colour}{k + 1}": (data[k // 2 :: 2, k % 2 :: 2], bad[k // 2 :: 2, k % 2 :: 2])
                 for k, colour in enumerate(cfa)}  # fmt: skip
        planes = cells
    return {name: _numbers(statistics_of(plane, bad)) for name, (plane, bad) in planes.items()}


def _numbers(s: Statistics) -> dict[str, Any]:
    facts = {
        "pixels": s.n, "mean": s.mean, "median": s.median, "std": s.std, "mad": s.mad, "min": s.minimum,
        "max": s.maximum, **{f"p{p:g}": v for p, v in zip(PERCENTILES, s.percentiles)}, "entropy_bits": s.entropy,
        "focus": s.focus,
    }  # fmt: skip
    return {name: value if isinstance(value, int) else _rounded(value) for name, value in facts.items()}


def _rounded(value: float | None) -> float | None:
    if value is None or not np.isfinite(value):
        return None
    return float(f"{float(value):.6g}")


def flat_row(content: Mapping[str, Any]) -> dict[str, Any]:
    """A report as one row: names joined by ``_``; lists are left out, sentences joined.

    >>> flat_row({"psf": {"fwhm": {"px": 3.0}, "words": ["a", "b"]}, "list": [1.0]})
    {'psf_fwhm_px': 3.0, 'psf_words': 'a; b'}
    """
    row: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            row |= {f"{name}_{inner}" if name != "image" else inner: v for inner, v in flat_row(value).items()}
        elif isinstance(value, (list, tuple)):
            if value and all(isinstance(each, str) for each in value):
                row[name] = "; ".join(value)
        else:
            row[name] = value
    return row


def table_of(contents: Sequence[Mapping[str, Any]]) -> list[Column]:
    """All columns of all reports; what a report does not have is left empty."""
    rows = [flat_row(content) for content in contents]
    names: list[str] = []
    for row in rows:
        # A new name goes behind the one it follows in its own report.
        after = -1
        for name in row:
            if name in names:
                after = names.index(name)
            else:
                after += 1
                names.insert(after, name)
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values):
            columns.append(Column(name, [_whole(value) for value in values], _unit_of(name)))
        else:
            columns.append(Column(name, ["" if value is None else str(value) for value in values]))
    return columns


def _whole(value: float | int | None) -> float | int:
    return float("nan") if value is None else value


def _unit_of(name: str) -> str:
    units = {"px": "px", "arcsec": "arcsec", "deg": "deg", "percent": "%", "s": "s", "c": "deg_C", "bits": "bit"}
    found = re.search(r"_([a-z]+)$", name)
    return units.get(found.group(1), "") if found else ""


def write_table(reports: Sequence[Report], output: Path, kind: str) -> Path:
    """The table of all reports."""
    output.mkdir(parents=True, exist_ok=True)
    return write_columns(output / f"quality.{kind}", table_of([report.content for report in reports]))
