"""How a file came about, followed from file to file: inputs, masters, steps, and what was left out and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from firstlight.errors import FrameError, InputError
from firstlight.io.content import QUICK_HASH, fresh_hash
from firstlight.io.read import open_frame
from firstlight.io.story import read_story
from firstlight.pipeline.record import RUN_FILE

State = Literal["", "same", "changed", "missing"]
_PARTS = ("stacks", "pictures", "masters")
"""Folders of a run that hold products."""


@dataclass(eq=False)
class Source:
    """A file that went into another."""

    path: Path
    role: str
    """light, bias, dark, flat, image, stack, or the name of a further image (``frame dark``)."""
    content: str = ""
    """Hash of its content when it was used (`firstlight.io.content.fresh_hash`); empty: not recorded."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was done with it: its weight, what was rejected of it ..."""
    of: Lineage | None = None
    """How it came about itself, where it is no raw frame."""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def file(self) -> Path:
        """Where it lies, also for one exposure of a file of many."""
        return self.path if self.path.exists() else Path(str(self.path).partition("#")[0])

    def state(self) -> State:
        """Whether it is still what it was."""
        if not self.file.is_file():
            return "missing"
        if not self.content:
            return ""
        return "same" if fresh_hash(self.file) == self.content else "changed"


@dataclass(eq=False)
class Lineage:
    """How one file came about."""

    path: Path
    kind: str
    """stack, master, image, picture, frame."""
    steps: tuple[str, ...] = ()
    """What was done, in order; operations in their pinned form."""
    inputs: list[Source] = field(default_factory=list)
    masters: list[Source] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """File to reason."""
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    story: dict[str, Any] = field(default_factory=dict)
    """As the file tells it."""
    run: Path | None = None
    """Folder of the run that made it, if it lies there still."""

    def sources(self) -> Iterator[tuple[Lineage, Source]]:
        """Every file behind it, the nearest first, each with what it went into."""
        for source in (*self.inputs, *self.masters):
            yield self, source
        for source in (*self.inputs, *self.masters):
            if source.of is not None:
                yield from source.of.sources()

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""

        def told(source: Source) -> dict[str, Any]:
            return {
                "file": str(source.path), "role": source.role, QUICK_HASH: source.content, **source.facts,
                "made": source.of.as_dict() if source.of is not None else None,
            }  # fmt: skip

        return {
            "file": str(self.path), "kind": self.kind, "steps": list(self.steps), "facts": self.facts,
            "inputs": [told(s) for s in self.inputs], "masters": [told(s) for s in self.masters],
            "left_out": self.left_out, "notes": list(self.notes), "settings": self.settings,
            "versions": self.versions, "run": None if self.run is None else str(self.run),
        }  # fmt: skip


