"""From a folder of frames to light curves: `firstlight timeseries`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.targets import check_folder
from firstlight.library.plans import slug
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.catalog.bands import aavso_filter, colour_of
from firstlight.pipeline.aim import Place, header_place, on_frame, parse_place, parse_places, read_plate
from firstlight.pipeline.crew import crew_of
from firstlight.pipeline.executors import memory_budget
from firstlight.pipeline.field_stars import Known, agrees, known_stars, named_place, solved_plate
from firstlight.pipeline.graph import Graph
from firstlight.pipeline.group import prepare_group
from firstlight.pipeline.measure import Light
from firstlight.pipeline.plan import Group, Plan, plan
from firstlight.pipeline.process import default_output
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.register import Placed, is_named
from firstlight.pipeline.series_curve import Reduced, curve_of, reduce
from firstlight.pipeline.series_files import write_series
from firstlight.pipeline.series_measure import Fluxes, Look, look_at, measure_series
from firstlight.pipeline.series_settings import SeriesSettings
from firstlight.pipeline.session import Session
from firstlight.pipeline.warm import with_warm_pixels
from firstlight.pipeline.white import with_measured_white

FOLDER = "timeseries"
SNAP = 3.0
"""px: a star so near a place that is asked for is meant by it."""
FEWEST = 3
"""Frames that make a series."""
FAINT = 0.03
"""Share of the target's light: fainter stars neither compare with it nor disturb those that do."""


@dataclass(eq=False)
class Series:
    """The light curves of one target and filter."""

    name: str
    target: str
    filter: str | None
    reduced: Reduced
    positions: np.ndarray
    """Of all measured stars, px of the reference frame."""
    known: Known
    """What a catalogue says of them."""
    star: int | None
    """Index of the target; None where all stars are."""
    reference: str
    n_lights: int = 0
    set_aside: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    code: str = "CV"
    """AAVSO's code of the filter."""

    @property
    def fluxes(self) -> Fluxes:
        return self.reduced.fluxes


@dataclass(frozen=True)
class SeriesResult:
    """What a run made."""

    plan: Plan
    output: Path
    series: tuple[Series, ...]
    set_aside: dict[str, str]
    failed: dict[str, str]
    """Group of lights to the reason why there is no light curve of it."""
    timings: dict[str, dict[str, float]]


