"""Colours of an image calibrated by its stars: against their spectra, or against their colour indices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.catalogs import cone
from firstlight.io.passbands import channels_of
from firstlight.io.spectra_files import read_spectra
from firstlight.model.catalog import Catalog
from firstlight.model.image import Image, State
from firstlight.model.passband import Passband
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.color.channels import NAMES, need_three
from firstlight.ops.color.colour_fit import ColourFit, fit_index, fit_ratios
from firstlight.ops.color.locus import COLOURS, atmosphere, colour_of, counts, spectra_of, white_spectrum
from firstlight.ops.color.star_colours import StarColours, measure_star_colours
from firstlight.ops.registry import Params
from firstlight.ops.spec import step
from firstlight.units import Arcsec

BANDS = {"BP-RP": ("BP", "RP"), "B-V": ("B", "V"), "BT-VT": ("BT", "VT")}
"""Colours that a catalogue may hold, the best first."""


RATIOS = {"red": 0, "blue": 2}
LARGEST = 50.0


class CalibrateColours(Params):
    white: str = "average-spiral"
    """What is to look white: average-spiral, a type of star such as G2V, equal-energy, equal-photons, or a black body
    such as 6500K."""
    curves: str = "dichroic"
    """Filters and sensor of red, green and blue: dichroic, dyed, osc, dslr, johnson, sho, hoo. Only spectrophotometry
    asks for them."""
    filters: str = ""
    """Other filters: one name, or three for red, green and blue separated by commas; names as `firstlight wb curves`
    lists them, narrowband with a width (Ha 3nm), or CSV files."""
    sensor: str = ""
    """Another sensor, in the same way."""
    catalog: str = "auto"
    """Catalogue with colours of stars: auto, a name, or a file with ra, dec and BP and RP, or B and V."""
    radius: Annotated[Arcsec, Field(ge=0, le=60)] = 0.0
    """A star lies no farther from its entry; 0: 2 px, at least 2 arcsec."""
    max_stars: Annotated[int, Field(ge=5, le=5000)] = 400
    """So many of the brightest unsaturated stars are measured."""
    air: Literal["none", "header", "given"] = "none"
    """Whether light is reckoned to have gone through the air: not (colours above it), by the airmass in the header, or
    by the one given."""
    airmass: Annotated[float, Field(ge=1, le=20)] = 1.0
    """For air=given."""
    height: Annotated[float, Field(ge=-400, le=9000)] = 0.0
    """Of the site above the sea, m; 0: from the header where it has one."""
    aerosol: Annotated[float, Field(ge=0, le=2)] = 0.05
    """Haze: its optical depth at 1 um."""
    neutralize: bool = True
    """Make the background grey as well (color:neutralize, the same shift everywhere)."""


@dataclass(frozen=True, eq=False)
class ColourReport:
    """What was found, for people and for a file."""

    method: str
    white: str
    catalog: str
    n_measured: int
    n_matched: int
    n_used: int
    factors: tuple[float, float, float]
    """Of red, green and blue; green is 1."""
    fits: dict[str, ColourFit]
    without_spectra: int = 0
    """Stars whose spectrum was made from their colour."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "method": self.method, "white": self.white, "catalog": self.catalog, "stars_measured": self.n_measured,
            "stars_matched": self.n_matched, "stars_used": self.n_used, "spectra_from_colours": self.without_spectra,
            "factors": dict(zip(NAMES, self.factors)),
            "curves": {
                name: {"coefficients": fit.coefficients, "scatter": fit.scatter, "stars": int(fit.used.sum())}
                for name, fit in self.fits.items()
            },
        }  # fmt: skip


