"""What a run was made of and what it made: ``run.json``, and how a later run knows that nothing has changed."""

from __future__ import annotations

import hashlib
import json
import platform
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import firstlight
from firstlight.io.content import QUICK_HASH, content_hash
from firstlight.io.frame import Frame, file_of
from firstlight.library.explain import missing_words
from firstlight.pipeline.at_hand import needed_masters
from firstlight.pipeline.graph import code_version, read_journal
from firstlight.pipeline.settings import HOW
from firstlight.pipeline.story import masters_of, versions

if TYPE_CHECKING:
    from firstlight.pipeline.graph import Graph
    from firstlight.pipeline.group import GroupResult
    from firstlight.pipeline.kept import KeptStack
    from firstlight.pipeline.masters import MasterShelf
    from firstlight.pipeline.plan import Plan
    from firstlight.pipeline.progress import Clock

RUN_FILE = "run.json"
FORMAT = 1


def fingerprint_of(*parts: Any) -> str:
    """Short hash of anything JSON can hold."""
    text = json.dumps([code_version(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def frame_stamp(frame: Frame) -> list[Any]:
    """Path, size and time of last change: equal stamps, equal pixels."""
    status = file_of(frame).stat()
    return [str(frame.path), status.st_size, status.st_mtime_ns]


@dataclass(frozen=True)
class Earlier:
    """The record of an earlier run in the same folder."""

    content: dict[str, Any]

    def is_complete_for(self, record: Record, folder: Path) -> bool:
        """Whether that run had the same inputs and settings and its products stand as they were made."""
        if self.content.get("fingerprint") != record.fingerprint:
            return False
        stamps = {name: stamp for entry in read_journal(folder).values() for name, stamp in entry.products.items()}
        return all(_stands(folder / name, stamps.get(name)) for name in self.content.get("products", []))


def _stands(path: Path, stamp: Sequence[Any] | None) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stamp is None or [status.st_size, status.st_mtime_ns] == list(stamp[1:])


def previous_record(folder: Path) -> Earlier | None:
    """The record in a run folder, or None where there is none that can be read."""
    try:
        content = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Earlier(content) if isinstance(content, dict) and content.get("format") == FORMAT else None


@dataclass
class Record:
    """The record of this run."""

    fingerprint: str
    stamps: list[list[Any]] = field(default_factory=list)

    @classmethod
    def of(cls, plan: Plan) -> Record:
        stamps = [frame_stamp(s.frame) for s in plan.sightings]
        broken = [[str(path), reason] for path, reason in plan.broken]
        chosen = plan.settings.model_dump(exclude=set(HOW))
        rule = plan.settings.normalize
        named = plan.settings.calibrate.bad_pixels
        chosen["noise"] = list(plan.noise)
        chosen["bad_pixels"] = content_hash(Path(named)) if named else ""
        table = content_hash(Path(rule.weights_file)) if rule.weights == "csv" else ""
        shared = sorted(frame_stamp(m.like) for m in needed_masters(plan) if m.shared)
        beside = [[str(path), content_hash(path)] for path in plan.side_files]
        return cls(fingerprint_of(stamps, broken, chosen, table, shared, beside), stamps)

    def finished(
        self,
        plan: Plan,
        shelf: MasterShelf,
        results: Sequence[GroupResult | KeptStack],
        set_aside: dict[str, str],
        clock: Clock,
        executor: Executor,
        graph: Graph,
    ) -> dict[str, Any]:
        """The content of ``run.json``."""
        products = [f"masters/{path.name}" for path in shelf.own_files()]
        for result in results:
            products += [str(p.relative_to(plan.output)) for p in result.files]
        with clock.stage("hash inputs"):
            hashes = executor.map(lambda s: graph.results.hash_of(file_of(s.frame)), plan.sightings)
            inputs = [
                {"file": str(s.frame.path), "kind": s.kind.value, QUICK_HASH: content}
                for s, content in zip(plan.sightings, hashes)
            ]
        return {
            "format": FORMAT,
            "program": "firstlight",
            "version": firstlight.__version__,
            "code": code_version(),
            "python": platform.python_version(),
            "versions": versions(),
            "command": " ".join(sys.argv),
            "fingerprint": self.fingerprint,
            "session": str(plan.session),
            "settings": plan.settings.model_dump(),
            "inputs": inputs,
            "side_files": [str(path) for path in plan.side_files],
            "masters": [
                {
                    "file": shelf.files[id(m.plan)].name,
                    "fingerprint": shelf.keys[id(m.plan)],
                    "frames": len(m.plan.frames),
                    "notes": [*m.plan.notes, *m.notes],
                }
                for m in shelf.made
            ],
            "stacks": [
                {**result.summary(), "calibration": masters_of(result.prepared, shelf, reasons=True)}
                for result in results
            ],
            "noise": list(plan.noise),
            "set_aside": set_aside,
            "missing": missing_words(plan.calibrations.assignments),
            "notes": list(plan.notes),
            "products": sorted(products),
            "steps": graph.counts(),
            "timings": clock.timings,
            "peak_memory_bytes": peak_memory(),
        }


def peak_memory() -> int:
    """Largest resident memory of this process so far, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
