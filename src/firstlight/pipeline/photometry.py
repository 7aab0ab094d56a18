"""Calibrated magnitudes of the stars of images: `firstlight photometry`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.io.edit_header import Change, plan_edit
from firstlight.io.read import read
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, State
from firstlight.model.photometry import MAG_PER_SHARE, Photometry, magnitude
from firstlight.model.stars import Stars
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.catalog.apertures import Apertures, crowd_of, measure_apertures
from firstlight.ops.catalog.bands import aavso_filter, band_of, colour_of
from firstlight.ops.catalog.growth import STEPS, Growth, best_radius, curve_of_growth
from firstlight.ops.catalog.limits import Completeness, limiting_flux, measure_completeness
from firstlight.ops.catalog.planes import Channel, ColourPlane, colour_plane
from firstlight.ops.catalog.zero_point import ZeroPoint, fit_zero_point
from firstlight.ops.inspect.plane import Plane
from firstlight.ops.inspect.psf_model import MeasurePsf, psf_of_plane
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.meta.observing import observing_of
from firstlight.ops.registry import Params
from firstlight.pipeline.field_stars import Known, agrees, known_stars, solved_plate
from firstlight.pipeline.photometry_files import read_positions, write_photometry
from firstlight.pipeline.progress import Clock, Progress
from firstlight.units import Electrons, Unit

CROWD = 2.0
FULL = 0.98
DISTURBS = 0.02
"""Share of a star's light that a neighbour has at most."""
ENOUGH, MOST = 12, 200
"""Stars of a curve of growth."""
TYPICAL_SNR = 20.0
"""Of the star whose signal to noise makes the optimal aperture."""


class PhotometrySettings(Params):
    """All settings of `firstlight photometry`."""

    catalog: str = "auto"
    """Catalogue of magnitudes: a name (`firstlight catalogs`), a table (CSV, ECSV, FITS), or ``none``."""
    solve: bool = True
    """Solve images without a true plate, for this measurement alone; `firstlight solve` writes it down."""
    band: str = ""
    """Magnitude of the catalogue; empty: by the filter's name."""
    colour_term: bool = True
    """Fit a colour term where the catalogue has colours and the stars allow it."""
    channel: Channel = "auto"
    """Colour that is measured; ``auto``: green of colour images."""
    positions: str = ""
    """A table with the columns x and y (px from 0), or ra and dec (degrees): measure there, whether a star is seen or
    not."""
    completeness: Annotated[int, Field(ge=0, le=100_000)] = 300
    """Stars that are put into the image to see how many are found; 0: none."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of those stars: the same seed, the same answer."""
    gain: Annotated[float, Field(ge=0), Unit("e-/adu")] = 0.0
    """Electrons per unit of the image; 0: as the header says."""
    read_noise: Annotated[Electrons, Field(ge=0)] = 0.0
    """Told in the report; the noise of the pixels is measured."""
    table: Literal[".csv", ".ecsv", ".fits"] = ".ecsv"
    """Format of the tables."""
    update: bool = False
    """Write zero point, limits and colour term into the header of FILE too; pixels stay as they are."""
    apertures: Apertures = Apertures()
    stars: FindStars = FindStars(max_stars=5000)


@dataclass(eq=False)
class Measured:
    """The stars of one image."""

    path: Path
    image: Image
    plane: ColourPlane
    photometry: Photometry
    stars: Stars
    fwhm: float
    radius: float
    growth: Growth | None
    correction: float
    """Added to magnitudes: light outside of the aperture, mag."""
    magnitude: np.ndarray
    """Instrumental, of one second, corrected for the aperture."""
    error: np.ndarray
    gain: float | None
    known: Known
    code: str
    saturated: np.ndarray
    airmass: float | None = None
    band: str | None = None
    colour_name: str | None = None
    colour: np.ndarray | None = None
    zero_point: ZeroPoint | None = None
    calibrated: np.ndarray | None = None
    limit: float = float("nan")
    """Magnitude at SNR 5: calibrated where there is a zero point, else instrumental."""
    completeness: Completeness | None = None
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def exposure(self) -> float:
        """s that the level of the pixels belongs to."""
        meta = self.image.meta
        return (meta.exposure or 1.0) / max(meta.n_combined, 1)


