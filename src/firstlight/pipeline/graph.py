"""The graph of a run: steps keyed by what they are made of, a journal of those that are finished.

A step's key is a hash of the content of its inputs, its parameters with every default written out, the versions of its
operations and kernels, and the keys of the steps it builds on. A step whose key stands in the journal, and whose
products lie there as they were made, is not done again: not after a kill, not after a change elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import firstlight
from firstlight.errors import SpecError, nearest
from firstlight.io.atomic import atomic_path
from firstlight.io.journal import append_line, read_lines
from firstlight.io.lock import only_one
from firstlight.io.results import Results

LOG = logging.getLogger("firstlight")
FOLDER = "steps"
"""Of a run folder: journal, results, lock."""
JOURNAL = "journal.jsonl"
RESULTS = "results.sqlite"
LEFT = "left.jsonl"
"""Products of steps that are no part of the run any more."""
KINDS = ("master", "scale", "measure", "register", "stack", "picture")
"""Steps of a session in their order; those of a recipe follow, by their own names."""
FACES = {"cli", "simulate"}
"""Packages that no result depends on."""


@lru_cache(maxsize=1)
def code_version() -> str:
    """Version of the program, and what its kernels, operations and pipeline are, as one word.

    A version says it all of an installed program; while sources are being worked on, only their bytes do.
    """
    digest = hashlib.sha256(firstlight.__version__.encode())
    top = Path(firstlight.__file__).parent
    for file in sorted(top.rglob("*.py")):
        if file.relative_to(top).parts[0] not in FACES:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def key_of(*parts: Any) -> str:
    """Key of a step made of these parts (anything JSON can hold); the code is always one of them."""
    text = json.dumps([code_version(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Step:
    """One piece of work."""

    kind: str
    """One of `KINDS`, or the name of a recipe's step."""
    name: str
    """What it makes, in a user's words: the name of a master, a light, a stack."""
    key: str
    needs: tuple[str, ...] = ()
    """Keys of the steps it builds on."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """File to hash of its content, where it reads files that no step made."""
    params: Any = None
    """What was asked for, every default written out."""

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Finished:
    """The journal's entry of a finished step."""

    step: Step
    products: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """File (in the run folder) to hash, size and time of change."""
    facts: Any = None
    """What it found, as far as JSON holds it."""
    began: str = ""
    seconds: float = 0.0

    def as_line(self) -> dict[str, Any]:
        step = self.step
        return {
            "step": step.kind, "name": step.name, "key": step.key, "needs": list(step.needs),
            "inputs": dict(step.inputs), "params": step.params, "products": dict(self.products), "facts": self.facts,
            "began": self.began, "seconds": self.seconds,
        }  # fmt: skip

    @classmethod
    def of_line(cls, line: Mapping[str, Any]) -> Finished:
        step = Step(
            line["step"], line["name"], line["key"], tuple(line["needs"]), dict(line["inputs"]), line.get("params")
        )
        return cls(step, dict(line["products"]), line.get("facts"), line.get("began", ""), line.get("seconds", 0.0))


def read_journal(folder: Path) -> dict[tuple[str, str], Finished]:
    """Finished steps of a run folder by kind and name, in the order in which they ended; the last of a name counts."""
    found: dict[tuple[str, str], Finished] = {}
    for line in read_lines(Path(folder) / FOLDER / JOURNAL):
        try:
            entry = Finished.of_line(line)
        except (KeyError, TypeError, ValueError):
            continue
        found.pop((entry.step.kind, entry.step.name), None)
        found[entry.step.kind, entry.step.name] = entry
    return found


_OPEN: Counter[str] = Counter()
"""Run folders in which this process works: a step of a recipe may begin a run in the same one."""


