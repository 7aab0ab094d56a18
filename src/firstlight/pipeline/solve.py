"""Solve the plates of images and files: engines one after the other, in bounded time."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FirstlightError, FrameError, InputError
from firstlight.io import solvers
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.frame import Frame
from firstlight.io.programs import private_folder
from firstlight.io.read import find_files, open_frames
from firstlight.model.catalog import separation
from firstlight.model.image import Image
from firstlight.model.meta import J2000, Meta
from firstlight.model.plate import Plate
from firstlight.model.stars import Stars
from firstlight.ops.align.plate_cards import plate_of_fit
from firstlight.ops.align.plate_fit import PlateFit, start_from
from firstlight.ops.align.plate_search import Bounds, Found
from firstlight.ops.align.plate_solve import (
    ARCSEC_PER_RADIAN,
    FEWEST,
    Attempt,
    SolvePlate,
    attempts_for,
    is_believed,
    position_given,
    refined,
    solve_stars,
    stars_for_plate,
)
from firstlight.ops.align.plates import scale_of, sky_of
from firstlight.pipeline.executors import thread_pool
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.solve_sky import LocalSky

ROUND = 8
"""Frames solved with the same hint: the last plate of the round before. The same for any number of workers."""
SCALE_OFF = 0.05
"""A header's scale that is farther off than this is told."""
NARROWEST, WIDEST = 0.05, 120.0
"""Degrees: fields that other programs are asked to look for where nothing is known."""