@dataclass(frozen=True)
class PhotometryResult:
    """What `photometry` made of all files."""

    images: tuple[Measured, ...]
    failed: dict[str, str]
    together: ZeroPoint | None = None
    """Of all images of one filter: with extinction, where their airmasses differ enough."""


def photometry(
    files: Sequence[str | Path],
    settings: PhotometrySettings | None = None,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> PhotometryResult:
    """Measure the stars of images, calibrate them against a catalogue, say how faint the images reach.

    Parameters
    ----------
    files : linear images, calibrated.
    output : folder of the tables; default: beside each image.

    Raises
    ------
    InputError
        No file could be measured, or the user asks for what is not there.
    """
    settings = settings or PhotometrySettings()
    clock = Clock(progress or Progress())
    images: list[Measured] = []
    failed: dict[str, str] = {}
    with clock.stage("photometry", len(files), "images") as stage:
        for each in files:
            try:
                images.append(measure_file(Path(each), settings))
            except FrameError as error:
                name = Path(each).name
                failed[str(each)] = f"{name}: {str(error).removeprefix(f'{name}: ')}"
            stage.advance()
    if not images:
        raise InputError("; ".join(failed.values()) or "no files; give the images to measure")
    together = _together(images, settings)
    for measured in images:
        folder = Path(output) if output is not None else measured.path.parent
        write_photometry(measured, folder, settings.table)
        if settings.update:
            _update(measured)
    return PhotometryResult(tuple(images), failed, together)


def measure_file(path: Path, settings: PhotometrySettings) -> Measured:
    """Read an image and measure it.

    Raises
    ------
    FrameError
        It cannot be used; the message says why.
    """
    image = read(path)
    if image.state is not State.LINEAR:
        raise FrameError(f"{path.name}: is stretched for the eye; magnitudes need linear data")
    measured = measure_image(path, image, settings)
    _calibrate(measured, settings)
    _limit(measured, settings)
    return measured


def measure_image(path: Path, image: Image, settings: PhotometrySettings) -> Measured:
    """Stars and their light, in the aperture that suits them."""
    meta = image.meta
    plane = colour_plane(image.data, meta.cfa, settings.channel, image.flags, image.variance)
    gain = plane.gain(settings.gain or meta.gain)
    excluded = has(plane.flags, EXCLUDED)
    white = FULL * (meta.saturation or np.inf)
    stars, quality = find_stars(plane.data, settings.stars, excluded=excluded, saturation=white, gain=gain)
    if not len(stars) and not settings.positions:
        raise FrameError(f"{path.name}: no stars are found; lower --stars-threshold, or give places with --positions")
    fwhm = quality.fwhm if np.isfinite(quality.fwhm) else 3.0
    crowd = crowd_of(plane.data.shape, stars.x, stars.y, CROWD * fwhm)
    common = {"variance": plane.variance, "flags": plane.flags, "gain": gain, "crowd": crowd}
    notes: list[str] = []
    growth = None
    try:
        clear = _clear(stars, fwhm)
        wide = measure_apertures(
            plane.data, clear.x, clear.y, STEPS * fwhm, settings.apertures.ring(STEPS[-1] * fwhm, fwhm), **common
        )
        growth = curve_of_growth(wide)
    except FrameError as error:
        notes.append(f"{error}; fluxes are those of the aperture alone")
    radius = _radius(settings.apertures, growth, fwhm, quality.noise, gain)
    x, y = (stars.x, stars.y) if not settings.positions else _asked(path, image, plane, settings).T
    found = measure_apertures(plane.data, x, y, np.array([radius]), settings.apertures.ring(radius, fwhm), **common)
    correction = growth.correction(radius) if growth is not None and settings.apertures.correct else 0.0
    exposure = (meta.exposure or 1.0) / max(meta.n_combined, 1)
    flux = found.flux[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = MAG_PER_SHARE * found.error[:, 0] / np.where(flux > 0, flux, np.nan)
    saturated = has(found.flags[:, 0], Flag.SATURATED) | (found.peak + found.sky >= white)
    if gain is None and image.variance is None:
        notes.append("the gain is not known: errors hold the noise of the pixels alone (--gain)")
    (there,) = observing_of([meta])
    known, words = _look_up(image, plane, np.column_stack([x, y]), stars, settings)
    return Measured(
        path, image, plane, found, stars, fwhm, radius, growth, correction, magnitude(flux / exposure) + correction,
        error, gain, known, aavso_filter(meta.filter, plane.name), saturated, there.airmass or meta.airmass,
        notes=[*notes, *words],
    )  # fmt: skip


def _clear(stars: Stars, fwhm: float) -> Stars:
    """Bright stars that are alone: as far as the widest aperture reaches where enough of them are, else less."""
    from scipy.spatial import cKDTree

    bright = stars.take(stars.saturated == 0)
    if not len(bright):
        return bright
    tree = cKDTree(stars.positions)
    for within in (10.0, 6.0, 4.0):
        near = tree.query_ball_point(bright.positions, within * fwhm)
        alone = [sum(stars.flux[j] > DISTURBS * light for j in others) <= 1 for others, light in zip(near, bright.flux)]
        found = bright.take(np.array(alone))
        if len(found) >= ENOUGH:
            break
    return found.take(np.arange(len(found)) < MOST)


def _radius(apertures: Apertures, growth: Growth | None, fwhm: float, noise: float, gain: float | None) -> float:
    if apertures.choice == "fixed":
        return apertures.radius
    if apertures.choice == "fwhm" or growth is None:
        return apertures.factor * fwhm
    faint = limiting_flux(noise**2, np.pi * fwhm**2, 400.0, gain, TYPICAL_SNR)
    return best_radius(growth, faint, noise**2, 400.0, gain)


def _asked(path: Path, image: Image, plane: ColourPlane, settings: PhotometrySettings) -> np.ndarray:
    """Places of the user's table on the plane."""
    places, are_sky = read_positions(settings.positions)
    if are_sky:
        if image.plate is None:
            raise InputError(
                f"{path.name}: has no plate (WCS) for the places of {settings.positions}; firstlight solve {path}"
            )
        places = SkyMap.of(image.plate).positions(places)
    return plane.positions(np.nan_to_num(places, nan=-1e3))


def _look_up(
    image: Image, plane: ColourPlane, on_plane: np.ndarray, stars: Stars, settings: PhotometrySettings
) -> tuple[Known, list[str]]:
    nothing = Known(None, np.full(len(on_plane), -1), None)
    plate, words = image.plate, []
    frame, seen = plane.on_frame(on_plane), plane.on_frame(stars.positions)
    wanted = settings.solve and settings.catalog != "none"
    if wanted and (plate is None or not agrees(plate, seen, image.shape[1:])):
        found, told = solved_plate(image.replace(plate=None), "the image")
        words += [told] if plate is None else ["the plate in the header is off", told]
        plate = found or plate
    if plate is None:
        return nothing, [*words, "no plate (WCS): no places on the sky, no zero point; firstlight solve may give one"]
    try:
        sky_map = SkyMap.of(plate)
    except FrameError as error:
        return nothing, [str(error)]
    sky = sky_map.sky(frame)
    if settings.catalog == "none":
        return Known(None, nothing.index, sky), words
    time = image.meta.mid_time
    year = 2000.0 if time is None else time.year + (time.timetuple().tm_yday - 0.5) / 365.25
    known, more = known_stars(sky, settings.catalog, year, sky_map, image.shape[1:])
    return known, [*words, *more]


def _calibrate(measured: Measured, settings: PhotometrySettings) -> None:
    known = measured.known
    if known.catalog is None:
        return
    measured.band = band_of(measured.code, known.catalog.mags, settings.band)
    if measured.band is None:
        have = ", ".join(known.catalog.mags)
        if settings.band:
            raise InputError(f"band {settings.band!r}: the catalogue {known.catalog.source} has {have}")
        measured.notes.append(f"no magnitude of the catalogue ({have}) fits the filter; name one with --band")
        return
    colour = colour_of(known.catalog.mags) if settings.colour_term else None
    if colour is not None:
        measured.colour_name, measured.colour = colour[0], known.of(colour[1])
    m = np.where(measured.saturated | (measured.error > 0.1), np.nan, measured.magnitude)
    try:
        measured.zero_point = fit_zero_point(
            m, measured.error, known.of(known.catalog.mags[measured.band]), measured.colour
        )
    except FrameError as error:
        measured.notes.append(str(error))
        return
    measured.calibrated = measured.zero_point.calibrate(measured.magnitude, measured.colour)


def _limit(measured: Measured, settings: PhotometrySettings) -> None:
    plane, found = measured.plane, measured.photometry
    pixel = float(np.nanmedian(found.sky_sigma)) ** 2
    area, n_sky = np.pi * measured.radius**2, float(np.nanmedian(found.n_sky))
    flux = limiting_flux(pixel, area, n_sky, measured.gain)
    zero = measured.zero_point.zero if measured.zero_point is not None else 0.0
    measured.limit = float(magnitude(np.array([flux / measured.exposure]))[0]) + measured.correction + zero
    if not settings.completeness:
        return
    excluded = has(plane.flags, EXCLUDED)
    white = FULL * (measured.image.meta.saturation or np.inf)
    whole = flux / (measured.growth.share_at(measured.radius) if measured.growth is not None else 1.0)
    try:
        psf = psf_of_plane(Plane(plane.data, excluded, white, measured.gain), MeasurePsf(), stars=measured.stars)
        found_again = measure_completeness(
            plane.data, psf, float(magnitude(np.array([whole]))[0]), settings.stars, n_stars=settings.completeness,
            seed=settings.seed, excluded=excluded, saturation=white, gain=measured.gain,
        )  # fmt: skip
    except FrameError as error:
        measured.notes.append(str(error))
        return
    shift = 2.5 * np.log10(measured.exposure) + zero
    measured.completeness = Completeness(
        found_again.magnitude + shift, found_again.share, found_again.n, found_again.half + shift, found_again.bias
    )


def _together(images: Sequence[Measured], settings: PhotometrySettings) -> ZeroPoint | None:
    """One solution for all images of a filter, with extinction where their airmasses differ enough."""
    usable = [m for m in images if m.zero_point is not None and m.airmass is not None]
    if len(usable) < 2 or len({(m.code, m.band) for m in usable}) > 1:
        return None
    magnitudes = [np.where(m.saturated | (m.error > 0.1), np.nan, m.magnitude) for m in usable]
    catalog = [m.known.of(m.known.catalog.mags[m.band]) for m in usable]  # type: ignore[union-attr,index]
    colour = [m.colour if m.colour is not None else np.full(len(m.magnitude), np.nan) for m in usable]
    airmass = [np.full(len(m.magnitude), m.airmass) for m in usable]
    try:
        found = fit_zero_point(
            *(np.concatenate(each) for each in (magnitudes, [m.error for m in usable], catalog)),
            np.concatenate(colour) if all(m.colour is not None for m in usable) else None, np.concatenate(airmass),
        )  # fmt: skip
    except FrameError:
        return None
    return found if "airmass" in found.terms else None


def header_changes(measured: Measured) -> list[Change]:
    """Keywords of what was found, for the header of the image."""
    changes = [
        Change("MAGLIM", round(measured.limit, 4), "[mag] limiting magnitude, 5 sigma"),
        Change("APRADIUS", round(measured.radius * measured.plane.shrink, 3), "[px] radius of the aperture"),
    ]
    zero = measured.zero_point
    if zero is not None:
        changes += [
            Change("MAGZPT", round(zero.zero, 5), "[mag] zero point: of 1 unit in 1 s"),
            Change("MAGZERR", round(zero.zero_error, 5), "[mag] its standard error"),
            Change("MAGZNUM", zero.n_stars, "stars it is from"),
            Change("MAGZSCAT", round(zero.scatter, 5), "[mag] scatter of these stars"),
            Change("MAGBAND", measured.band, "magnitude of the catalogue"),
        ]
        if "colour" in zero.terms:
            term, error = zero.terms["colour"]
            changes += [
                Change("COLTERM", round(term, 5), f"[mag/mag] colour term in {measured.colour_name}"),
                Change("COLTERR", round(error, 5), "[mag/mag] its standard error"),
                Change("COLZERO", round(zero.colour_zero, 4), "[mag] colour that MAGZPT belongs to"),
                Change("COLNAME", measured.colour_name, "colour index of the term"),
            ]
    if measured.completeness is not None and np.isfinite(measured.completeness.half):
        changes.append(Change("MAGCOMP", round(measured.completeness.half, 4), "[mag] half of the stars are found"))
    return changes


def _update(measured: Measured) -> None:
    edit = plan_edit(measured.path, header_changes(measured))
    if edit.done:
        edit.write(measured.path)
