"""What a collection holds: its record ``collection.json``, and ``metadata.csv`` of what the headers do not tell."""

from __future__ import annotations

import csv
import glob
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.content import content_hash
from firstlight.library.plans import exposure_words, slug
from firstlight.model.meta import Kind

RECORD = "collection.json"
TABLE = "metadata.csv"
FORMAT = 1
PLURAL = {Kind.BIAS: "bias", Kind.DARK: "darks", Kind.FLAT: "flats", Kind.DARK_FLAT: "darkflats"}
WITHOUT_FILTER = (Kind.BIAS, Kind.DARK, Kind.DARK_FLAT, Kind.MASTER_BIAS, Kind.MASTER_DARK)


def _object(entry: Entry) -> str:
    return slug(entry.target) or "unnamed" if entry.is_light else _kind(entry)


def _kind(entry: Entry) -> str:
    return PLURAL.get(Kind(entry.kind), "lights" if entry.is_light else slug(entry.kind.replace(" ", "")))


LEVELS: dict[str, Any] = {
    "night": lambda e: e.night or "undated",
    "object": _object,
    "kind": _kind,
    "filter": lambda e: "" if Kind(e.kind) in WITHOUT_FILTER else slug(e.filter) or "nofilter",
    "exposure": lambda e: exposure_words(e.exposure),
    "camera": lambda e: slug(e.camera) or "nocamera",
    "telescope": lambda e: slug(e.telescope) or "notelescope",
    "site": lambda e: slug(e.site) or "nosite",
    "observer": lambda e: slug(e.observer) or "noobserver",
}
"""What frames can be sorted by: the name of the folder of each; an empty name makes none."""


@dataclass(frozen=True)
class Entry:
    """One file of a collection: what it shows, where it came from and where it lies."""

    source: str
    sha256: str
    kind: str
    target: str | None = None
    filter: str | None = None
    exposure: float | None = None
    night: str | None = None
    start: str | None = None
    camera: str | None = None
    telescope: str | None = None
    site: str | None = None
    observer: str | None = None
    path: str = ""
    """Below the collection's folder."""
    link: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Keywords that its header lacks, or says otherwise (with a !): from its name, side files, options."""

    @property
    def is_light(self) -> bool:
        return self.kind in (Kind.LIGHT, Kind.UNKNOWN, Kind.STACK)


def read_record(folder: Path) -> list[Entry]:
    """What a collection holds by its own record; empty where there is none.

    Raises
    ------
    InputError
        The record cannot be read, or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder for the collection")
    path = folder / RECORD
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [Entry(**entry) for entry in content["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); take it away, and sort the files again") from None


def present_entries(folder: Path) -> list[Entry]:
    """Entries whose file still lies in the collection."""
    return [entry for entry in read_record(folder) if os.path.lexists(folder / entry.path)]


def write_record(folder: Path, entries: Sequence[Entry]) -> None:
    content = {
        "format": FORMAT,
        "program": "firstlight",
        "objects": sorted({e.target for e in entries if e.target and e.is_light}),
        "filters": sorted({e.filter for e in entries if e.filter}),
        "exposures_ms": sorted({round(1000 * e.exposure) for e in entries if e.exposure is not None}),
        "nights": sorted({e.night for e in entries if e.night}),
        "table": content_hash(folder / TABLE) if (folder / TABLE).exists() else "",
        "files": [asdict(entry) for entry in entries],
    }
    with atomic_path(folder / RECORD) as temporary:
        Path(temporary).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_table(folder: Path, entries: Sequence[Entry]) -> None:
    """``metadata.csv`` of the collection; lines that are there, perhaps edited, stay."""
    path = folder / TABLE
    rows = {_as_pattern(entry.path): dict(entry.beside) for entry in entries if entry.beside}
    if path.exists():
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                name = row.pop("NAME", None) or ""
                rows[name] = {key: value for key, value in row.items() if key and value}
    if not rows:
        return
    columns = sorted({key for row in rows.values() for key in row})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["NAME", *columns])
    writer.writerows([name, *(row.get(column, "") for column in columns)] for name, row in sorted(rows.items()))
    with atomic_path(path) as temporary:
        Path(temporary).write_text(buffer.getvalue(), encoding="utf-8")


def _as_pattern(path: str) -> str:
    """Names in the table may hold * and ?: brackets of a name must not be taken for such."""
    head, tail = os.path.split(path)
    return os.path.join(head, glob.escape(tail))


def summary_rows(entries: Sequence[Entry]) -> Iterator[tuple[str, str, str, str, str]]:
    """Night, object, filter, number of files and hours of light: how complete a collection is."""
    counts: Counter[tuple[str, str, str]] = Counter()
    seconds: Counter[tuple[str, str, str]] = Counter()
    for entry in entries:
        key = (entry.night or "undated", _object(entry), LEVELS["filter"](entry))
        counts[key] += 1
        seconds[key] += entry.exposure or 0.0 if entry.is_light else 0.0
    for key in sorted(counts):
        total = f"{seconds[key] / 3600:.2f} h" if seconds[key] >= 3600 else f"{seconds[key] / 60:.1f} min"
        yield (*key, str(counts[key]), total if seconds[key] else "")