def calibrate_colours(
    image: Image,
    p: CalibrateColours,
    method: Literal["photometric", "spectrophotometric"],
    *,
    spectra: Path | None = None,
    folders: Sequence[Path] = (),
) -> tuple[Image, ColourReport]:
    """Multiply red and blue so that what is called white has equal channels, by the stars of a solved image.

    ``photometric``: the ratios of the channels of each star against its colour index (a parabola), read off at the
    colour index of white. ``spectrophotometric``: against what the given filters and sensor count of the star's
    spectrum (a line), read off at what they count of white. Spectra come from a table, or are made from the colours of
    the catalogue (`firstlight.ops.color.locus`). The image is changed by the step ``color:balance`` (and
    ``color:neutralize``), written into its history with its factors. The same input gives the same bytes.

    Raises
    ------
    InputError
        Not three linear channels, no plate, too few stars with known colours, unknown names.
    """
    need_three("colour calibration", image)
    if image.state != State.LINEAR:
        raise InputError(
            "colour calibration: the image is stretched; linear data is needed; apply it before the stretch"
        )
    if image.plate is None:
        raise InputError(
            "colour calibration: the image has no plate, so its stars are unknown; firstlight solve finds one"
        )
    white = white_spectrum(p.white)
    if method == "spectrophotometric":
        channels_of(p.curves, _names(p.filters), _names(p.sensor))
    air = _air(image, p)
    stars = measure_star_colours(image, p.max_stars)
    stars = _take(stars, (stars.flux > 3 * stars.error).all(axis=1))
    sky, radius = _on_the_sky(image, stars, p.radius)
    catalog, table = _catalog(sky, image, p, spectra, folders)
    index, _ = catalog.at(_year(image, catalog)).match(*sky.T, radius)
    known = index >= 0
    n_matched = int(known.sum())
    stars, index = _take(stars, known), index[known]
    if method == "photometric":
        word, fits = _by_index(stars, index, catalog, white)
        method_words, made = f"photometric, {word}", 0
    else:
        channels = channels_of(p.curves, _names(p.filters), _names(p.sensor))
        fits, made = _by_spectra(stars, index, catalog, table, white, channels, air)
        method_words = "spectrophotometric"
    factors = (fits["red"].factor, 1.0, fits["blue"].factor)
    if not (0 < min(factors) <= max(factors) <= LARGEST):
        raise InputError(
            f"colour calibration: the stars ask for red x {factors[0]:.3g}, blue x {factors[2]:.3g}, which no camera "
            "needs; is the plate right, and are the curves those of the filters?"
        )
    used = int(np.logical_and(fits["red"].used, fits["blue"].used).sum())
    report = ColourReport(method_words, p.white, catalog.source, len(sky), n_matched, used, factors, fits, made)
    balanced = step("color:balance", red=float(factors[0]), blue=float(factors[2]), keep_background=True)(image)
    if p.neutralize:
        balanced = step("color:neutralize", mode="uniform")(balanced)
    return balanced, report


def _by_index(
    stars: StarColours, index: np.ndarray, catalog: Catalog, white: np.ndarray
) -> tuple[str, dict[str, ColourFit]]:
    word, values = _colour_index(catalog)
    good = np.isfinite(values[index])
    stars, known = _take(stars, good), values[index][good]
    at = colour_of(word, white)
    return word, {name: fit_index(*_ratio(stars, c), known, at) for name, c in RATIOS.items()}


def _by_spectra(
    stars: StarColours,
    index: np.ndarray,
    catalog: Catalog,
    table: np.ndarray | None,
    white: np.ndarray,
    channels: list[Passband],
    air: np.ndarray | None,
) -> tuple[dict[str, ColourFit], int]:
    """The fits, and how many spectra were made from colours."""
    found = np.full((len(index), len(white)), np.nan) if table is None else table[index]
    missing = ~np.isfinite(found).all(axis=1)
    if missing.any():
        word, values = _colour_index(catalog, needed=table is None)
        if word:
            found[missing] = spectra_of(word, values[index])[missing]
    good = np.isfinite(found).all(axis=1)
    # White, too, is seen through the air: the factors take it away.
    expected, seen = counts(found[good], channels, air), counts(white, channels, air)[0]
    if not (seen > 0).all():
        dark = ", ".join(c.name for c, n in zip(channels, seen) if not n > 0)
        raise InputError(f"colour calibration: nothing passes through {dark}; choose other curves")
    stars = _take(stars, good)
    fits = {
        name: fit_ratios(*_ratio(stars, c), expected[:, c] / expected[:, 1], float(seen[c] / seen[1]))
        for name, c in RATIOS.items()
    }
    return fits, int((missing & good).sum())


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _air(image: Image, p: CalibrateColours) -> np.ndarray | None:
    if p.air == "none":
        return None
    airmass = p.airmass if p.air == "given" else image.meta.airmass
    if airmass is None:
        raise InputError("colour calibration: air=header, and the header has no airmass; use air=given, airmass=...")
    return atmosphere(airmass, p.height or image.meta.elevation or 0.0, p.aerosol)


