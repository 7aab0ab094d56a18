"""What a run would do: every frame's kind, every master, every light's calibration and why, what is missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from firstlight.errors import FrameError, InputError, nearest
from firstlight.io.copies import without_copies
from firstlight.io.frame import Frame
from firstlight.io.index import Index
from firstlight.io.read import find_files, open_frames
from firstlight.library.assign import plan_calibrations
from firstlight.library.classify import Sighting, classify
from firstlight.library.greens import pattern_notes
from firstlight.library.match import same_exposure, same_gain
from firstlight.library.plans import Assignment, Calibrations, exposure_words, slug
from firstlight.model.meta import Kind
from firstlight.model.observing import Observing
from firstlight.pipeline.at_hand import masters_at_hand, needed_masters
from firstlight.pipeline.clean import check_named, noise_of
from firstlight.pipeline.facts import key_of, observe, with_airmass, with_facts
from firstlight.pipeline.grouping import cut
from firstlight.pipeline.output_folder import outside
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.register import is_named
from firstlight.pipeline.room import MAPS_PER_PIXEL, PER_PIXEL, PICTURES_PER_PIXEL, n_pixels, scratch_bytes
from firstlight.pipeline.settings import Mix, Settings
from firstlight.pipeline.weigh import check_weighing

INDEX = "index.sqlite"
OUTPUT = "firstlight"
"""Folder for the products inside a session."""


@dataclass(frozen=True)
class Group:
    """Lights that make one stack."""

    target: str
    filter: str | None
    exposure: float | None
    assignments: tuple[Assignment, ...]
    name: str = ""
    part_of: str = ""
    """Of one of many stacks: the name of the whole group."""

    @property
    def like(self) -> Frame:
        return self.assignments[0].light


@dataclass(frozen=True)
class Plan:
    """All that is decided before the first pixel is read."""

    session: Path
    output: Path
    settings: Settings
    sightings: tuple[Sighting, ...]
    calibrations: Calibrations
    groups: tuple[Group, ...]
    broken: tuple[tuple[Path, str], ...]
    notes: tuple[str, ...]
    libraries: tuple[Path, ...] = ()
    """Folders whose masters were at hand."""
    side_files: tuple[Path, ...] = ()
    """Metadata and tables of sites that were read besides the frames."""
    observing: Mapping[str, Observing] = field(default_factory=dict)
    """Circumstances in the middle of each light, by `firstlight.pipeline.facts.key_of`."""
    noise: tuple[str, ...] = ()
    """Where the gain and the read noise of the lights come from, in sentences."""

    def counts(self) -> Counter[str]:
        return Counter(sighting.kind.value for sighting in self.sightings)

    @property
    def disk_bytes(self) -> int:
        """What the products will take on disk."""
        total = 0
        for master in needed_masters(self):
            total += 0 if master.shared else 10 * n_pixels(master.like)
        for group in self.groups:
            channels = 3 if group.like.meta.cfa else 1
            drizzle, output = self.settings.drizzle, self.settings.output
            enlarged = max(drizzle.scale, 1.0) ** 2
            each = PER_PIXEL + PICTURES_PER_PIXEL * output.pictures + MAPS_PER_PIXEL * output.rejection_maps
            if drizzle.scale and drizzle.context:
                each += 4 * -(-len(group.assignments) // 32)
            total += int(each * channels * n_pixels(group.like) * enlarged) * n_stacks(group, self.settings)
        return total

    @property
    def scratch_bytes(self) -> int:
        """What decoded copies of compressed frames take until the run ends: all lights, and the frames of a master."""
        lights = scratch_bytes(a.light for group in self.groups for a in group.assignments)
        return lights + max((scratch_bytes(master.frames) for master in needed_masters(self)), default=0)

    @property
    def memory_bytes(self) -> int:
        """What the largest drizzled stack takes in memory, besides what follows the budget; 0 without drizzle."""
        drizzle = self.settings.drizzle
        if not drizzle.scale:
            return 0
        sizes = [
            drizzle.bytes_needed((3 if g.like.meta.cfa else 1) * n_pixels(g.like), len(g.assignments))
            for g in self.groups
        ]
        return max(sizes, default=0)


def n_stacks(group: Group, settings: Settings) -> int:
    """Stacks that a group will become, if every light is good."""
    if not settings.output.stacks:
        return 0
    starts = sorted(a.light.meta.start for a in group.assignments if a.light.meta.start is not None)
    return len(cut(starts, settings.group)) if settings.group.wanted else 1


def plan(
    session: str | Path,
    settings: Settings | None = None,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
    only: Collection[Path] | None = None,
) -> Plan:
    """Plan a session without writing anything but the index of headers.

    Parameters
    ----------
    session : path
        A folder of raw frames (with any sub-folders), or one file.
    settings : Settings, optional
    output : path, optional
        Where the products will go; default ``session/firstlight``.
    only : paths, optional
        Files of the session to take; others are not looked at.

    Raises
    ------
    InputError
        There is no such folder, or no readable frame in it.
    """
    settings = settings or Settings()
    progress = progress or Progress()
    session = Path(session)
    if not session.exists():
        raise InputError(f"{session}: no such file or folder; give a folder of raw frames")
    # What is recorded of a run must not depend on where its user stood.
    session = Path(os.path.abspath(session))
    root = session if session.is_dir() else session.parent
    target = Path(output) if output is not None else root / OUTPUT
    files = find_files(session) if session.is_dir() else [session]
    files = outside(files, target)
    if only is not None:
        wanted = {path.resolve() for path in only}
        files = [f for f in files if f.resolve() in wanted]
    if not files:
        raise InputError(
            f"{session}: no image files in it; FITS, camera raw, TIFF, PNG, JPEG, XISF, SER and AVI are read"
        )
    progress.begin("reading headers", len(files), "files")
    frames, broken = _open(files, target, progress)
    progress.end()
    frames, copies = without_copies(frames)
    broken += copies
    known = with_facts(frames, settings, root)
    sightings, notes = [], []
    for frame in map(_by_itself, known.frames):
        try:
            sightings.append(classify(frame))
        except FrameError as error:
            broken.append((frame.path, str(error)))
    lights = [s.frame for s in sightings if s.kind == Kind.LIGHT]
    observing, missing = observe(lights)
    sightings = [
        replace(s, frame=with_airmass(s.frame, observing[key_of(s.frame)])) if s.kind == Kind.LIGHT else s
        for s in sightings
    ]
    unknown = [s.frame for s in sightings if s.how.startswith("nothing says")]
    if unknown:
        notes.append(f"{_some(unknown)}: nothing says what kind of frame it is; taken as light")
    nameless = [s.frame for s in sightings if s.kind == Kind.LIGHT and s.frame.meta.target is None]
    if nameless:
        notes.append(f"{_some(nameless)}: no OBJECT in the header; the session's name stands for the target")
    odd: dict[str, list[Frame]] = {}
    for sighting in sightings:
        if "against" in sighting.how or "although" in sighting.how:
            odd.setdefault(f"taken as {sighting.kind} by {sighting.how}", []).append(sighting.frame)
    notes += [f"{_some(group)}: {words}" for words, group in odd.items()]
    notes += pattern_notes(lights)
    shelf, libraries, remarks = masters_at_hand(settings.library, target / "masters", {str(f) for f in files})
    notes += remarks
    calibrations = plan_calibrations(sightings, settings.calibrate.rules, shelf)
    noise = noise_of(calibrations.assignments, settings.calibrate)
    check_named(settings.calibrate.bad_pixels, calibrations.assignments)
    mosaic = settings.registration.framing == "mosaic"
    groups = group_lights(calibrations.assignments, root.resolve().name, settings.first, settings.mix, mosaic)
    lights = [a.light for group in groups for a in group.assignments]
    settings = settings.model_copy(update={"normalize": check_weighing(settings.normalize, lights, root)})
    _check_reference(settings.registration.reference, lights)
    notes += [*_notes([s.frame for s in sightings]), *known.notes, *missing]
    return Plan(
        session, target, settings, tuple(sightings), calibrations, groups, tuple(broken), tuple(notes), libraries,
        known.files, observing, noise,
    )  # fmt: skip


def _by_itself(frame: Frame) -> Frame:
    """The exposure of a series under a path of its own: what is known of lights is kept by their paths."""
    return frame if frame.number is None else frame.replace(path=frame.path.with_name(frame.name), number=None)


def _open(files: Sequence[Path], target: Path, progress: Progress) -> tuple[list[Frame], list[tuple[Path, str]]]:
    """Open all frames, through the index of the run folder where there is one: a plan alone writes nothing."""
    if target.exists() and os.access(target, os.W_OK):
        return Index(target / INDEX).open_all(files, progress=lambda done, total: progress.advance(1))
    frames: list[Frame] = []
    broken: list[tuple[Path, str]] = []
    for path in files:
        try:
            frames += open_frames(path)
        except FrameError as error:
            broken.append((path, str(error)))
        progress.advance(1)
    return frames, broken


def _check_reference(name: str, lights: Sequence[Frame]) -> None:
    names = [light.path.name for light in lights]
    if name and not any(is_named(light, name) for light in lights):
        raise InputError(f"reference {name!r}: no light of this name{nearest(name, names) or '; give its file name'}")


def group_lights(
    assignments: Iterable[Assignment], session_name: str, first: int = 0, mix: Mix = "nothing", mosaic: bool = False
) -> tuple[Group, ...]:
    """Lights by target, filter, exposure, gain and geometry; nothing is mixed but what ``mix`` says.

    Frames in order of time, then name. Of a ``mosaic``, panels of one target make one group.
    """
    groups: list[list[Assignment]] = []
    for assignment in sorted(assignments, key=_when):
        for group in groups:
            if _together(group[0].light, assignment.light, mix, mosaic):
                group.append(assignment)
                break
        else:
            groups.append([assignment])
    named: list[Group] = []
    taken: Counter[str] = Counter()
    groups.sort(key=lambda g: (slug(g[0].light.meta.target), g[0].light.meta.filter or "", -len(g)))
    plain = [_plain_name([a.light for a in group], session_name, mosaic) for group in groups]
    for group, name in zip(groups, plain):
        meta = group[0].light.meta
        target = _target(meta.target or session_name, mosaic)
        exposure, _ = _exposure_of([a.light for a in group])
        gains = {g[0].light.meta.gain_setting for g, other in zip(groups, plain) if other == name}
        if len(gains) > 1:
            name += "_nogain" if meta.gain_setting is None else f"_gain{meta.gain_setting:g}"
        taken[name] += 1
        if taken[name] > 1:
            _, height, width = group[0].light.shape
            name += f"_{width}x{height}"
            taken[name] += 1
            if taken[name] > 1:
                name += f"_{taken[name]}"
        kept = group[:first] if first else group
        named.append(Group(target, meta.filter, exposure, tuple(kept), name))
    return tuple(named)


def _target(name: str, mosaic: bool) -> str:
    from firstlight.model.target import without_panel

    return without_panel(name) if mosaic else name


def _plain_name(lights: Sequence[Frame], session_name: str, mosaic: bool) -> str:
    meta = lights[0].meta
    parts = (
        slug(_target(meta.target or session_name, mosaic)) or "target",
        slug(meta.filter) or "nofilter",
        _exposure_of(lights)[1],
    )
    return "_".join(parts)


def _exposure_of(lights: Sequence[Frame]) -> tuple[float | None, str]:
    """The exposure that the lights share, and its words; of several, None and the range: ``30-180s``."""
    exposures = [light.meta.exposure for light in lights]
    if all(same_exposure(exposures[0], each) for each in exposures):
        return exposures[0], exposure_words(exposures[0])
    low, high = min(e or 0.0 for e in exposures), max(e or 0.0 for e in exposures)
    return None, f"{low:.6g}-{exposure_words(high)}"


def _when(assignment: Assignment) -> tuple[float, str]:
    start = assignment.light.meta.start
    return (start.timestamp() if start else 0.0, str(assignment.light.path))


def _together(a: Frame, b: Frame, mix: Mix, mosaic: bool) -> bool:
    return (
        a.shape == b.shape
        and a.meta.cfa == b.meta.cfa
        and a.meta.binning == b.meta.binning
        and _target(a.meta.target or "", mosaic).casefold() == _target(b.meta.target or "", mosaic).casefold()
        and (a.meta.filter or "").casefold() == (b.meta.filter or "").casefold()
        and (a.meta.camera or "") == (b.meta.camera or "")
        and (mix in ("exposure", "both") or same_exposure(a.meta.exposure, b.meta.exposure))
        and (mix in ("gain", "both") or same_gain(a, b))
    )


def _notes(frames: Sequence[Frame]) -> list[str]:
    """What was odd in the files, each kind of remark once."""
    by_text: dict[str, list[Frame]] = {}
    for frame in frames:
        for note in frame.meta.notes:
            by_text.setdefault(note.replace(f"file name '{frame.path.name}'", "the file's name"), []).append(frame)
    return [f"{_some(group)}: {text}" for text, group in by_text.items()]


def _some(frames: Sequence[Frame]) -> str:
    first = frames[0].path.name
    return first if len(frames) == 1 else f"{first} and {len(frames) - 1} more"
