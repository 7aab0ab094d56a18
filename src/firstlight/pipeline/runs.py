"""The runs under a folder: how far each is, when it was, what has changed since; and what may be swept out of them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstlight.errors import InputError
from firstlight.io.journal import read_lines
from firstlight.io.lock import only_one
from firstlight.io.read import find_files
from firstlight.io.results import Results
from firstlight.pipeline.at_hand import LOCAL_INDEX
from firstlight.pipeline.graph import FOLDER, JOURNAL, LEFT, RESULTS, code_version, is_temporary, read_journal
from firstlight.pipeline.plan import INDEX
from firstlight.pipeline.record import RUN_FILE


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path
    state: str
    """``whole``, ``stale`` (something has changed since) or ``unfinished``."""
    ended: datetime | None
    """Of the last step."""
    seconds: float
    """Of all its steps and stages."""
    lights: int
    stacks: int
    set_aside: int
    recipe: str
    changed: tuple[str, ...]
    """What has changed since, in words."""
    bytes: int
    """Of all files in the folder."""

    def as_record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**self.__dict__, "folder": str(self.folder), "ended": self.ended and self.ended.isoformat()}


def find_runs(folder: str | Path) -> list[Run]:
    """Every run folder at or below a folder, in order of path.

    Raises
    ------
    InputError
        There is no such folder.
    """
    top = Path(folder)
    if not top.is_dir():
        raise InputError(f"{top}: there is no such folder")
    return [_run(each) for each in sorted(set(_folders(top))) if not _is_judgement(each)]


def _is_judgement(folder: Path) -> bool:
    """`firstlight quality` leaves measurements and tables there, and nothing that could go on."""
    return (folder / "quality.csv").is_file() and not (folder / RUN_FILE).is_file()


def _folders(top: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".")]
        path = Path(place)
        if path.name == FOLDER and JOURNAL in files:
            yield path.parent
        elif RUN_FILE in files:
            yield path


def _run(folder: Path) -> Run:
    try:
        record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {}
    steps = read_journal(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    lights = sum(each.get("kind") == "light" for each in record.get("inputs", []))
    lights = lights or sum(kind == "measure" for kind, _ in steps)
    stacks = len(record["stacks"]) if record else sum(kind == "stack" for kind, _ in steps)
    last = max((each.began for each in steps.values()), default="")
    ended = datetime.fromisoformat(last) if last else None
    if (folder / RUN_FILE).is_file():
        ended = datetime.fromtimestamp((folder / RUN_FILE).stat().st_mtime, UTC)
    seconds = sum(spent["wall_s"] for spent in record.get("timings", {}).values())
    recipe = record.get("recipe", {})
    seconds += sum(spent["wall_s"] for spent in recipe.get("timings", {}).values())
    changed = tuple(_changes(folder, record)) if record else ()
    state = "unfinished" if not record else "stale" if changed else "whole"
    return Run(
        folder, state, ended, round(seconds, 1), lights, stacks, len(record.get("set_aside", {})),
        recipe.get("name", ""), changed, size,
    )  # fmt: skip


def _changes(folder: Path, record: dict[str, Any]) -> Iterator[str]:
    """What a new run would find changed."""
    stamps = _stamps(folder)
    inputs = {Path(str(each["file"]).partition("#")[0] if "#" in each["file"] else each["file"]) for each in
              record.get("inputs", [])}  # fmt: skip
    gone = [path for path in inputs if not path.exists()]
    altered = [
        path for path in inputs
        if str(path) in stamps and path.exists() and stamps[str(path)] != (path.stat().st_size, path.stat().st_mtime_ns)
    ]  # fmt: skip
    session = Path(record.get("session", ""))
    news = []
    if session.is_dir():
        known = {path.resolve() for path in inputs} | {Path(name).resolve() for name in record.get("set_aside", {})}
        own = folder.resolve()
        news = [p for p in find_files(session) if own not in p.resolve().parents and p.resolve() not in known]
    products = [name for name in record.get("products", []) if not (folder / name).is_file()]
    for paths, words in ((gone, "gone"), (altered, "changed"), (news, "new")):
        if paths:
            yield f"{len(paths)} input{'' if len(paths) == 1 else 's'} {words}"
    if products:
        yield f"{len(products)} product{'' if len(products) == 1 else 's'} gone"
    if record.get("code") not in (None, code_version()):
        yield "made by another version"


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    path = folder / FOLDER / RESULTS
    if not path.is_file():
        return {}
    store = Results(path)
    try:
        return store.stamps()
    finally:
        store.close()


@dataclass(frozen=True)
class Litter:
    """What can go from one run folder."""

    folder: Path
    paths: tuple[tuple[Path, str], ...]
    """Files and folders, each with what it is."""

    @property
    def bytes(self) -> int:
        return sum(_size(path) for path, _ in self.paths)


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


def plan_cleaning(folder: str | Path, *, keep_results: bool = False) -> list[Litter]:
    """Look for what runs keep only to save time, and for what is left of killed runs and of other settings.

    ``keep_results``: the measurements stay, so that the next run is quick. Nothing is removed.
    """
    return [
        found
        for run in find_runs(folder)
        if (found := Litter(run.folder, tuple(_litter(run.folder, keep_results)))).paths
    ]


def _litter(folder: Path, keep_results: bool) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.glob(".scratch-*")):
        yield path, "left by a killed run"
    for path in sorted(folder.rglob(".*")):
        if path.is_file() and is_temporary(path.name) and ".scratch-" not in str(path):
            yield path, "left by a killed run"
    record = folder / RUN_FILE
    kept = set(json.loads(record.read_text(encoding="utf-8"))["products"]) if record.is_file() else set()
    for line in read_lines(folder / FOLDER / LEFT):
        path = folder / line["file"]
        if line["file"] in kept or not path.is_file():
            continue
        status = path.stat()
        if [status.st_size, status.st_mtime_ns] == line["stamp"][1:]:
            yield path, "made with other settings, no part of the run any more"
    if not keep_results:
        for name in (INDEX, LOCAL_INDEX):
            if (folder / name).is_file():
                yield folder / name, "headers, read anew when needed"
        for path in sorted((folder / FOLDER).glob(f"{RESULTS}*")):
            yield path, "measurements, made anew when needed"


def clean(litter: list[Litter]) -> int:
    """Remove it; returns the bytes that are free then. A folder in which a run is at work is waited for."""
    freed = 0
    for each in litter:
        with only_one(each.folder / FOLDER / "lock"):
            for path, _ in each.paths:
                if not path.exists():
                    continue
                freed += _size(path)
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                    if path.parent != each.folder and not any(path.parent.iterdir()):
                        path.parent.rmdir()
    return freed