@dataclass(frozen=True, eq=False)
class Solved:
    """The plate of an image, and how it was found."""

    plate: Plate
    stars: Stars
    engine: str
    attempt: str
    """Which hints led to it."""
    seconds: float
    fit: PlateFit | None = None
    """None where another program's plate could not be fitted to a catalogue that is here."""
    notes: tuple[str, ...] = ()
    """Where the header says something else."""

    def facts(self, shape: tuple[int, int]) -> dict[str, Any]:
        """What a person or program wants to know of the plate, as JSON holds it."""
        height, width = shape
        middle = np.array([(width - 1) / 2.0, (height - 1) / 2.0])
        sky = sky_of(self.plate, middle + np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
        ra, dec = map(float, sky[0])
        east = (sky[1:, 0] - ra + 180.0) % 360.0 - 180.0
        step = np.column_stack([east * math.cos(math.radians(dec)), sky[1:, 1] - dec])
        scale = scale_of(self.plate, shape)
        return {
            "ra": ra,
            "dec": dec,
            "scale": scale,
            "width": width * scale / 3600.0,
            "height": height * scale / 3600.0,
            "y_axis": float(np.degrees(np.arctan2(step[0, 0], step[0, 1]))) % 360.0,
            "flipped": bool(step[1, 0] * step[0, 1] - step[1, 1] * step[0, 0] > 0),
            "stars": len(self.stars),
            "matched": self.plate.n_matched,
            "in_field": self.fit.in_field if self.fit else 0,
            "rms": self.plate.rms,
            "rms_px": self.fit.rms if self.fit else None,
            "order": self.fit.order if self.fit else None,
            "log10_odds": self.fit.odds / math.log(10) if self.fit else None,
            "engine": self.engine,
            "hint": self.attempt,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


def solve_image(image: Image, settings: SolvePlate = SolvePlate(), previous: Plate | None = None) -> Image:
    """The image with its plate.

    Parameters
    ----------
    settings : engine, hints, limits.
    previous : plate of a frame taken shortly before, as a hint.

    Raises
    ------
    FrameError
        It was not solved; the message says what was tried and why not.
    InputError
        An engine or catalogue that was named is not here.
    """
    return with_plate(image, solve_plate(image, settings, previous).plate)


def with_plate(image: Image, plate: Plate) -> Image:
    """The image with this plate; a pointing that was not known is its middle."""
    meta = image.meta
    if meta.ra is None or meta.dec is None:
        height, width = image.shape[1:]
        ra, dec = sky_of(plate, np.array([[(width - 1) / 2.0, (height - 1) / 2.0]]))[0]
        meta = meta.replace(ra=float(ra), dec=float(dec), sources={**meta.sources, "ra": "plate", "dec": "plate"})
    return image.replace(plate=plate, meta=meta)


def solve_plate(
    image: Image, settings: SolvePlate = SolvePlate(), previous: Plate | None = None, path: Path | None = None
) -> Solved:
    """As `solve_image`, but with all that is known of the solution; ``path``: the file, for engines that want it."""
    p = position_given(settings, named_position)
    begun = time.monotonic()
    stars, errors = stars_for_plate(image, p)
    shape = (image.shape[1], image.shape[2])
    job = _Job(image, p, stars, errors, shape, LocalSky(p.catalog, p.catalogs, year_of(image.meta)), begun, path)
    attempts = attempts_for(image.meta, image.plate, shape, p, previous)
    reasons: list[str] = []
    problem: InputError | None = None
    for engine in _engines(p):
        try:
            found = job.native(attempts) if engine == "native" else job.other(engine, attempts)
        except FrameError as error:
            reasons.append(str(error))
            continue
        except InputError as error:
            if p.engine != "auto":
                raise
            problem = problem or error
            continue
        notes = tuple(contradictions(image.meta, found.plate, shape))
        return replace(found, seconds=time.monotonic() - begun, notes=notes)
    if problem is not None and not reasons:
        raise problem
    raise FrameError("; ".join(dict.fromkeys(reasons)) or "solve: no engine is here; `firstlight catalogs where` helps")


def contradictions(meta: Meta, plate: Plate, shape: tuple[int, int]) -> Iterator[str]:
    """What the header says of scale and pointing, where the plate says something else."""
    scale = scale_of(plate, shape)
    if meta.focal_length and meta.pixel_size:
        said = ARCSEC_PER_RADIAN * 1e-3 * meta.pixel_size / meta.focal_length
        if abs(said / scale - 1) > SCALE_OFF:
            yield (
                f"focal length {meta.focal_length:g} mm, pixels of {meta.pixel_size:g} um: they make {said:.4g} "
                f"arcsec/px; the stars say {scale:.4g}: one of the two is wrong in the header"
            )
    if meta.ra is not None and meta.dec is not None:
        middle = sky_of(plate, np.array([[(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0]]))[0]
        apart = separation(meta.ra, meta.dec, float(middle[0]), float(middle[1]))
        if apart > 0.5 * math.hypot(*shape) * scale / 3600.0:
            yield f"the header points {apart:.2f} degrees away, outside of the image"


def _engines(p: SolvePlate) -> list[str]:
    if p.engine != "auto":
        return [p.engine]
    # Others are worth their time only where they know stars that we do not.
    deeper = ["astrometry", "solve-field"] if solvers.index_files(deeper=True) else []
    return ["native", *deeper, *(["astap"] if solvers.astap_database() else [])]


def year_of(meta: Meta) -> float | None:
    """Julian year of an exposure."""
    middle = meta.mid_time
    return None if middle is None else 2000.0 + (middle - J2000).total_seconds() / 86400.0 / 365.25


def named_position(name: str) -> tuple[float, float]:
    """Where an object is, by its name.

    Raises
    ------
    InputError
        No catalogue here knows it.
    """
    from firstlight.io.deep_sky import find_object

    found = find_object(name)
    return found.ra, found.dec


@dataclass(frozen=True, eq=False)
class _Job:
    image: Image
    p: SolvePlate
    stars: Stars
    errors: np.ndarray
    shape: tuple[int, int]
    sky: LocalSky
    begun: float
    path: Path | None

    def spent(self) -> float:
        return (time.monotonic() - self.begun - self.sky.preparing) / self.p.timeout

    def native(self, attempts: Sequence[Attempt]) -> Solved:
        fit, source, _ = solve_stars(
            self.stars.positions, self.errors, self.shape, attempts, self.sky, self.p, self.spent
        )
        return self._as_solved(fit, "native", source)

    def _as_solved(self, fit: PlateFit, engine: str, source: str) -> Solved:
        return Solved(plate_of_fit(fit, self.p.form), self.stars, engine, source, 0.0, fit)

    def other(self, engine: str, attempts: Sequence[Attempt]) -> Solved:
        reason = FrameError(f"solve: no time is left for {engine}")
        for attempt in attempts:
            left = self.p.timeout - (time.monotonic() - self.begun)
            if left <= 0.2:
                break
            seconds = left if attempt is attempts[-1] else attempt.share * left
            try:
                plate = self._ask(engine, self._bounded(attempt.bounds), seconds)
                return self._confirmed(plate, engine, attempt.source)
            except FrameError as error:
                reason = error
        raise reason

    def _bounded(self, bounds: Bounds) -> dict[str, Any]:
        """With a scale that makes some field or other."""
        degree = 3600.0 / max(self.shape)
        low = max(bounds.smallest_scale, NARROWEST * degree)
        return {**asdict(bounds), "smallest_scale": low, "largest_scale": min(bounds.largest_scale, WIDEST * degree)}

    def _ask(self, engine: str, bounds: dict[str, Any], seconds: float) -> Plate:
        positions = self.stars.positions
        if engine == "astrometry":
            return solvers.with_astrometry(positions[:200], self.shape, bounds, seconds)
        if engine == "solve-field":
            return solvers.with_solve_field(positions, self.shape, bounds, seconds)
        with private_folder() as folder:
            picture = self._picture(folder) if engine == "astap" or self.p.send != "stars" else None
            if engine == "astap":
                return solvers.with_astap(picture, self.shape, bounds, seconds)  # type: ignore[arg-type]
            # A client of web pages is not for every run that may solve a plate.
            from firstlight.io.nova import with_nova

            return with_nova(positions[:1000], self.shape, bounds, seconds, picture, self.p.send)

    def _picture(self, folder: Path) -> Path:
        """A plain FITS image of one plane for programs that find the stars themselves; rows as they lie."""
        if self.path is not None and self.path.suffix.lower() in (".fits", ".fit", ".fts"):
            return self.path
        plane = self.image.data.mean(axis=0)
        write_units(folder / "image.fits", [Unit([], np.nan_to_num(plane))])
        return folder / "image.fits"

    def _confirmed(self, plate: Plate, engine: str, source: str) -> Solved:
        """Another program's plate, fitted anew to a catalogue that is here: all engines give the same accuracy."""
        height, width = self.shape
        middle = np.array([(width - 1) / 2.0, (height - 1) / 2.0])
        scale = scale_of(plate, self.shape)
        sky = sky_of(plate, middle + np.array([[0.0, 0.0], [0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5]]))
        ra, dec = map(float, sky[0])
        d_ra = (sky[[1, 3], 0] - sky[[2, 4], 0] + 180.0) % 360.0 - 180.0
        cosine = math.cos(math.radians(dec))
        cd = ((d_ra[0] * cosine, d_ra[1] * cosine), (sky[1, 1] - sky[2, 1], sky[3, 1] - sky[4, 1]))
        start = start_from(Found(ra, dec, cd, 0.0), self.shape)
        fit = refined(self.stars.positions, self.errors, self.shape, start, self.sky, 1)
        if is_believed(fit):
            best = refined(self.stars.positions, self.errors, self.shape, fit, self.sky, self.p.order)
            return self._as_solved(best, engine, source)
        if fit.in_field < FEWEST:
            # The catalogues here are too shallow to say anything; the program has verified it by its own.
            return Solved(plate, self.stars, engine, source, 0.0)
        raise FrameError(
            f"solve: {engine} says {ra:.4f}, {dec:+.4f} at {scale:.4g} arcsec/px; the {fit.in_field} stars of the "
            "catalogue there do not confirm it"
        )


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one file."""

    path: Path
    shape: tuple[int, int] = (0, 0)
    solved: Solved | None = None
    error: FirstlightError | None = None
    frame: Frame | None = None


def solve_files(
    paths: Sequence[Path],
    settings: SolvePlate = SolvePlate(),
    *,
    threads: int = 0,
    progress: Progress = Progress(),
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Solve files and all frames of folders; frames of one target hint each other.

    Parameters
    ----------
    paths : files and folders.
    threads : workers; 0: one a core. The plates do not depend on it.
    done : told of each outcome, in order.

    Raises
    ------
    InputError
        A folder without frames; an engine, catalogue or position that cannot be used.
    """
    settings = position_given(settings, named_position)
    files: list[Path] = []
    for path in paths:
        found = find_files(path)
        if not found:
            raise InputError(f"{path}: no frames in this folder; give files, or a folder that holds some")
        files += found
    outcomes: list[Outcome] = []
    last: dict[object, Plate] = {}
    progress.begin("solve", len(files), "images")
    with thread_pool(threads) as pool:
        # The first alone: it finds the place, and makes an index where there is none yet.
        edges = [0, *range(1, len(files), ROUND), len(files)]
        for first, end in itertools.pairwise(edges):
            hints = dict(last)
            for outcome in pool.map(lambda path: _solve_file(path, settings, hints), files[first:end]):  # noqa: B023
                if outcome.solved is not None and outcome.frame is not None:
                    last[_group(outcome.frame)] = outcome.solved.plate
                outcomes.append(outcome)
                done(outcome)
                progress.advance()
    progress.end()
    return outcomes


def _group(frame: Frame) -> object:
    return frame.meta.target or "", frame.meta.camera or "", frame.shape, str(frame.path.parent)


def _solve_file(path: Path, settings: SolvePlate, hints: dict[object, Plate]) -> Outcome:
    try:
        frame = open_frames(path)[0]
        image = frame.read()
    except FrameError as error:
        # A file that cannot be read is the user's to put right; a sky that is not found may be nobody's.
        return Outcome(path, error=InputError(str(error)))
    except InputError as error:
        return Outcome(path, error=error)
    shape = (image.shape[1], image.shape[2])
    previous = hints.get(_group(frame)) if not settings.blind else None
    try:
        return Outcome(path, shape, solve_plate(image, settings, previous, path), frame=frame)
    except FrameError as error:
        return Outcome(path, error=error)
