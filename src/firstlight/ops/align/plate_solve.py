"""Solve a plate: from the stars of an image to where it lies on the sky, with what is known beforehand or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.io import convert
from firstlight.kernels.calibrate import smooth_mosaic
from firstlight.model.catalog import Catalog, unit_vectors
from firstlight.model.image import Image, State
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate
from firstlight.model.quad_index import QuadIndex
from firstlight.model.stars import Stars
from firstlight.ops.align.plate_fit import PlateFit, axes_at, fit_plate, start_from
from firstlight.ops.align.plate_search import Bounds, Found, search_index
from firstlight.ops.align.plates import scale_of, sky_of
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.registry import Params
from firstlight.units import Degrees, Seconds

FEWEST = 7
"""Stars that a solution needs: four make the quad, three confirm it."""
BELIEVED = 20.7
"""Natural logarithm of the odds from which a plate is believed: a thousand million to one."""
DEPTH = 1500
"""Stars of the catalogue in the field that a plate is fitted to, the brightest."""
LOOSE = 1.25
"""A scale from focal length and pixel size may be wrong by this factor: flatteners and reducers change it."""
TIGHT = 1.05
"""... and one from a plate by this."""
ARCSEC_PER_RADIAN = 206264.806


class SolvePlate(Params):
    """Where on the sky an image lies, and how that is found out."""

    engine: Literal["auto", "native", "astrometry", "solve-field", "astap", "nova"] = "auto"
    """Who solves. ``auto``: native, and where that fails the others, if they have deeper catalogues here. ``nova`` asks
    nova.astrometry.net; it is used only when named, with the key in ASTROMETRY_API_KEY."""
    ra: str = ""
    """Right ascension of the middle, in degrees or as 20:58:47; empty: from the header."""
    dec: str = ""
    """Declination of the middle, in degrees or as +44:19:48."""
    target: str = ""
    """Instead of a position: an object's name, such as NGC 7000."""
    radius: Annotated[Degrees, Field(gt=0, le=180)] = 5.0
    """How far the middle may be from the position."""
    scale: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Pixel scale, arcsec/px; 0: from the header, or any."""
    scale_error: Annotated[float, Field(gt=0, le=10)] = 0.1
    """How wrong the scale that was given may be: 0.1 is 10 %."""
    parity: Literal["any", "normal", "flipped"] = "any"
    """``normal``: x to the right, y up and north up have east on the left; ``flipped``: as in a mirror."""
    blind: bool = False
    """Use nothing of the header. (Without this, a hint of the header that leads nowhere is dropped by itself.)"""
    order: Annotated[int, Field(ge=0, le=5)] = 0
    """Order of the distortion polynomial; 1: none; 0: as high as the stars clearly ask for."""
    form: Literal["sip", "tpv"] = "sip"
    """How distortion is written: SIP, or TPV for programs such as SWarp."""
    catalog: str = "auto"
    """Catalogue that the plate is fitted to: a name of `firstlight catalogs list`, or a file."""
    catalogs: str = ""
    """Folder of further catalogues."""
    threshold: Annotated[float, Field(ge=3, le=100)] = 5.0
    """Signal to noise that a star needs."""
    max_stars: Annotated[int, Field(ge=20, le=5000)] = 500
    """The brightest so many stars are used."""
    send: Literal["stars", "image", "both"] = "both"
    """What nova gets: the star list, the image, or the image if the list is not enough."""
    timeout: Annotated[Seconds, Field(gt=0, le=3600)] = 30.0
    """Time that an image may take."""


@dataclass(frozen=True)
class Attempt:
    """Bounds to solve within, and where they come from."""

    bounds: Bounds
    source: str
    share: float = 1.0
    """Of the time."""


class Sky(Protocol):
    """What is known of the sky: asked for as it is needed."""

    def indexes(self, bounds: Bounds, field: tuple[float, float]) -> Iterable[QuadIndex]:
        """Indexes that may hold quads of an image within the bounds; smallest and largest diagonal, degrees."""
        ...

    def cone(self, ra: float, dec: float, radius: float, most: int) -> Catalog:
        """The brightest stars of a circle, at the epoch of the image."""
        ...


@dataclass(frozen=True)
class Solution:
    """A verified plate and how it was found."""

    fit: PlateFit
    plate: Plate
    attempt: str
    hypotheses: int
    engine: str = "native"


def stars_for_plate(image: Image, p: SolvePlate) -> tuple[Stars, np.ndarray]:
    """Stars of an image, brightest first, and the errors of their positions, px.

    Raises
    ------
    FrameError
        Hardly any stars; the message says how many.
    """
    if image.shape[0] > 1:
        plane = image.data.mean(axis=0)
    elif image.meta.cfa:
        plane = np.empty(image.shape[1:], np.float32)
        smooth_mosaic(np.ascontiguousarray(image.data[0]), plane)
    else:
        plane = image.data[0]
    bad = ~image.good.all(axis=0)
    white = image.meta.saturation
    # Of a stretched picture the bright half may be white: its stars are told by their wings.
    known = white is not None and image.state is State.LINEAR and not image.meta.calibrated
    saturation = 0.98 * white if known else np.inf  # type: ignore[operator]
    try:
        stars, _ = find_stars(
            plane, FindStars(threshold=p.threshold, max_stars=p.max_stars), excluded=bad if bad.any() else None,
            saturation=saturation, gain=image.meta.gain,
        )  # fmt: skip
    except FrameError as error:
        raise FrameError(f"solve: {error}") from error
    if len(stars) < FEWEST:
        raise FrameError(
            f"solve: {len(stars)} stars were found; {FEWEST} or more are needed; expose longer, or lower --threshold"
        )
    errors = np.clip(0.6 * stars.fwhm / np.maximum(stars.snr, 1.0), 0.02, 1.0)
    return stars, np.where(stars.saturated > 0, np.maximum(errors, 0.3), errors)


def attempts_for(
    meta: Meta, plate: Plate | None, shape: tuple[int, int], p: SolvePlate, previous: Plate | None = None
) -> list[Attempt]:
    """Bounds to try one after the other: what was asked for; else previous frame, header, then nothing.

    >>> [a.source for a in attempts_for(Meta(ra=10.0, dec=20.0), None, (100, 100), SolvePlate())]
    ['position of the header', 'blind']
    >>> [a.source for a in attempts_for(Meta(ra=10.0, dec=20.0), None, (100, 100), SolvePlate(blind=True, scale=1.2))]
    ['scale given']
    """
    flipped = None if p.parity == "any" else p.parity == "flipped"
    asked = Bounds(flipped=flipped)
    words = []
    if p.scale:
        factor = 1.0 + p.scale_error
        asked = replace(asked, smallest_scale=p.scale / factor, largest_scale=p.scale * factor)
        words.append("scale given")
    if p.ra and p.dec:
        asked = replace(asked, ra=float(p.ra), dec=float(p.dec), radius=p.radius)
        words.append("position given")
    found: list[Attempt] = []
    if not p.blind:
        for known, name in ((previous, "plate of the frame before"), (plate, "plate of the header")):
            if known is not None and (bounds := _near(known, shape, asked)) is not None:
                found.append(Attempt(bounds, name, 0.3))
        header, source = _of_header(meta, asked, p)
        if source:
            found.append(Attempt(header, ", ".join([*words, source]), 0.5))
    found.append(Attempt(asked, ", ".join(words) or "blind"))
    return found


def _near(plate: Plate, shape: tuple[int, int], asked: Bounds) -> Bounds | None:
    try:
        scale = scale_of(plate, shape)
        ra, dec = sky_of(plate, np.array([[(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0]]))[0]
    except FrameError:
        return None
    if not (np.isfinite(scale) and np.isfinite(ra) and np.isfinite(dec)) or scale <= 0:
        return None
    radius = max(float(np.hypot(*shape)) * scale / 3600.0, 0.5)
    return _within(replace(asked, ra=float(ra), dec=float(dec), radius=min(radius, 20.0)), scale, TIGHT, asked)


def _of_header(meta: Meta, asked: Bounds, p: SolvePlate) -> tuple[Bounds, str]:
    bounds, words = asked, []
    if asked.ra is None and meta.ra is not None and meta.dec is not None and abs(meta.dec) <= 90:
        bounds = replace(bounds, ra=meta.ra, dec=meta.dec, radius=p.radius)
        words.append("position")
    if not p.scale and meta.focal_length and meta.pixel_size:
        scale = ARCSEC_PER_RADIAN * 1e-3 * meta.pixel_size / meta.focal_length
        if 1e-3 < scale < 1000:
            bounds = _within(bounds, scale, LOOSE, asked)
            words.append("scale")
    return bounds, f"{' and '.join(words)} of the header" if words else ""


def _within(bounds: Bounds, scale: float, factor: float, asked: Bounds) -> Bounds:
    """The bounds with a scale, unless one was asked for."""
    if (asked.smallest_scale, asked.largest_scale) != (Bounds.smallest_scale, Bounds.largest_scale):
        return bounds
    return replace(bounds, smallest_scale=scale / factor, largest_scale=scale * factor)


def solve_stars(
    positions: np.ndarray,
    errors: np.ndarray,
    shape: tuple[int, int],
    attempts: Iterable[Attempt],
    sky: Sky,
    p: SolvePlate,
    spent: Callable[[], float] = lambda: 0.0,
) -> tuple[PlateFit, str, int]:
    """Find and verify the plate of a star list.

    Parameters
    ----------
    positions : (n, 2), brightest first.
    errors : (n,) px.
    shape : (height, width).
    spent : share of the time that has gone.

    Returns
    -------
    The fit, the attempt that led to it, and how many hypotheses were looked at.

    Raises
    ------
    FrameError
        None was found; the message says what was tried.
    """
    total, tried, late = 0, [], False
    best: PlateFit | None = None

    def accept(found: Found) -> bool:
        nonlocal best
        fit = refined(positions, errors, shape, start_from(found, shape), sky, 1)
        if best is None or fit.odds > best.odds:
            best = fit
        return is_believed(fit)

    diagonal = float(np.hypot(*shape)) / 3600.0
    for attempt in attempts:
        begun = spent()
        limit = min(begun + attempt.share * (1.0 - begun), 1.0)
        bounds = attempt.bounds
        for index in sky.indexes(bounds, (diagonal * bounds.smallest_scale, diagonal * bounds.largest_scale)):
            best = None
            done, looked = search_index(positions, shape, index, bounds, accept, lambda: spent() > limit)  # noqa: B023
            total += looked
            if done and best is not None:
                return refined(positions, errors, shape, best, sky, p.order), attempt.source, total
            if spent() > limit:
                break
        tried.append(attempt.source)
        late |= spent() >= 1.0
        if spent() >= 1.0:
            break
    raise FrameError(_why_not(len(positions), tried, total, late, p))


def refined(
    positions: np.ndarray,
    errors: np.ndarray,
    shape: tuple[int, int],
    start: PlateFit,
    sky: Sky,
    order: int,
) -> PlateFit:
    """A plate fitted to the stars of the catalogue around where it lies."""
    radius = 0.55 * float(np.hypot(*shape)) * start.scale / 3600.0
    # A far corner of a wide field lies nearer on the sky than on its plane.
    radius = float(np.degrees(np.arctan(np.radians(min(radius, 85.0))))) if radius > 2 else radius
    catalog = sky.cone(start.ra, start.dec, radius, DEPTH)
    if len(catalog) < 4:
        return replace(start, odds=0.0)
    return fit_plate(positions, errors, catalog, start, shape, order)


def is_believed(fit: PlateFit) -> bool:
    """Whether the stars speak clearly enough for a plate."""
    return fit.odds >= BELIEVED and len(fit.stars) >= FEWEST


def _why_not(n: int, tried: list[str], total: int, late: bool, p: SolvePlate) -> str:
    how = ", then ".join(tried) or "nothing"
    end = f"the time of {p.timeout:g} s is over; raise --timeout, or give --ra, --dec and --scale"
    if not late:
        end = (
            "the field may show too few stars of the catalogues that are here (`firstlight catalogs list`), or what "
            "was found are no stars; give --ra, --dec and --scale if you know them, or a deeper catalogue"
        )
    return f"solve: no place on the sky fits the {n} stars found (tried: {how}; {total} hypotheses); {end}"


def position_given(p: SolvePlate, named: Callable[[str], tuple[float, float]], what: str = "solve") -> SolvePlate:
    """The settings with position in degrees, whatever way it was given.

    Raises
    ------
    InputError
        It cannot be understood, or only half of it was given.
    """
    if p.target:
        if p.ra or p.dec:
            raise InputError(f"{what}: a target and a position are given; give one of them")
        ra, dec = named(p.target)
        return p.model_copy(update={"ra": repr(ra), "dec": repr(dec), "target": ""})
    if bool(p.ra) != bool(p.dec):
        raise InputError(f"{what}: only one of --ra and --dec is given; give both")
    if not p.ra:
        return p
    ra, dec = convert.right_ascension(p.ra), convert.declination(p.dec)
    if ra is None or dec is None:
        raise InputError(
            f"{what}: --ra {p.ra} --dec {p.dec}; degrees (314.7, 44.33) or sexagesimal (20:58:47, +44:19:48) are "
            "allowed"
        )
    return p.model_copy(update={"ra": repr(ra), "dec": repr(dec)})


def off_target(plate: Plate, shape: tuple[int, int], ra: float, dec: float) -> tuple[float, float]:
    """How far a target is from the middle of a solved image: arcsec to the east and to the north.

    >>> cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 90.0, "CRVAL2": 0.0, "CRPIX1": 50.5,
    ...          "CRPIX2": 50.5, "CD1_1": -0.001, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.001}
    >>> [round(x, 3) for x in off_target(Plate(cards), (100, 100), 90.01, -0.02)]
    [36.0, -72.0]
    """
    middle = sky_of(plate, np.array([[(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0]]))[0]
    centre, east, north = axes_at(float(middle[0]), float(middle[1]))
    (there,) = unit_vectors(np.array([ra]), np.array([dec]))
    apart = np.arctan2(np.linalg.norm(np.cross(centre, there)), centre @ there)
    across = np.hypot(there @ east, there @ north)
    factor = np.degrees(apart) * 3600.0 / across if across > 0 else 0.0
    return float(there @ east * factor), float(there @ north * factor)


def centre_on(
    target: tuple[float, float],
    look: Callable[[], tuple[Plate, tuple[int, int]]],
    move: Callable[[float, float], None],
    tolerance: float,
    rounds: int = 5,
) -> Iterator[tuple[float, float]]:
    """Bring a target into the middle by solving and moving, until it is within ``tolerance`` arcsec or rounds are over.

    ``look`` takes and solves an image, ``move`` moves by so many arcsec to the east and north. Each offset seen is
    yielded; the last one is within the tolerance, or the rounds were not enough.
    """
    for left in range(rounds, 0, -1):
        plate, shape = look()
        east, north = off_target(plate, shape, *target)
        yield east, north
        if np.hypot(east, north) <= tolerance or left == 1:
            return
        move(east, north)