class Graph:
    """The steps of one run folder: which are finished, what they made. One process at a time works in a folder."""

    def __init__(self, folder: Path, *, again: bool = False, start: str = "", waiting: Any = None) -> None:
        self.folder = Path(folder)
        self._again, self._start = again, start
        self._waiting = waiting or (lambda words: None)
        self._guard = threading.Lock()
        self._finished: dict[tuple[str, str], Finished] = {}
        self._asked: set[tuple[str, str]] = set()
        self._made: set[tuple[str, str]] = set()
        self.spent = 0.0
        """s: what keeping the journal and the results has taken."""

    def __enter__(self) -> Graph:
        place = self.folder / FOLDER
        self._name = str(self.folder.resolve())
        self._only = None if _OPEN[self._name] else only_one(place / "lock", self._waiting)
        if self._only is not None:
            self._only.__enter__()
            _sweep(self.folder)
        _OPEN[self._name] += 1
        self.results = Results(place / RESULTS)
        self.look()
        return self

    def look(self) -> None:
        """Read the journal."""
        self._finished = read_journal(self.folder)

    def entry(self, kind: str, name: str) -> Finished | None:
        """What the journal says of a step, whatever it was made of."""
        return self._finished.get((kind, name))

    def finished(self) -> dict[tuple[str, str], Finished]:
        """All that the journal says."""
        return dict(self._finished)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.results.finish()
        self.results.close()
        _OPEN[self._name] -= 1
        if self._only is not None:
            self._only.__exit__(kind, error, trace)

    def check_start(self, kinds: Sequence[str] = KINDS) -> None:
        """Check where the run is to begin anew (``--from``); ``kinds`` are the steps of this run in order.

        Raises
        ------
        SpecError
            There is no such step.
        """
        self._kinds = tuple(kinds)
        word, _, name = self._start.partition(" ")
        if word and word not in kinds:
            raise SpecError(
                f"--from {word!r}: no such step{nearest(word, kinds) or ';'} the steps are {', '.join(kinds)}"
            )
        if name and (word, name) not in self._finished:
            names = [n for kind, n in self._finished if kind == word]
            raise SpecError(f"--from {self._start!r}: no finished step of this name{nearest(name, names)}")

    def is_wanted_anew(self, step: Step) -> bool:
        """Whether this step is to be done although it may be finished."""
        if self._again:
            return True
        if not self._start:
            return False
        word, _, name = self._start.partition(" ")
        kinds = getattr(self, "_kinds", KINDS)
        late = step.kind in kinds and kinds.index(step.kind) >= kinds.index(word)
        if not name or not late:
            return late
        return step.name == name if step.kind == word else self._rests_on(step, (word, name))

    def _rests_on(self, step: Step, other: tuple[str, str]) -> bool:
        by_key = {entry.step.key: entry for entry in self._finished.values()}
        wanted, waiting, seen = self._finished[other].step.key, list(step.needs), set()
        while waiting:
            key = waiting.pop()
            if key == wanted:
                return True
            if key not in seen and key in by_key:
                seen.add(key)
                waiting += by_key[key].step.needs
        return False

    def held(self, step: Step) -> Finished | None:
        """The entry of this step if it is finished: equal key, and its products as they were made."""
        self._asked.add((step.kind, step.name))
        if (step.kind, step.name) in self._made:
            return self._finished[step.kind, step.name]
        entry = self._finished.get((step.kind, step.name))
        if entry is None or entry.step.key != step.key or self.is_wanted_anew(step):
            return None
        stands = all(self._stands(name, stamp) for name, stamp in entry.products.items())
        if stands:
            LOG.debug("%s: stands from an earlier run", step.title)
        return entry if stands else None

    def held_result(self, step: Step) -> bytes | None:
        """What this step left in the store of results, if it is finished."""
        began = time.perf_counter()
        name = (step.kind, step.name)
        self._asked.add(name)
        content = None if self.is_wanted_anew(step) else self.results.get(step.key)
        if content is not None and (name not in self._finished or self._finished[name].step.key != step.key):
            # Of an earlier run with these settings, and another one came between.
            self.finish(step)
            self._made.discard(name)
        if content is not None:
            LOG.debug("%s: stands from an earlier run", step.title)
        self.spent += time.perf_counter() - began
        return content

    def _stands(self, name: str, stamp: Sequence[Any]) -> bool:
        path = self.folder / name
        try:
            status = path.stat()
            word, size, mtime = stamp
            if status.st_size != size:
                return False
            return status.st_mtime_ns == mtime or self.results.hash_of(path) == word
        except (OSError, ValueError):
            return False

    def finish(
        self, step: Step, products: Iterable[Path] = (), facts: Any = None, began: float | None = None,
        result: bytes | None = None,
    ) -> Finished:  # fmt: skip
        """Write down that a step is finished; its products lie on the disk by now, whole."""
        start = time.perf_counter()
        if result is not None:
            self.results.put(step.key, step.kind, result)
        stamps = {os.path.relpath(path, self.folder): self._stamp(path) for path in products}
        ended = time.time()
        began = ended if began is None else began
        at = datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds")
        entry = Finished(step, stamps, facts, at, round(ended - began, 3))
        with self._guard:
            append_line(self.folder / FOLDER / JOURNAL, entry.as_line())
            old = self._finished.pop((step.kind, step.name), None)
            self._leave({} if old is None else old.products, stamps)
            self._finished[step.kind, step.name] = entry
            self._asked.add((step.kind, step.name))
            self._made.add((step.kind, step.name))
        LOG.info("%s: done in %.1f s", step.title, entry.seconds)
        self.spent += time.perf_counter() - start
        return entry

    def _stamp(self, path: Path) -> list[Any]:
        status = path.stat()
        return [self.results.hash_of(path), status.st_size, status.st_mtime_ns]

    def settle(self, besides: Sequence[str] | None = None) -> None:
        """This part of a run is whole: the journal is written anew without steps of it that were not asked for.

        A session leaves the steps of recipes alone, and a recipe those of a session (``besides``).
        """
        # A step of a recipe may have added steps of its own.
        self._finished = read_journal(self.folder)
        mine = (lambda kind: kind in KINDS) if besides is None else (lambda kind: kind not in besides)
        kept = {name: e for name, e in self._finished.items() if name in self._asked or not mine(name[0])}
        standing = {file for entry in kept.values() for file in entry.products}
        for name, entry in self._finished.items():
            if name not in kept:
                self._leave(entry.products, standing)
        with atomic_path(self.folder / FOLDER / JOURNAL) as temporary:
            lines = (json.dumps(entry.as_line(), default=str) + "\n" for entry in kept.values())
            Path(temporary).write_text("".join(lines), encoding="utf-8")
        self._finished = kept

    def _leave(self, products: Mapping[str, Sequence[Any]], standing: Container[str]) -> None:
        """Note products that nothing names any more, for `firstlight clean`."""
        for file, stamp in products.items():
            if file not in standing:
                append_line(self.folder / FOLDER / LEFT, {"file": file, "stamp": stamp})

    def digest(self, besides: Container[str]) -> str:
        """All finished steps but those of some kinds, as one word."""
        steps = (entry.step for entry in self._finished.values() if entry.step.kind not in besides)
        return key_of(sorted((step.kind, step.name, step.key) for step in steps))

    @property
    def n_made(self) -> int:
        """Steps done by this run so far."""
        return len(self._made)

    def counts(self) -> dict[str, dict[str, int]]:
        """Steps of this run by kind: how many were done, how many stood from earlier runs."""
        found: dict[str, dict[str, int]] = {}
        for name in sorted(self._asked & set(self._finished)):
            numbers = found.setdefault(name[0], {"done": 0, "kept": 0})
            numbers["done" if name in self._made else "kept"] += 1
        return found


def _sweep(folder: Path) -> None:
    """Remove what a killed run has left half made: nobody else works here, the lock is ours."""
    import shutil

    for path in folder.glob(".scratch-*"):
        shutil.rmtree(path, ignore_errors=True)
    for place in (folder, *(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))):
        for path in place.glob(".*.????????*"):
            if path.is_file() and is_temporary(path.name):
                path.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Whether `firstlight.io.atomic` gave this name: hidden, and eight hexadecimal digits before the suffix.

    >>> is_temporary(".M31_R_60s.0a1b2c3d.fits"), is_temporary(".masters.sqlite")
    (True, False)
    """
    stem = Path(name).stem
    digits = stem.rpartition(".")[2]
    return len(digits) == 8 and all(c in "0123456789abcdef" for c in digits)
