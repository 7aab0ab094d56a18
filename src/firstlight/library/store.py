"""The calibration library on disk: a folder of masters, each a file that tells all of itself.

Nothing else is kept: the index can be made again from the files, and a build that is killed leaves whole masters or
none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError, InputError, nearest
from firstlight.io.atomic import atomic_path
from firstlight.io.checksum import verify_file
from firstlight.io.content import fresh_hash, known_hash
from firstlight.io.frame import Frame
from firstlight.io.lock import only_one
from firstlight.io.master_index import MasterIndex
from firstlight.io.places import user_folder
from firstlight.io.read import find_files
from firstlight.library.assign import MASTER_KINDS
from firstlight.library.plans import MasterPlan, slug
from firstlight.model.meta import Kind

ENVIRONMENT = "FIRSTLIGHT_LIBRARY"
INDEX = "library.sqlite"
SOURCES = "sources.json"
LOCK = ".lock"
REFUSED = "refused"
INTERPOLATED = "interpolated"


def default_folder() -> Path:
    """The user's own library: ``FIRSTLIGHT_LIBRARY``, else ``library`` in the user's folder."""
    given = os.environ.get(ENVIRONMENT)
    return Path(given).expanduser() if given else user_folder() / "library"


@dataclass(frozen=True, eq=False)
class Entry:
    """One master of a library."""

    frame: Frame
    record: dict[str, Any]
    """Its provenance; empty for a master of another program."""

    @property
    def name(self) -> str:
        """File name without suffix."""
        return self.frame.path.name.rsplit(".", 1)[0]

    @property
    def kind(self) -> Kind:
        """Bias, dark or flat."""
        return MASTER_KINDS[self.frame.meta.kind]

    @property
    def n_frames(self) -> int:
        return self.frame.meta.n_combined

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """What it was made of, by the identity of each frame."""
        given = self.record.get("inputs", [])
        return {i["id"]: i for i in given if isinstance(i, dict) and "id" in i}

    @property
    def refused(self) -> str:
        """Why it must not be used; empty where it may."""
        return str(self.record.get(REFUSED) or "")

    @property
    def usable(self) -> bool:
        """Whether lights may get it: it was not refused, and it was measured, not interpolated."""
        return not self.refused and not self.record.get(INTERPOLATED)

    @property
    def facts(self) -> dict[str, float]:
        """Level, noise, hot and cold pixels."""
        return dict(self.record.get("facts", {}))


class Library:
    """A folder of masters.

    Every look at it takes the files as they are; the index only makes that quick. One process writes at a time.
    """

    def __init__(self, path: Path, index: Path | None = None) -> None:
        self.path = Path(path)
        self.index = index or self.path / INDEX
        self.damaged: list[tuple[Path, str]] = []
        """Files that the last look found unusable, and why."""
        self.known: list[Entry] = []
        """Masters that the last look found."""

    def entries(self) -> list[Entry]:
        """All masters, by kind and name; damaged files and frames that are no masters come to `damaged`."""
        self.damaged = []
        self.known = []
        if not self.path.is_dir():
            return []
        for shelved in MasterIndex(self.index).look(find_files(self.path)):
            if shelved.frame is None:
                self.damaged.append((shelved.path, shelved.damage))
            elif shelved.frame.meta.kind not in MASTER_KINDS:
                self.damaged.append((shelved.path, f"{shelved.path.name}: is a {shelved.frame.meta.kind}, no master"))
            else:
                self.known.append(Entry(shelved.frame, shelved.record))
        order = list(MASTER_KINDS.values())
        self.known.sort(key=lambda e: (order.index(e.kind), e.name))
        return self.known

    def usable(self) -> list[Entry]:
        """Masters that lights may get: not refused, not interpolated, no other made of the same frames and more."""
        entries = [e for e in self.entries() if e.usable]
        sets = [frozenset(e.inputs) for e in entries]
        return [
            e
            for e, mine in zip(entries, sets)
            if not mine or not any(mine < other and e.kind is o.kind for other, o in zip(sets, entries))
        ]

    def shelf(self) -> list[tuple[MasterPlan, Entry]]:
        """The usable masters as candidates for the matcher."""
        return [(MasterPlan(e.kind, (e.frame,), ready=True, shared=True), e) for e in self.usable()]

    def find(self, name: str) -> Entry:
        """The master of a name (of its file, with or without suffix; a part that only one has).

        Raises
        ------
        InputError
            None or several have it.
        """
        entries = self.known or self.entries()
        wanted = Path(name).name.removesuffix(".fits")
        found = [e for e in entries if e.name == wanted] or [e for e in entries if wanted in e.name]
        if len(found) == 1:
            return found[0]
        names = [e.name for e in entries]
        if not found:
            raise InputError(
                f"{name}: there is no such master in {self.path}{nearest(wanted, names)}; `firstlight library list` "
                "names them"
            )
        raise InputError(f"{name}: {len(found)} masters are called so: {', '.join(e.name for e in found[:4])} ...")

    def verify(self) -> tuple[list[str], int]:
        """Every byte of every master against its checksums; what is wrong, and how many masters there are.

        The raw frames of a master may be gone; one that has changed since is told.
        """
        entries = self.entries()
        problems = [reason for _, reason in self.damaged]
        for entry in entries:
            try:
                verify_file(entry.frame.path)
                entry.frame.check()
            except FrameError as error:
                problems.append(str(error))
            for given in entry.inputs.values():
                path = Path(given["file"].partition("#")[0])
                if path.is_file() and path.stat().st_size == given["size"] and fresh_hash(path) == given["hash"]:
                    continue
                if path.is_file():
                    problems.append(f"{entry.name}: its frame {path} has changed since; library build --refresh")
        return problems, len(entries)

    def lock(self, waiting: Callable[[str], None] = lambda words: None) -> AbstractContextManager[None]:
        """The right to write, held while the block runs."""
        return only_one(self.path / LOCK, waiting)

    def clean(self) -> None:
        """Remove what a killed run left half-written; only under the lock."""
        for folder in (self.path, *(p for p in self.path.iterdir() if p.is_dir() and not p.name.startswith("."))):
            for path in folder.glob(".*.*.fits"):
                path.unlink(missing_ok=True)
            for path in folder.glob(".*.*.json"):
                path.unlink(missing_ok=True)
        for folder in self.path.glob(".scratch-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, plan: MasterPlan, identity: str) -> Path:
        """Where a new master goes: a folder for each camera; the name tells kind, settings, date and its frames."""
        meta = plan.like.meta
        starts = sorted(f.meta.start for f in plan.frames if f.meta.start)
        date = f"{starts[0]:%Y%m%d}" if starts else "undated"
        folder = "_".join(filter(None, (slug(meta.camera) or "camera", slug(meta.serial))))
        return self.path / folder / f"{plan.name.removesuffix('.fits')}_{date}_{identity[:6]}.fits"

    def sources(self) -> list[Path]:
        """Folders that masters were made of, for `update`."""
        try:
            given = json.loads((self.path / SOURCES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [Path(p) for p in given if isinstance(p, str)] if isinstance(given, list) else []

    def remember_sources(self, folders: Iterable[Path]) -> None:
        """Add folders to those that `update` looks into; only under the lock."""
        known = [str(p) for p in self.sources()]
        new = [str(Path(p).resolve()) for p in folders]
        if set(new) <= set(known):
            return
        with atomic_path(self.path / SOURCES) as temporary:
            temporary.write_text(json.dumps(sorted({*known, *new}), indent=1) + "\n", encoding="utf-8")


def identity_of(frame: Frame) -> str:
    """A frame wherever it lies: its name, size of file and header. Two exposures never share one."""
    try:
        size = _file_of(frame).stat().st_size
    except OSError:
        size = 0
    cards = [(keyword, value) for keyword, value, _ in frame.meta.cards]
    text = json.dumps([frame.name, size, cards], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def input_of(frame: Frame) -> dict[str, Any]:
    """What a master's provenance keeps of one of its frames; reads the file once, for the hash of its content."""
    path = _file_of(frame)
    status = path.stat()
    meta = frame.meta
    return {
        "file": str(frame.path),
        "id": identity_of(frame),
        "hash": known_hash(path),
        "size": status.st_size,
        "mtime": status.st_mtime_ns,
        "start": meta.start.isoformat() if meta.start else None,
        "exposure": meta.exposure,
        "temperature": meta.temperature,
    }


def _file_of(frame: Frame) -> Path:
    path = frame.path
    return path if path.exists() else path.with_name(path.name.partition("#")[0])


def group_identity(identities: Sequence[str], under: str | None) -> str:
    """A word for a set of frames and what is subtracted from them."""
    return hashlib.sha256(json.dumps([sorted(identities), under]).encode()).hexdigest()[:12]


def is_changed(frame: Frame, given: dict[str, Any]) -> bool:
    """Whether a frame that a master was made of has other pixels now: its time of change says so, and its content."""
    path = _file_of(frame)
    return path.stat().st_mtime_ns != given.get("mtime") and known_hash(path) != given.get("hash")
