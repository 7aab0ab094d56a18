"""Which frames of a session are poor, why, and which are kept: `firstlight quality`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from firstlight.errors import FrameError, InputError
from firstlight.io.read import read
from firstlight.io.star_tables import Column, write_columns
from firstlight.model.observing import Observing
from firstlight.ops.align.match import MatchStars, match_stars
from firstlight.ops.inspect.faults import Fault, Faults, find_faults
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.meta.observing import observing_of
from firstlight.ops.stack.choice import (
    SELECT_BY,
    BestBy,
    check_percent,
    not_among_best,
    not_chosen_by,
    score_of,
)
from firstlight.ops.stack.formula import check_formula
from firstlight.pipeline.crew import crew_of
from firstlight.pipeline.executors import ordered, thread_count, thread_pool
from firstlight.pipeline.graph import Graph
from firstlight.pipeline.plan import plan
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.seen import Seen, facts_of, seen_of_image, seen_of_light
from firstlight.pipeline.session import Session
from firstlight.pipeline.settings import Settings
from firstlight.pipeline.star_files import check_linear, files_of
from firstlight.units import Percent

FEWEST = 5
"""Frames of a group that can be judged by their own median."""
MORE_NUMBERS = {
    "transparency": "light of the stars against the best frames of the group",
    "elongation": "share of the stars' elongation that points one way",
    "angle": "that way, degrees",
    "short_fwhm": "width along the short axis, px",
    "halo": "share of the stars' light beyond 1.5 FWHM",
    "streaks": "satellites and aeroplanes",
    "score": "many stars, sharp and round; the best frame has 1",
    "sun_altitude": "degrees",
    "moon_altitude": "degrees",
    "moon_distance": "from the target, degrees",
}
NAMES = {**SELECT_BY, **MORE_NUMBERS}
"""Numbers of a frame that a formula may name."""
ASIDE = ("clouds", "dew", "wind", "focus", "bright_sky", "few_stars", "unmatched")
"""Faults for which a frame is set aside; streaks are left to the rejection of the stack."""


class QualitySettings(Faults):
    """Settings of `firstlight quality`."""

    best: Annotated[Percent, Field(gt=0, le=100)] = 100.0
    """Of each target and filter only this share of the frames is kept, the best: 70 keeps 70 %."""
    best_by: BestBy = "score"
    """What is best: ``score`` (many stars, sharp and round), or one number: ``fwhm hfr eccentricity background noise``
    (the least), ``stars snr`` (the most)."""
    where: str = ""
    """Only frames for which this is true are kept: ``fwhm < 1.3*median(fwhm) and stars > 0.6*median(stars)``."""
    streaks: bool = True
    """Look for satellites and aeroplanes."""
    keep_faulty: bool = False
    """Name faults, but set no frame aside for them: only ``best`` and ``where`` do."""
    calibrate: bool = True
    """Calibrate the frames of a session folder first, as `process` does."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker threads; 0: one per core."""

    @field_validator("best")
    @classmethod
    def _is_percent(cls, value: float) -> float:
        return check_percent(value)

    @field_validator("where")
    @classmethod
    def _is_formula(cls, text: str) -> str:
        if text:
            check_formula(text, NAMES)
        return text


@dataclass(eq=False)
class Judged:
    """One frame and the verdict."""

    seen: Seen
    group: str
    numbers: dict[str, float]
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    """Why it is set aside; empty: it is kept."""


@dataclass(eq=False)
class QualityResult:
    """All frames, by group and time."""

    frames: list[Judged]
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def judge_session(
    given: Sequence[Path], settings: QualitySettings | None = None, *, output: Path | None = None,
    progress: Progress | None = None,
) -> QualityResult:  # fmt: skip
    """Measure frames and judge each by those of its target, filter, exposure and gain.

    Parameters
    ----------
    given : a session folder (its lights are calibrated with its own masters or the library's), or files, or folders of
        images that are taken as they are.
    output : where masters of a session go; default ``SESSION/firstlight``.

    Raises
    ------
    InputError
        There is nothing to measure.
    """
    settings = settings or QualitySettings()
    clock = Clock(progress or Progress())
    result = QualityResult([])
    if len(given) == 1 and given[0].is_dir() and settings.calibrate:
        seen = _session(given[0], settings, output, clock, result)
    else:
        seen = _files(files_of(given), settings, clock, result)
    if not seen and not result.unreadable:
        raise InputError(f"{given[0]}: no lights in it; frames of stars are judged")
    with clock.stage("judge"):
        for name, members in _groups(seen).items():
            result.frames += _judged(name, members, settings, result.notes)
    return result