def _on_the_sky(image: Image, stars: StarColours, radius: float) -> tuple[np.ndarray, float]:
    places = np.column_stack([stars.x, stars.y])
    sky_map = SkyMap.of(image.plate)  # type: ignore[arg-type]
    centre = np.array([[image.shape[2] / 2, image.shape[1] / 2]])
    a, b = sky_map.vectors(centre)[0], sky_map.vectors(centre + np.array([[1.0, 0.0]]))[0]
    scale = float(np.degrees(np.linalg.norm(a - b)) * 3600)
    return sky_map.sky(places) if len(places) else np.empty((0, 2)), radius or max(2.0, 2 * scale)


def _catalog(
    sky: np.ndarray, image: Image, p: CalibrateColours, spectra: Path | None, folders: Sequence[Path]
) -> tuple[Catalog, np.ndarray | None]:
    if spectra is not None:
        return read_spectra(spectra)
    if not len(sky):
        raise InputError("colour calibration: no star could be measured in all channels; are they in focus, and full?")
    sky_map = SkyMap.of(image.plate)  # type: ignore[arg-type]
    height, width = image.shape[1:]
    corners = sky_map.vectors(np.array([[0, 0], [width, 0], [0, height], [width, height]], float))
    middle = sky_map.vectors(np.array([[width / 2, height / 2]]))[0]
    ra, dec = sky_map.sky(np.array([[width / 2, height / 2]]))[0]
    reach = float(np.degrees(np.arccos(np.clip(corners @ middle, -1, 1)).max()))
    return cone(p.catalog, float(ra), float(dec), reach * 1.05 + 0.01, folders=folders), None


def _colour_index(catalog: Catalog, needed: bool = True) -> tuple[str, np.ndarray]:
    """The best colour that the catalogue has, and its values."""
    for word, (blue, red) in BANDS.items():
        if word in COLOURS and blue in catalog.mags and red in catalog.mags:
            values = catalog.mags[blue] - catalog.mags[red]
            if np.isfinite(values).any() or not len(values):
                return word, values
    if not needed:
        return "", np.full(len(catalog), np.nan)
    bands = ", ".join(catalog.mags) or "none"
    raise InputError(
        f"colour calibration: the catalogue {catalog.source} has the bands {bands}; two of one colour are needed: "
        "BP and RP, B and V, or BT and VT"
    )


def _year(image: Image, catalog: Catalog) -> float:
    time = image.meta.mid_time
    return catalog.epoch if time is None else time.year + (time.timetuple().tm_yday - 0.5) / 365.25


def _take(stars: StarColours, index: np.ndarray) -> StarColours:
    return StarColours(stars.x[index], stars.y[index], stars.flux[index], stars.error[index])


def _ratio(stars: StarColours, channel: int) -> tuple[np.ndarray, np.ndarray]:
    """Ratio to green and its error."""
    flux, green = stars.flux[:, channel], stars.flux[:, 1]
    ratio = flux / green
    return ratio, ratio * np.hypot(stars.error[:, channel] / flux, stars.error[:, 1] / green)


def write_colour_report(path: Path, report: ColourReport) -> None:
    """The report as JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
