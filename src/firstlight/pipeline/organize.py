"""Sort frames into a collection: folders by night, target, filter, of links or copies; the originals stay."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from firstlight.errors import FrameError, InputError, SpecError, nearest
from firstlight.io.atomic import atomic_path
from firstlight.io.content import content_hash
from firstlight.io.dialects import FIELDS
from firstlight.io.frame import Frame
from firstlight.io.read import find_files, open_frame
from firstlight.io.side_files import FIELD_KEYWORDS
from firstlight.library.classify import classify
from firstlight.library.plans import exposure_words, slug
from firstlight.model.meta import Kind
from firstlight.ops.meta.facts import Facts
from firstlight.ops.meta.sky_at import night_of
from firstlight.pipeline.collection import LEVELS, WITHOUT_FILTER, Entry, present_entries, write_record, write_table
from firstlight.pipeline.facts import Finder
from firstlight.pipeline.progress import Progress

Link = Literal["hard", "symbolic", "copy"]
Names = Literal["canonical", "original"]


@dataclass(frozen=True)
class Sorting:
    """What sorting files would do."""

    folder: Path
    new: tuple[Entry, ...]
    there: tuple[Entry, ...] = ()
    """In the collection already."""
    twins: tuple[tuple[Path, Path], ...] = ()
    """Files with the content of another: they are not taken twice."""
    broken: tuple[tuple[Path, str], ...] = ()
    notes: tuple[str, ...] = ()


def plan_sorting(
    sources: Sequence[Path],
    folder: Path,
    *,
    by: Sequence[str] = ("night", "object", "filter"),
    names: Names = "canonical",
    link: Link = "hard",
    only: Mapping[str, str] | None = None,
    facts: Facts | None = None,
    progress: Progress | None = None,
) -> Sorting:
    """Look at files and say where each would go; nothing is written.

    Parameters
    ----------
    sources : files and folders.
    folder : the collection, new or there already.
    by : levels of folders, of `LEVELS`.
    names : ``canonical``: kind, target, filter, exposure, start and the first letters of the content's SHA-256, so that
        a file has one name wherever it comes from; ``original``: as they are, with those letters where two are alike.
    link : ``hard``, ``symbolic`` or ``copy``.
    only : take only frames whose level has this value, such as ``{"object": "M_31"}``.

    Raises
    ------
    InputError
        No such file, or a folder that holds something else.
    SpecError
        A level that there is not.
    """
    for level in (*by, *(only or {})):
        if level not in LEVELS:
            raise SpecError(f"{level!r}: frames are sorted by {', '.join(LEVELS)}{nearest(level, LEVELS)}")
    earlier = present_entries(folder)
    known = {entry.sha256: entry for entry in earlier}
    linked = {entry.source: entry for entry in earlier if entry.link != "copy"}
    seen: set[str] = set()
    taken = {entry.path for entry in earlier}
    progress = progress or Progress()
    new: list[Entry] = []
    there: list[Entry] = []
    twins: list[tuple[Path, Path]] = []
    broken: list[tuple[Path, str]] = []
    notes: list[str] = []
    nowhere = 0
    found = [(given, path) for given in sources for path in find_files(given)]
    found = [(given, path) for given, path in found if folder.resolve() not in path.resolve().parents]
    if not found:
        raise InputError(
            f"{', '.join(map(str, sources))}: no frames here; FITS, camera raw, TIFF, XISF, SER and AVI are sorted"
        )
    progress.begin("reading", len(found), "files")
    finders = {given: Finder(facts or Facts(), given if given.is_dir() else given.parent) for given in sources}
    for given, path in found:
        at = linked.get(str(path.resolve()))
        if at is not None and at.sha256 not in seen and not _is_foreign(folder / at.path, at):
            # The very file that the collection links to: what it holds need not be read again.
            seen.add(at.sha256)
            there.append(at)
            progress.advance(1)
            continue
        try:
            opened = open_frame(path)
            frame = finders[given].known(opened)
            entry = _entry(frame, opened, path)
        except FrameError as error:
            broken.append((path, str(error)))
            continue
        finally:
            progress.advance(1)
        if only and any(_plain(LEVELS[level](entry)) != _plain(slug(value)) for level, value in only.items()):
            continue
        if (other := known.get(entry.sha256)) is not None:
            if other.sha256 in seen:
                twins.append((path, Path(other.source)))
            else:
                seen.add(other.sha256)
                there.append(other)
            continue
        place = Path(*(part for level in by if (part := LEVELS[level](entry))))
        name = _name(entry, path) if names == "canonical" else path.name
        target = place / name
        if str(target) in taken or _is_foreign(folder / target, entry):
            head, dot, rest = name.partition(".")
            target = place / f"{head}_{entry.sha256[:8]}{dot}{rest}"
        if str(target) in taken or _is_foreign(folder / target, entry):
            raise InputError(
                f"{folder / target}: is there already and holds something else; take it away, or choose another folder"
            )
        nowhere += entry.night is not None and frame.meta.longitude is None
        entry = replace(entry, path=str(target), link=link)
        taken.add(entry.path)
        known[entry.sha256] = entry
        seen.add(entry.sha256)
        new.append(entry)
    progress.end()
    for given in sources:
        notes += finders[given].notes(path for at, path in found if at == given)
    undated = sum(entry.night is None for entry in new)
    if "night" in by and undated:
        notes.append(f"{undated} files tell no time: they are under 'undated'")
    if "night" in by and nowhere:
        notes.append(
            f"{nowhere} files do not say where they were taken: their nights are cut at noon in Greenwich; give --site"
        )
    return Sorting(folder, tuple(new), tuple(there), tuple(twins), tuple(broken), tuple(notes))


def _plain(text: str) -> str:
    return text.casefold().replace("_", "").replace("-", "")


def _entry(frame: Frame, opened: Frame, path: Path) -> Entry:
    sighting = classify(frame)
    meta = sighting.frame.meta
    return Entry(
        source=str(path.resolve()),
        sha256=content_hash(path),
        kind=sighting.kind.value,
        target=meta.target,
        filter=meta.filter,
        exposure=meta.exposure,
        night=night_of(meta.mid_time, meta.longitude) if meta.mid_time else None,
        start=meta.start.isoformat() if meta.start else None,
        camera=meta.camera,
        telescope=meta.telescope,
        site=meta.site,
        observer=meta.observer,
        beside=_beside(frame, opened),
    )


def _beside(frame: Frame, opened: Frame) -> dict[str, Any]:
    """What is known of a frame only by name, folder, side files or options: the new place must tell it again."""
    meta, said = frame.meta, {}
    keywords = {keyword for keyword, _, _ in meta.cards}
    for name, source in meta.sources.items():
        if source.startswith(("bit depth", "the table", "a light of", "site, time")):
            continue
        first = source.split()[0].strip(",")
        if first in keywords and ": " not in source:
            continue
        keyword = FIELD_KEYWORDS.get(name) or (FIELDS[name][0].keyword if name in FIELDS else "")
        if not keyword:
            continue
        value = getattr(meta, name)
        text = "x".join(map(str, value)) if isinstance(value, tuple) else _text(value)
        wins = any(rule.keyword in keywords for rule in FIELDS.get(name, ()))
        said[keyword + ("!" if wins else "")] = text
    before = set(opened.meta.cards)
    return said | {card[0]: card[1] for card in meta.cards if card not in before}


def _text(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(getattr(value, "value", value)) if not isinstance(value, float) else value


def _name(entry: Entry, path: Path) -> str:
    parts = ["light" if entry.kind == Kind.UNKNOWN else entry.kind.replace(" ", "")]
    if entry.is_light:
        parts.append(slug(entry.target) or "unnamed")
    if Kind(entry.kind) not in WITHOUT_FILTER:
        parts.append(slug(entry.filter) or "nofilter")
    parts.append(exposure_words(entry.exposure))
    if entry.start:
        parts.append(entry.start[:19].replace("-", "").replace(":", ""))
    return "_".join([*parts, entry.sha256[:8]]) + _ending(path.name)


def _ending(name: str) -> str:
    """The ending of a name with that of its packing: ``.fits.fz``; never a number of a series."""
    first, last = Path(name).suffix, Path(Path(name).stem).suffix
    both = last.lower() in (".fits", ".fit", ".fts") and first.lower() in (".fz", ".gz", ".bz2", ".xz", ".z")
    return (last if both else "") + first


def _is_foreign(path: Path, entry: Entry) -> bool:
    """Whether something else is there."""
    if not path.exists() and not path.is_symlink():
        return False
    try:
        return not os.path.samefile(path, entry.source)
    except OSError:
        return True


def carry_out(sorting: Sorting, progress: Progress | None = None) -> None:
    """Make the links or copies; each is recorded, so that `firstlight clear` knows what is whose.

    Raises
    ------
    InputError
        Hard links across disks, or a folder that cannot be written to; what was made until then is recorded.
    """
    progress = progress or Progress()
    entries = present_entries(sorting.folder)
    progress.begin("sorting", len(sorting.new), "files")
    try:
        for entry in sorting.new:
            _make(entry, sorting.folder / entry.path)
            entries.append(entry)
            progress.advance(1)
    finally:
        if entries:
            write_table(sorting.folder, entries)
            write_record(sorting.folder, entries)
        progress.end()


def _make(entry: Entry, target: Path) -> None:
    source = Path(entry.source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            return
        if entry.link == "symbolic":
            target.symlink_to(source)
        elif entry.link == "hard":
            os.link(source, target)
        else:
            with atomic_path(target) as temporary:
                shutil.copy2(source, temporary)
    except OSError as error:
        if error.errno == errno.EXDEV or (entry.link == "hard" and error.errno in (errno.EPERM, errno.ENOTSUP)):
            raise InputError(
                f"{target}: no hard link to {source} can be made (another disk, or one without links); give --link "
                "symbolic or --link copy"
            ) from error
        raise InputError(f"{target}: cannot be made: {error.strerror}; choose another folder") from error
