"""What is known of a session's frames besides their headers: side files, the user's words, the site, the sky."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.cards import Header
from firstlight.io.frame import Frame
from firstlight.io.side_files import SideFile, enriched, find_side_files, read_side_file
from firstlight.io.sites import Sites, read_sites, site_tables
from firstlight.io.times import start_time, time_in, zone_of
from firstlight.model.meta import Meta
from firstlight.model.observing import Observing, Site
from firstlight.ops.meta.facts import Facts
from firstlight.ops.meta.observing import observing_of, place_of

NEAR = 0.5
"""Degrees: a header and the table that differ by less mean the same site."""
DIFFERENT_AIRMASS = 0.05
"""Share by which an airmass of the header may differ from that of site, time and position."""


@dataclass(frozen=True)
class Known:
    """The frames with all that is known of them."""

    frames: tuple[Frame, ...]
    files: tuple[Path, ...] = ()
    """Side files and tables of sites that were used."""
    notes: tuple[str, ...] = ()


def key_of(frame: Frame) -> str:
    """Names a frame, of a file of many too."""
    return str(frame.path.with_name(frame.name))


def with_facts(frames: Sequence[Frame], facts: Facts, top: Path) -> Known:
    """Everything known of the frames of a session.

    Parameters
    ----------
    frames : as their headers say.
    facts : what the user says of all.
    top : folder of the session: side files are looked for up to it.

    Raises
    ------
    InputError
        A side file or a table of sites cannot be read, or there is no such site or zone.
    """
    finder = Finder(facts, top)
    known = tuple(finder.known(frame) for frame in frames)
    tables = site_tables(top) if facts.site or any(frame.meta.latitude is not None for frame in known) else []
    return Known(known, (*finder.files, *tables), tuple(finder.notes(frame.path for frame in frames)))


class Finder:
    """What is known of one frame after another; tables and side files are read once.

    Raises InputError where a table, a side file, a site or a zone of the user is not to be had.
    """

    def __init__(self, facts: Facts, top: Path) -> None:
        self._facts = facts
        self._sites = read_sites(top)
        self._site = self._sites.find(facts.site) if facts.site else None
        self._clock = zone_of(facts.clock) if facts.clock else None
        self._side = _SideFiles(facts.metadata, top)

    def known(self, frame: Frame) -> Frame:
        """The frame with all that is known of it."""
        meta = enriched(frame.meta, frame.path, frame.shape, self._side.of(frame.path))
        meta = _as_said(meta, self._facts)
        if self._clock is not None:
            meta = on_clock(meta, self._clock)
        return frame.replace(meta=located(meta, self._sites, self._site))

    @property
    def files(self) -> tuple[Path, ...]:
        """Side files that were read."""
        return self._side.read

    def notes(self, frames: Iterable[Path]) -> list[str]:
        """Names in the side files that none of the frames has."""
        return self._side.notes(frames)


class _SideFiles:
    """Side files by folder, each read once."""

    def __init__(self, named: str, top: Path) -> None:
        self._top = top.resolve()
        self._read: dict[Path, SideFile] = {}
        self._by_folder: dict[Path, list[SideFile]] = {}
        self._named: list[SideFile] = []
        if named:
            path = Path(named)
            if not path.is_file() and (top / named).is_file():
                path = top / named
            if not path.is_file():
                raise InputError(f"{named}: there is no such file of metadata; give a CSV or YAML file")
            self._named = [self._open(path)]

    def _open(self, path: Path) -> SideFile:
        if path not in self._read:
            self._read[path] = read_side_file(path)
        return self._read[path]

    def of(self, frame: Path) -> list[SideFile]:
        folder = frame.parent
        if folder not in self._by_folder:
            found = find_side_files(folder.resolve(), self._top)
            self._by_folder[folder] = [*self._named, *(self._open(path) for path in found)]
        return self._by_folder[folder]

    @property
    def read(self) -> tuple[Path, ...]:
        return tuple(self._read)

    def notes(self, frames: Iterable[Path]) -> list[str]:
        paths = list(frames)
        notes = []
        for side in self._read.values():
            if idle := side.idle(paths):
                more = f" and {len(idle) - 1} more" if len(idle) > 1 else ""
                notes.append(f"{side.path.name}: no frame is called {idle[0]}{more}")
        return notes


def _as_said(meta: Meta, facts: Facts) -> Meta:
    said = {name: getattr(facts, name) for name in ("observer", "observer_code", "telescope") if getattr(facts, name)}
    if not said:
        return meta
    return meta.replace(**said, sources={**meta.sources, **dict.fromkeys(said, "the settings")})


def on_clock(meta: Meta, clock: tzinfo) -> Meta:
    """Times of a camera whose clock ran in this zone, as UTC; those with an offset of their own stay as they are."""
    if ": " in meta.sources.get("start", ""):
        # Told by a side file, not by the camera.
        return meta
    header = Header(meta.cards)
    start, source, _ = start_time(header, meta.exposure, clock)
    if start is None or source.startswith(("MJD", "JD", "JULIAN")):
        return meta
    changes = {"start": start, "end": time_in(header, "DATE-END", clock), "middle": time_in(header, "DATE-AVG", clock)}
    changes = {name: value for name, value in changes.items() if value is not None or getattr(meta, name) is not None}
    sources = {**meta.sources, **dict.fromkeys(changes, f"{source}, on the clock of the settings")}
    notes = tuple(note for note in meta.notes if "is a local time without its offset" not in note)
    return meta.replace(**changes, sources=sources, notes=notes)


def located(meta: Meta, sites: Sites, said: Site | None = None) -> Meta:
    """With the site's place: what the user says, else the header's, else that of the site's name, else the telescope's.

    A longitude whose sign alone differs from that of the site's name in the table is counted from the other side.
    """
    if said is not None:
        return _at(meta, said, "the settings")
    by_name = sites.named(meta.site) if meta.site else None
    if meta.latitude is not None and meta.longitude is not None:
        if by_name is None:
            return meta
        same = abs(by_name.latitude - meta.latitude) < NEAR
        if same and abs(by_name.longitude + meta.longitude) < NEAR < abs(by_name.longitude - meta.longitude):
            note = (
                f"longitude {meta.longitude:g} in the header, {by_name.longitude:g} for {by_name.name} in the table of "
                "sites: taken as counted westward"
            )
            sources = {**meta.sources, "longitude": f"{meta.sources.get('longitude', 'header')}, counted westward"}
            return meta.replace(longitude=-meta.longitude, sources=sources, notes=(*meta.notes, note))
        if same and meta.elevation is None:
            sources = {**meta.sources, "elevation": "the table of sites"}
            return meta.replace(elevation=by_name.elevation, sources=sources)
        return meta
    if by_name is not None:
        return _at(meta, by_name, f"the table of sites ({meta.site})")
    by_telescope = sites.of_telescope(meta.telescope, meta.start) if meta.telescope else None
    if by_telescope is not None:
        return _at(meta, by_telescope, f"the table of telescopes ({meta.telescope})")
    return meta


def _at(meta: Meta, site: Site, source: str) -> Meta:
    fields = {"latitude": site.latitude, "longitude": site.longitude, "elevation": site.elevation}
    if not site.name[:1].isdigit() and not site.name.startswith("-"):
        fields["site"] = site.name  # type: ignore[assignment]
    return meta.replace(**fields, sources={**meta.sources, **dict.fromkeys(fields, source)})


def observe(lights: Sequence[Frame]) -> tuple[dict[str, Observing], list[str]]:
    """Circumstances of lights in the middle of their exposures, by `key_of`, and what is missing, in words."""
    found = observing_of([frame.meta for frame in lights])
    return dict(zip(map(key_of, lights), found)), missing_words(lights)


_CURES = {
    "time": "DATE-OBS in the header or a side file",
    "site": "--site, or SITELAT and SITELONG in the header or a side file",
    "position": "RA and DEC in the header or a side file",
}


def missing_words(lights: Sequence[Frame]) -> list[str]:
    """What keeps circumstances from being worked out, and what to give, one line for lights that are alike."""
    lacks: Counter[tuple[str, ...]] = Counter()
    for light in lights:
        meta = light.meta
        what = [
            word
            for word, value in (("time", meta.mid_time), ("site", place_of(meta)), ("position", meta.ra))
            if value is None
        ]
        if what:
            lacks[tuple(what)] += 1
    return [
        f"{n} light{'s' if n > 1 else ''}: airmass, altitude and the like are not worked out: "
        f"no {' and no '.join(what)}; give {'; '.join(_CURES[word] for word in what)}"
        for what, n in lacks.items()
    ]


def with_airmass(frame: Frame, there: Observing) -> Frame:
    """The frame with the airmass worked out where its header has none; one that contradicts it is noted."""
    meta = frame.meta
    if there.altitude is None:
        return frame
    if there.airmass is None:
        return _noted(frame, "the target stands below the horizon by site, time and position: one of them is wrong")
    if meta.airmass is None:
        sources = {**meta.sources, "airmass": "site, time and position"}
        return frame.replace(meta=meta.replace(airmass=round(there.airmass, 4), sources=sources))
    if abs(meta.airmass / there.airmass - 1) > DIFFERENT_AIRMASS:
        return _noted(
            frame,
            "AIRMASS in the header is not that of site, time and position: one of them is wrong (the clock's zone?)",
        )
    return frame


def _noted(frame: Frame, note: str) -> Frame:
    return frame.replace(meta=frame.meta.replace(notes=(*frame.meta.notes, note)))