def timeseries(
    session: str | Path,
    settings: SeriesSettings | None = None,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> SeriesResult:
    """Measure a star (or all) in every frame of a session against comparison stars.

    Frames are planned, calibrated in memory and registered as `firstlight.pipeline.process.process` does it; nothing of
    them is written but masters. Each target and filter makes a series of its own; exposures may differ within it.

    Parameters
    ----------
    session : path
        A folder of frames, raw or calibrated.
    settings : SeriesSettings, optional
    output : path, optional
        Default ``session/firstlight``; the series go into ``timeseries`` in it.
    progress : Progress, optional

    Raises
    ------
    InputError
        Nothing to work on, or the target is not to be found.
    """
    settings = settings or SeriesSettings()
    clock = Clock(progress or Progress())
    check_folder(Path(output) if output is not None else default_output(Path(session)))
    with clock.stage("plan"):
        todo = plan(session, settings.session(), output=output, progress=clock.progress)
        if not todo.groups:
            raise InputError(f"{session}: no lights in it; a light curve is made of lights")
    todo.output.mkdir(parents=True, exist_ok=True)
    budget = memory_budget(settings.memory)
    with (
        Graph(todo.output, waiting=clock.progress.say) as graph,
        crew_of(todo.settings, todo.output) as (executor, workers, scratch),
    ):
        run = Session(todo, graph, clock, executor, workers, budget, scratch)
        run.masters()
        run.find_dark_scales()
        todo, lights = run.plan, run.measure()
        made, failed = [], {}
        for group in todo.groups:
            members = [lights[a.light.path] for a in group.assignments if a.light.path in lights]
            try:
                made.append(_series(group, members, settings, run, executor))
            except FrameError as error:
                failed[group.name] = str(error)
        if not made:
            raise InputError("no light curve: " + "; ".join(f"{name}: {why}" for name, why in failed.items()))
        aside = dict(run.set_aside)
        with clock.stage("products"):
            for series in made:
                aside.update(series.set_aside)
                names = {a.light.path for g in todo.groups if g.name == series.name for a in g.assignments}
                names |= {path for path, _ in todo.broken}
                series.set_aside = {path: why for path, why in aside.items() if Path(path) in names}
                write_series(series, todo.output / FOLDER, settings)
    return SeriesResult(todo, todo.output, tuple(made), aside, failed, clock.timings)


def _series(group: Group, lights: list[Light], settings: SeriesSettings, run: Session, executor: Executor) -> Series:
    if len(lights) < FEWEST:
        reasons = [run.set_aside[path] for a in group.assignments if (path := str(a.light.path)) in run.set_aside]
        more = f"; the others: {reasons[0]}" if reasons else ""
        raise FrameError(f"{len(lights)} lights can be used; {FEWEST} are needed{more}")
    session, notes = settings.session(), []
    lights = with_measured_white(lights, notes)
    prepared = prepare_group(group, lights, None, session, run.clock, executor, run.workers)
    aside = dict(prepared.set_aside)
    dated = [p for p in prepared.placed if p.light.frame.meta.mid_time is not None]
    aside.update({str(p.light.frame.path): f"{p.light.name}: no time in the header"
                  for p in prepared.placed if p.light.frame.meta.mid_time is None})  # fmt: skip
    placed = sorted(dated, key=lambda p: p.light.frame.meta.mid_time.timestamp())  # type: ignore[union-attr]
    if len(placed) < FEWEST:
        raise FrameError(f"{len(placed)} of {len(lights)} lights could be registered; {FEWEST} are needed")
    notes += prepared.notes
    calibrations = with_warm_pixels(placed, notes)
    reference = next(p for p in placed if p.light is prepared.reference)
    look = look_at(reference, calibrations[id(reference.light)], settings)
    stars = look.stars
    named = _named_frame(placed, settings.reference)
    plate = _plate(placed, named, settings)
    if plate is None or not (settings.plate or not settings.solve or _holds(plate, stars, reference)):
        plate = _solved(look, settings, notes) or plate
    target_places, check_place = _targets(settings, named)
    positions, wanted = stars.positions[: _enough(stars, target_places, plate, named)], []
    n_seen = len(positions)
    for place in target_places:
        positions, index = _with_place(positions, stars, place, plate, named)
        wanted.append(index)
        if index >= n_seen and not settings.target:
            raise InputError(
                f"{place}, where the headers say that the telescope looked, shows no star within {SNAP:g} px; it aims "
                'less well than that: give the star, --target "RA Dec", --target x,y (px) or a name'
            )
        if index >= n_seen:
            notes.append(f"no star is seen within {SNAP:g} px of {place}: its light is measured there all the same")
    star = None if settings.of_all else wanted[0]
    given = None
    if settings.comparisons:
        given = []
        for place in parse_places(settings.comparisons):
            positions, index = _with_place(positions, stars, place, plate, named)
            given.append(index)
    check = None
    if check_place is not None:
        positions, check = _with_place(positions, stars, check_place, plate, named)
    with run.clock.stage("photometry", len(placed), "lights") as stage:
        fluxes = measure_series(placed, calibrations, stars, positions, settings, executor, run.workers, stage)
    aside.update(fluxes.lost)
    known = _known(plate, positions, placed, settings, notes)
    sky_place = None
    if star is not None and plate is not None:
        sky_place = tuple(map(float, _sky_of(plate, positions[star : star + 1])[0]))
    colour = colour_of(known.catalog.mags) if known.catalog is not None else None
    with run.clock.stage("light curves"):
        reduced = reduce(
            fluxes, positions, star, settings, given=None if given is None else np.array(given), check=check,
            colours=None if colour is None else known.of(colour[1]), sky_place=sky_place,
        )  # fmt: skip
        meta = placed[0].light.frame.meta
        code = aavso_filter(meta.filter, look.plane.name)
        reduced.standard = known.zero_point(code, settings.band, reduced.choice.stars, reduced.choice.ensemble.mean)
        name = settings.star_name or meta.target or run.plan.session.resolve().name
        if star is not None:
            reduced.curves.append(curve_of(reduced, star, name, settings))
        if reduced.choice.check is not None:
            reduced.check = curve_of(reduced, reduced.choice.check, "check star", settings, plain=True)
    filter_name = meta.filter if len({p.light.frame.meta.filter for p in placed}) == 1 else None
    return Series(
        group.name, name, filter_name, reduced, positions, known, star, reference.light.name, len(lights), aside,
        [*notes, *reduced.notes], code=code,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class FramePlate:
    """The plate of one frame, and how its px lie on the reference frame."""

    plate: Plate
    transform: Transform
    name: str


def _named_frame(placed: Sequence[Placed], name: str) -> Placed:
    """The frame that px are given on: the reference the user named, else the first in time."""
    return next((p for p in placed if name and is_named(p.light.frame, name)), placed[0])


def _plate(placed: Sequence[Placed], named: Placed, settings: SeriesSettings) -> FramePlate | None:
    if settings.plate:
        return FramePlate(read_plate(settings.plate), named.registration.transform, named.light.name)
    for each in (named, *placed):
        if each.light.frame.plate is not None:
            try:
                SkyMap.of(each.light.frame.plate)
            except FrameError:
                continue
            return FramePlate(each.light.frame.plate, each.registration.transform, each.light.name)
    return None


def _solved(look: Look, settings: SeriesSettings, notes: list[str]) -> FramePlate | None:
    """The plate of the reference frame, if it is wanted and can be found."""
    on_sky = settings.target and not settings.of_all and _place(settings.target, settings).is_sky
    if not settings.solve or (settings.catalog == "none" and settings.target and not on_sky):
        return None
    frame, name = look.placed.light.frame, look.placed.light.name
    # Of a mosaic the plane has half the size: stars are sought on the frame itself.
    image = frame.read() if look.plane.shrink > 1 else Image(look.plane.data, look.plane.flags, meta=frame.meta)
    plate, words = solved_plate(image.replace(plate=None), name)
    notes.append(words)
    return None if plate is None else FramePlate(plate, look.placed.registration.transform, name)


def _holds(plate: FramePlate, stars: Stars, reference: Placed) -> bool:
    """Whether the stars of the reference frame lie where the plate puts them."""
    on_frame = plate.transform.inverse(reference.registration.transform(stars.positions))
    return agrees(plate.plate, on_frame, reference.light.frame.shape[1:])


def _sky_of(plate: FramePlate, positions: np.ndarray) -> np.ndarray:
    return SkyMap.of(plate.plate).sky(plate.transform.inverse(positions))


def _targets(settings: SeriesSettings, named: Placed) -> tuple[list[Place], Place | None]:
    check = parse_place(settings.check) if settings.check else None
    if settings.of_all:
        return [], check
    if settings.target:
        return [_place(settings.target, settings)], check
    place = header_place(named.light.frame.meta)
    if place is None:
        raise InputError(
            f"{named.light.name}: no RA and DEC in the header; say which star: --target x,y (px of this frame), "
            '--target "RA Dec", or --target all'
        )
    return [place], check


def _enough(stars: Stars, places: Sequence[Place], plate: FramePlate | None, named: Placed) -> int:
    """How many of the stars, brightest first, can be of use: for one target, those far fainter are of none."""
    if len(places) != 1:
        return len(stars)
    _, index = _with_place(stars.positions, stars, places[0], plate, named)
    if index >= len(stars):
        return len(stars)
    return max(int((stars.flux > FAINT * stars.flux[index]).sum()), index + 1)


def _place(text: str, settings: SeriesSettings) -> Place:
    """A place by its numbers, or by the name of what is there."""
    try:
        return parse_place(text)
    except InputError as error:
        found = named_place(text, settings.catalog)
        if found is None:
            raise InputError(f"{error}; nothing of this name is in the catalogue or in OpenNGC either") from None
        return Place(*found, True)


def _with_place(
    positions: np.ndarray, stars: Stars, place: Place, plate: FramePlate | None, named: Placed
) -> tuple[np.ndarray, int]:
    """Positions with this place among them, and its index: that of the star there, or a new one.

    Raises
    ------
    InputError
        It lies beyond the reference frame by far.
    """
    if place.is_sky:
        where = on_frame(place, None if plate is None else plate.plate, named.light.name)
        mapped = plate.transform(where[None])[0]  # type: ignore[union-attr]
    else:
        mapped = named.registration.transform(on_frame(place, None, "")[None])[0]
    _, height, width = named.light.frame.shape
    if not np.isfinite(mapped).all() or not (-width < mapped[0] < 2 * width and -height < mapped[1] < 2 * height):
        raise InputError(
            f"{place} lies beyond the frames; if the pointing of the headers is meant, it is off: give --target"
        )
    distance = np.hypot(*(positions - mapped).T) if len(positions) else np.array([np.inf])
    nearest = int(distance.argmin())
    if distance[nearest] <= SNAP:
        return positions, nearest
    return np.vstack([positions, mapped]), len(positions)


def _known(
    plate: FramePlate | None, positions: np.ndarray, placed: Sequence[Placed], settings: SeriesSettings,
    notes: list[str],
) -> Known:  # fmt: skip
    if plate is None or settings.catalog == "none":
        return Known(None, np.full(len(positions), -1), None)
    sky = _sky_of(plate, positions)
    _, height, width = placed[0].light.frame.shape
    time = placed[0].light.frame.meta.mid_time
    year = 2000.0 if time is None else time.year + (time.timetuple().tm_yday - 0.5) / 365.25
    known, words = known_stars(sky, settings.catalog, year, SkyMap.of(plate.plate), (height, width))
    notes += words
    return known


def slug_of(series: Series) -> str:
    """Name of the series' files."""
    return f"{slug(series.target) or 'target'}_{slug(series.filter) or 'nofilter'}"
