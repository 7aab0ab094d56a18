"""Take away what firstlight made: products of a run, or links and copies of a collection. Nothing else, ever."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.content import content_hash
from firstlight.pipeline.collection import RECORD, TABLE, Entry, read_record
from firstlight.pipeline.graph import FOLDER
from firstlight.pipeline.plan import INDEX, OUTPUT
from firstlight.pipeline.record import RUN_FILE
from firstlight.pipeline.report import REPORT

TOLERANCE = 5.0
"""s: products are written before the record of the run, in the same breath."""


@dataclass(frozen=True)
class Clearing:
    """What would be removed, and what stays although it is listed, with the reason."""

    folder: Path
    remove: tuple[Path, ...]
    stays: tuple[tuple[Path, str], ...] = ()

    @property
    def bytes(self) -> int:
        """Size of what goes; links count nothing."""
        return sum(path.lstat().st_size for path in self.remove if path.lstat().st_nlink == 1 and not path.is_symlink())


def plan_clearing(folder: Path, *, everything: bool = False) -> Clearing:
    """Look for what firstlight made in a folder; nothing is removed.

    Of a run's output: the masters, the index and what is noted of finished steps, which the next run makes anew;
    ``everything``: stacks, pictures, tables and the record too. Of a collection: all its links and copies. A file that
    was changed since it was made stays, and so does a copy whose original is gone.

    Raises
    ------
    InputError
        The folder holds no record of a run or a collection.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    if (folder / RECORD).is_file():
        return _collection(folder)
    output = folder if (folder / RUN_FILE).is_file() else folder / OUTPUT
    if (output / RUN_FILE).is_file():
        return _run(output, everything)
    raise InputError(
        f"{folder}: neither the output of `firstlight process` (no {RUN_FILE}) nor a collection (no {RECORD}): nothing "
        "here is known to be made by firstlight"
    )


def _run(output: Path, everything: bool) -> Clearing:
    record = output / RUN_FILE
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        products = [str(name) for name in content["products"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record}: cannot be read ({error})") from None
    last = record.stat().st_mtime + TOLERANCE
    wanted = [output / name for name in products if everything or name.startswith("masters/")]
    wanted += [output / INDEX, *sorted((output / FOLDER).glob("*"))]
    if everything:
        wanted += [output / "frames.csv", output / REPORT, record]
    remove, stays = [], []
    for path in wanted:
        if not _is_below(path, output) or not path.is_file() or path.is_symlink():
            continue
        if path.name not in (INDEX, REPORT) and path.parent.name != FOLDER and path.stat().st_mtime > last:
            stays.append((path, "was changed after the run"))
        else:
            remove.append(path)
    return Clearing(output, tuple(remove), tuple(stays))


def _is_below(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents


def _collection(folder: Path) -> Clearing:
    remove, stays = [], []
    for entry in read_record(folder):
        path = folder / entry.path
        if not _is_below(path.parent / "x", folder) or not os.path.lexists(path):
            continue
        reason = _why_it_stays(path, entry)
        if reason:
            stays.append((path, reason))
        else:
            remove.append(path)
    table, record = folder / TABLE, folder / RECORD
    if not stays:
        if table.is_file():
            if content_hash(table) == json.loads(record.read_text(encoding="utf-8")).get("table"):
                remove.append(table)
            else:
                stays.append((table, "was changed by hand"))
        remove.append(record)
    return Clearing(folder, tuple(remove), tuple(stays))


def _why_it_stays(path: Path, entry: Entry) -> str:
    source = Path(entry.source)
    if path.is_symlink():
        return "" if os.readlink(path) == entry.source else "is another link now"
    if source.is_file() and os.path.samefile(path, source):
        return ""
    if content_hash(path) != entry.sha256:
        return "was changed"
    if not source.is_file() or content_hash(source) != entry.sha256:
        return f"is the only copy: {source} is gone or was changed"
    return ""


def carry_out_clearing(clearing: Clearing) -> None:
    """Remove the files, and the folders that are empty then."""
    folders: set[Path] = set()
    for path in clearing.remove:
        path.unlink(missing_ok=True)
        folders.add(path.parent)
    for folder in sorted(folders, key=lambda f: -len(f.parts)):
        _remove_empty(folder, clearing.folder)


def _remove_empty(folder: Path, top: Path) -> None:
    while top == folder or top in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def by_folder(paths: Sequence[Path], top: Path) -> dict[str, int]:
    """Number of files of each folder, for the question."""
    counts: dict[str, int] = {}
    for path in paths:
        name = str(path.parent.relative_to(top))
        counts[name] = counts.get(name, 0) + 1
    return counts