def lineage_of(path: str | Path) -> Lineage:
    """How a file came about, as far as it and those behind it tell.

    Raises
    ------
    InputError
        There is no such file, or it is no image.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; give one file of it, such as a stack, a picture or a master")
    return _followed(path, read_story(path), frozenset())


def _followed(path: Path, story: Mapping[str, Any] | None, above: frozenset[Path]) -> Lineage:
    """``above``: files on the way here; a file that names itself among its inputs is not followed round."""
    made_by = "" if story is None else story.get("made_by", "")
    above = above | {path.resolve()}
    if not story:
        return _plain(path)
    if made_by in ("apply", "picture"):
        return _of_steps(path, story, above)
    if made_by == "process" or "reference" in story:
        return _of_stack(path, story, above)
    if "fingerprint" in story and "kind" in story:
        return _of_master(path, story, above)
    return _of_other(path, story, above)


def _plain(path: Path) -> Lineage:
    """Of a raw frame, or a product of another program: its header and history are all there is."""
    try:
        frame = open_frame(path)
    except FrameError as error:
        raise InputError(str(error)) from error
    meta = frame.meta
    facts = {
        "target": meta.target, "filter": meta.filter, "exposure_s": meta.exposure, "camera": meta.camera,
        "start": meta.start.isoformat() if meta.start else None, "program": meta.software,
    }  # fmt: skip
    run = path.parent.parent if path.parent.name in _PARTS and (path.parent.parent / RUN_FILE).is_file() else None
    return Lineage(
        path, meta.kind.value if meta.kind.value != "unknown" else "frame", frame.history,
        facts={k: v for k, v in facts.items() if v is not None}, run=run,
    )  # fmt: skip


def _of_stack(path: Path, story: Mapping[str, Any], above: frozenset[Path]) -> Lineage:
    run, record = run_of(path)
    left_out = dict(story.get("left_out", {}))
    lights = {row["file"] for row in story["inputs"]}
    masters = [_master(path, one, above) for one in story.get("calibration", [])]
    made_of = {str(s.path) for m in masters if m.of for s in m.of.inputs}
    if record is not None:
        # Frames that could not even be read, and those of its masters, are set aside by the run.
        for name, reason in record.get("set_aside", {}).items():
            if name not in lights and name not in made_of:
                left_out.setdefault(name, reason)
    why, noise = _of_run(path, record)
    for master in masters:
        if master.name in why:
            master.facts["why"] = why[master.name]
    names = (
        "target", "filter", "frames", "total_exposure_s", "method", "method_chosen_by", "reference", "fwhm_px",
        "single_fwhm_px", "noise_adu", "single_noise_adu", "stars", "drizzle", "noise_budget",
    )  # fmt: skip
    return Lineage(
        path, "stack", tuple(story.get("steps", ())),
        [_source(path, row, "light") for row in story["inputs"]],
        masters, left_out,
        {name: story[name] for name in names if story.get(name) is not None} | noise,
        tuple(story.get("notes", ())), dict(story.get("settings", {})),
        _versions(story, record), dict(story), run,
    )  # fmt: skip


def _of_run(path: Path, record: Mapping[str, Any] | None) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """What the run knows of a stack besides: why each master was taken, where its noise model comes from."""
    if record is None:
        return {}, {}
    mine = next((s for s in record.get("stacks", []) if s.get("name") == path.stem), {})
    why = {Path(one["file"]).name: one["why"] for one in mine.get("calibration", []) if one.get("why")}
    return why, {"noise_model": record["noise"]} if record.get("noise") else {}


def _of_master(path: Path, story: Mapping[str, Any], above: frozenset[Path]) -> Lineage:
    run, record = run_of(path)
    kind = str(story["kind"])
    below = []
    under = [story["subtracted"]] if story.get("subtracted") else []
    for name in (*under, *story.get("parts", {})):
        other = path.with_name(name if name.endswith(".fits") else f"{name}.fits")
        below.append(_linked(other, "subtracted" if name in under else "part", "", above))
    steps = [f"{len(story.get('inputs', []))} frames combined with rejection"]
    if under:
        steps.insert(0, f"{under[0]} subtracted from each frame")
    if kind == "flat":
        steps.append("divided by its mean (each CFA colour by its own)")
    try:
        history = open_frame(path).history
    except FrameError:
        history = ()
    return Lineage(
        path, f"master {kind}", tuple(history) or tuple(steps),
        [_source(path, row, kind) for row in story.get("inputs", [])], below,
        dict(story.get("set_aside", {})), {k: story[k] for k in ("from", "to") if story.get(k)},
        tuple(story.get("notes", ())), {}, _versions(story, record), dict(story), run,
    )  # fmt: skip


def _of_steps(path: Path, story: Mapping[str, Any], above: frozenset[Path]) -> Lineage:
    row = story["inputs"][0]
    source = _source(path, row, "image")
    inherited = story.get("of")
    if source.file.resolve() not in above and source.file.is_file() and source.state() != "changed":
        source.of = _followed(source.file, read_story(source.file), above)
    elif inherited:
        # The file has gone or changed; its own story is kept in this one.
        source.of = _followed(source.path, inherited, above)
    if source.of is not None:
        source.role = source.of.kind
    frames = [
        _linked(Path(one["file"]), f"frame {name}", one.get(QUICK_HASH, ""), above)
        for name, one in story.get("frames", {}).items()
    ]
    run, record = run_of(path)
    return Lineage(
        path, "picture" if story["made_by"] == "picture" else "image", tuple(story["steps"]), [source], frames,
        versions=_versions(story, record), story=dict(story), run=run,
    )  # fmt: skip


def _of_other(path: Path, story: Mapping[str, Any], above: frozenset[Path]) -> Lineage:
    """Of other commands (`stack`, `live` ...): whatever names files in the usual way is followed."""
    rows = [r if isinstance(r, Mapping) else {"file": str(r)} for r in story.get("inputs", [])]
    inputs = []
    for row in rows:
        if "file" in row:
            source = _source(path, row, "image")
            if source.file.is_file() and source.file.resolve() not in above and source.path.suffix in (".fits", ".fit"):
                inner = read_story(source.file)
                source.of = _followed(source.file, inner, above) if inner else None
            inputs.append(source)
    history = _plain(path).steps
    facts = {
        k: v for k, v in story.items()
        if isinstance(v, (str, int, float)) and k not in ("program", "made_by", "fingerprint", "format")
    }  # fmt: skip
    left_out = story.get("left_out", story.get("set_aside", {}))
    return Lineage(
        path, "stack" if len(rows) > 1 else "image", tuple(story.get("steps", ())) or history, inputs,
        left_out=dict(left_out) if isinstance(left_out, Mapping) else {}, facts=facts,
        notes=tuple(story.get("notes", ())), settings=dict(story.get("settings", {}) or {}),
        versions=_versions(story, None), story=dict(story),
    )  # fmt: skip


def _master(product: Path, row: Mapping[str, Any], above: frozenset[Path]) -> Source:
    path = Path(row["file"])
    path = path if path.is_absolute() else product.parent.parent / path
    source = _linked(path, str(row.get("role", "master")), "", above)
    source.facts = {k: row[k] for k in ("frames", "lights", "shared", "why") if k in row}
    return source


def _linked(path: Path, role: str, content: str, above: frozenset[Path]) -> Source:
    """A file and, where it can be read, how it came about itself."""
    source = Source(path, role, content)
    if path.is_file() and path.resolve() not in above:
        source.of = _followed(path, read_story(path), above)
    return source


def _source(product: Path, row: Mapping[str, Any], role: str) -> Source:
    path = Path(row["file"])
    if not path.is_absolute() and path.parts[:1] == ("..",):
        path = (product.parent / path).resolve()
    names = ("weight", "scale", "rejected", "masters", "matrix", "exposure", "temperature", "start")
    facts = {name: row[name] for name in names if row.get(name) is not None}
    return Source(path, role, str(row.get(QUICK_HASH) or row.get("hash") or ""), facts)


def run_of(path: Path) -> tuple[Path | None, dict[str, Any] | None]:
    """Folder and record of the run that a product lies in, or None twice."""
    folder = path.resolve().parent
    if folder.name not in _PARTS:
        return None, None
    try:
        content = json.loads((folder.parent / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, None
    return (folder.parent, content) if isinstance(content, dict) else (None, None)


def _versions(story: Mapping[str, Any], record: Mapping[str, Any] | None) -> dict[str, str]:
    if "versions" in story:
        return dict(story["versions"])
    if record is not None:
        return dict(record.get("versions") or {"firstlight": record["version"], "python": record["python"]})
    return {"firstlight": str(story["version"])} if "version" in story else {}