def _session(
    folder: Path, settings: QualitySettings, output: Path | None, clock: Clock, result: QualityResult
) -> list[Seen]:
    wanted = Settings(threads=settings.threads)
    with clock.stage("plan"):
        todo = plan(folder, wanted, output=output, progress=clock.progress)
    if not todo.groups:
        raise InputError(f"{folder}: no lights in it; frames of stars are judged")
    todo.output.mkdir(parents=True, exist_ok=True)
    with (
        Graph(todo.output, waiting=clock.progress.say) as graph,
        crew_of(wanted, todo.output) as (executor, workers, scratch),
    ):
        run = Session(todo, graph, clock, executor, workers, 2**31, scratch)
        run.masters()
        lights = run.measure()
        found = []
        with clock.stage("shapes", len(lights), "lights") as stage:
            for seen in ordered(
                executor, lambda light: seen_of_light(light, streaks=settings.streaks), lights.values(), workers + 1
            ):
                found.append(seen)
                stage.advance()
    result.unreadable.update({Path(path).name: why for path, why in run.set_aside.items()})
    result.notes += run.plan.notes
    return found


def _files(paths: Sequence[Path], settings: QualitySettings, clock: Clock, result: QualityResult) -> list[Seen]:
    def look(path: Path) -> Seen | tuple[Path, str]:
        try:
            image = read(path)
            check_linear(path, image)
            return seen_of_image(path, image, FindStars(max_stars=600), streaks=settings.streaks)
        except FrameError as error:
            return path, str(error)

    found = []
    with (
        thread_pool(settings.threads) as executor,
        clock.stage("measure", len(paths), "frames") as stage,
    ):
        for seen in _in_order(executor, look, paths, thread_count(settings.threads)):
            if isinstance(seen, Seen):
                found.append(seen)
            else:
                result.unreadable[seen[0].name] = seen[1]
            stage.advance()
    return found


def _in_order(executor: Executor, work: Any, items: Iterable[Any], workers: int) -> Iterable[Any]:
    return ordered(executor, work, items, workers + 1)


def _groups(seen: Sequence[Seen]) -> dict[str, list[Seen]]:
    groups: dict[str, list[Seen]] = {}
    for each in sorted(seen, key=lambda s: (s.meta.start.timestamp() if s.meta.start else 0.0, s.name)):
        meta = each.meta
        words = [meta.target or "no target", meta.filter or "no filter"]
        words += [f"{meta.exposure:g} s"] if meta.exposure is not None else []
        words += [f"gain {meta.gain_setting:g}"] if meta.gain_setting is not None else []
        groups.setdefault(", ".join(words), []).append(each)
    return groups


def _judged(name: str, seen: list[Seen], settings: QualitySettings, notes: list[str]) -> list[Judged]:
    sky = observing_of([each.meta for each in seen])
    transparency = transparencies(seen)
    rows = [_numbers(each, share, there) for each, share, there in zip(seen, transparency, sky)]
    metrics = {key: np.array([row[key] for row in rows], float) for key in NAMES if key != "score"}
    score = score_of(metrics)
    metrics["score"] = score / max(float(score.max()), 1e-9)
    frames = [Judged(each, name, {key: float(metrics[key][i]) for key in NAMES}) for i, each in enumerate(seen)]
    if len(seen) >= FEWEST:
        for frame, faults in zip(frames, find_faults(metrics, [each.lines for each in seen], settings)):
            frame.faults = faults
    else:
        notes.append(f"{name}: {len(seen)} of {FEWEST} frames that are needed to tell poor ones by their own median")
    for frame, share in zip(frames, transparency):
        if np.isnan(share) and len(seen) >= FEWEST and not frame.faults:
            frame.faults = (Fault("unmatched", "its stars are not those of the other frames"),)
        if not settings.keep_faulty:
            frame.reason = "; ".join(f"{f.kind}: {f.evidence}" for f in frame.faults if f.kind in ASIDE)
    if settings.where:
        for frame, why in zip(frames, not_chosen_by(settings.where, metrics)):
            frame.reason = frame.reason or why
    left = np.array([not frame.reason for frame in frames])
    for frame, why in zip(frames, not_among_best(metrics, settings.best, settings.best_by, left)):
        frame.reason = frame.reason or why
    return frames


def _numbers(seen: Seen, transparency: float, there: Observing) -> dict[str, float]:
    numbers = seen.numbers()
    numbers["transparency"] = transparency
    numbers["sun_altitude"] = there.sun_altitude
    numbers["moon_altitude"] = there.moon_altitude
    numbers["moon_distance"] = there.moon_distance
    if numbers["airmass"] is None:
        numbers["airmass"] = there.airmass
    return {name: float("nan") if value is None else float(value) for name, value in numbers.items()}


def transparencies(seen: Sequence[Seen]) -> np.ndarray:
    """Light of the stars that each frame shares with the best one, per second, against the upper quarter of frames.

    NaN where a frame's stars are not found again; 1 for all where the frames show no stars.
    """
    if not seen:
        return np.empty(0)
    metrics = {k: np.array([s.numbers()[k] for s in seen], float) for k in ("stars", "fwhm", "eccentricity")}
    order = np.argsort(-score_of(metrics), kind="stable")
    best = np.full(len(seen), np.nan)
    for k in order[:3]:
        shares = np.array([_share_of(each, seen[k]) for each in seen])
        if np.isfinite(shares).sum() > np.isfinite(best).sum():
            best = shares
        if np.isfinite(best).all():
            break
    finite = best[np.isfinite(best)]
    return best / np.percentile(finite, 75) if len(finite) else best


def _share_of(seen: Seen, reference: Seen) -> float:
    """Median ratio of the fluxes of shared stars, each per second."""
    seconds = (reference.meta.exposure or 1.0) / (seen.meta.exposure or 1.0)
    if seen is reference:
        return 1.0
    try:
        found = match_stars(seen.stars, reference.stars, MatchStars())
    except FrameError:
        return float("nan")
    from scipy.spatial import cKDTree

    mine = found.transform(seen.stars.positions)
    distance, index = cKDTree(reference.stars.positions).query(mine, distance_upper_bound=2.0)
    both = np.isfinite(distance)
    both[both] &= (seen.stars.saturated[both] == 0) & (reference.stars.saturated[index[both]] == 0)
    both[both] &= reference.stars.snr[index[both]] > 15
    if both.sum() < 5:
        return float("nan")
    return float(np.median(seen.stars.flux[both] / reference.stars.flux[index[both]]) * seconds)


def write_quality(result: QualityResult, output: Path) -> list[Path]:
    """``quality.csv``, ``.ecsv`` (all numbers and reasons) and the lists ``kept.txt``, ``set_aside.txt``."""
    from firstlight.io.atomic import atomic_path

    frames = result.frames
    facts = [facts_of(f.seen.meta) for f in frames]
    texts = {
        "file": [f.seen.name for f in frames],
        "group": [f.group for f in frames],
        "kept": np.array([not f.reason for f in frames], bool),
        "faults": [" ".join(dict.fromkeys(fault.kind for fault in f.faults)) for f in frames],
        "reason": [f.reason for f in frames],
        "evidence": ["; ".join(f"{fault.kind}: {fault.evidence}" for fault in f.faults) for f in frames],
        "start": [fact["start"] or "" for fact in facts],
    }
    columns = [Column(name, values) for name, values in texts.items()]
    for name, about in NAMES.items():
        columns.append(Column(name, np.array([f.numbers[name] for f in frames], float), about=about, digits=4))
    output.mkdir(parents=True, exist_ok=True)
    files = [write_columns(output / f"quality.{kind}", columns) for kind in ("csv", "ecsv")]
    for name, wanted in (("kept.txt", True), ("set_aside.txt", False)):
        with atomic_path(output / name) as temporary:
            lines = [str(f.seen.path) for f in frames if (not f.reason) == wanted]
            temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        files.append(output / name)
    return files
