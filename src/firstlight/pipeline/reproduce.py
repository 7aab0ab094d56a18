"""Make a file again from what it says of itself, and compare: the same bytes, or what differs and why."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from firstlight.errors import FirstlightError, InputError
from firstlight.io.fits_scan import open_bytes, scan
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.ops.spec import parse_step
from firstlight.pipeline.lineage import Lineage, lineage_of
from firstlight.pipeline.process import process
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.reproduce_files import combination_again, master_again, stack_again
from firstlight.pipeline.settings import Settings
from firstlight.pipeline.story import story_of_steps, versions

OWN = ("PROVENANCE",)
"""Extensions whose differences are told by what stands in them, not by their bytes."""


MOST = 6
"""Places of a record that are named."""


@dataclass
class Reproduction:
    """What came of it."""

    path: Path
    same: bool = False
    """Every byte is the same."""
    pixels_same: bool = False
    differences: list[str] = field(default_factory=list)
    """Between the two files."""
    causes: list[str] = field(default_factory=list)
    """What is not as it was: inputs, versions."""

    def words(self) -> str:
        """For people."""
        if self.same:
            lines = [f"{self.path.name}: made again, the same bytes"]
        elif self.pixels_same:
            lines = [f"{self.path.name}: made again, the same pixels; not the same file:"]
        else:
            lines = [f"{self.path.name}: what was made again differs:"]
        lines += [f"  {difference}" for difference in self.differences]
        if self.causes:
            lines += ["Not as it was:", *(f"  {cause}" for cause in self.causes)]
        return "\n".join(lines)


def reproduce(path: str | Path, *, progress: Progress | None = None, threads: int = 0) -> Reproduction:
    """Make a file again in a temporary folder, from the recorded inputs and settings.

    Parameters
    ----------
    path : a stack, master or picture in the folder of its run, a master of a library, or what `firstlight apply`,
        `stack` and `combine` wrote.
    threads : worker threads; 0: one per core. The bytes do not depend on it.

    Raises
    ------
    InputError
        It says nothing of how it was made, or an input is not there any more.
    """
    path = Path(path)
    lineage = lineage_of(path)
    outcome = Reproduction(path, causes=[*_inputs(lineage), *_versions(lineage.versions)])
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        if lineage.story.get("made_by") == "apply":
            again = _apply_again(lineage, Path(folder))
        elif lineage.run is not None:
            again = _run_again(lineage, Path(folder), outcome, progress, threads)
        elif lineage.story.get("made_by") == "stack":
            again = stack_again(lineage, Path(folder), progress or Progress(), threads)
        elif lineage.story.get("made_by") == "combine":
            again = combination_again(lineage, Path(folder))
        elif lineage.kind.startswith("master "):
            again = master_again(lineage, Path(folder), progress or Progress(), threads)
        else:
            raise InputError(
                f"{path}: it is neither in the folder of its run nor made by firstlight apply, stack, combine or "
                "library; its record (firstlight explain) says what it was made of"
            )
        if again is None or not again.is_file():
            outcome.differences.append("the inputs as they are now do not lead to this file at all")
            return outcome
        outcome.differences += compare(path, again)
        outcome.same = path.read_bytes() == again.read_bytes()
        outcome.pixels_same = not any(d.startswith("pixels") for d in outcome.differences)
    return outcome


def _inputs(lineage: Lineage) -> list[str]:
    """Files behind it that are not what they were."""
    told, known = [], set()
    for _, source in lineage.sources():
        state = source.state()
        if source.path in known or state in ("same", ""):
            continue
        known.add(source.path)
        words = "is not there any more" if state == "missing" else "has other content than it had (its hash differs)"
        told.append(f"{source.path}: {words}")
    return told


def _versions(then: Mapping[str, str]) -> list[str]:
    now = versions()
    return [f"{name} {then[name]} then, {now.get(name, 'none')} now" for name in then if now.get(name) != then[name]]


def _apply_again(lineage: Lineage, folder: Path) -> Path:
    source = lineage.inputs[0]
    if not source.file.is_file():
        raise InputError(f"{source.path}: the image that {lineage.path.name} was made of is not there any more")
    image = read(source.path)
    further = {frame.role.removeprefix("frame "): frame for frame in lineage.masters}
    missing = [frame.path for frame in further.values() if not frame.file.is_file()]
    if missing:
        raise InputError(f"{missing[0]}: it is needed to make {lineage.path.name} and is not there any more")
    images = {name: read(frame.path) for name, frame in further.items()}
    steps = [parse_step(text) for text in lineage.steps]
    for step in steps:
        image = step(image, *(images.get(name) for name in step.operation.frames))
    target = folder / lineage.path.name
    paths = {name: frame.path for name, frame in further.items()}
    # As it was inherited then: the file it was made of is compared by its hash.
    story = story_of_steps(source.path, paths, [s.pinned() for s in steps], lineage.story.get("of"))
    write(target, image, provenance=story)
    return target


def _run_again(
    lineage: Lineage, folder: Path, outcome: Reproduction, progress: Progress | None, threads: int
) -> Path | None:
    from firstlight.pipeline.lineage import run_of

    run, record = run_of(lineage.path)
    if run is None or record is None:
        raise InputError(f"{lineage.path}: its run folder holds no run.json; nothing says how the run was made")
    session = _session_of(record, run, lineage)
    chosen = {k: v for k, v in record["settings"].items() if k in Settings.model_fields}
    unknown = sorted(set(record["settings"]) - set(chosen))
    outcome.causes += [f"the setting {name} of that run is not known any more" for name in unknown]
    try:
        settings = Settings(**{**chosen, "threads": threads, "executor": "threads", "scheduler": ""})
    except ValidationError as error:
        raise InputError(f"{lineage.path}: the settings of its run are not allowed any more: {error}") from error
    part = lineage.path.parent.name
    if part == "masters":
        needless = {"stacks": False, "pictures": False, "report": False}
        settings = settings.model_copy(update={"output": settings.output.model_copy(update=needless)})
    files = [Path(one["file"]) for one in record["inputs"]]
    files = [f if f.exists() else Path(str(f).partition("#")[0]) for f in files]
    here = [f for f in files if f.exists()]
    if not here:
        raise InputError(f"{lineage.path}: none of its {len(files)} inputs is there any more")
    try:
        process(session, settings, output=folder / "run", progress=progress, only=here)
    except InputError as error:
        raise InputError(f"{lineage.path}: the run cannot be repeated: {error}") from error
    found = folder / "run" / part / lineage.path.name
    return found if found.is_file() else None


def _session_of(record: Mapping[str, Any], run: Path, lineage: Lineage) -> Path:
    for candidate in (record.get("session"), lineage.story.get("session"), run.parent):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise InputError(f"{record.get('session')}: the session of this run is not there any more")


def compare(one: Path, other: Path) -> list[str]:
    """How two products differ, extension by extension, in words; pixels first."""
    if one.suffix.lower() not in (".fits", ".fit", ".fts"):
        if one.read_bytes() == other.read_bytes():
            return []
        try:
            mine, theirs = read(one).data, read(other).data
        except FirstlightError as error:
            return [f"pixels cannot be compared: {error}"]
        return (
            [_pixels("picture", mine, theirs)]
            if _differ(mine, theirs)
            else ["what is written beside the pixels differs"]
        )
    mine, theirs = _parts(one), _parts(other)
    told = [
        f"extension {name}: only in the {'old' if name in mine else 'new'} one" for name in mine.keys() ^ theirs.keys()
    ]
    for name in [n for n in mine if n in theirs]:
        (cards, body), (other_cards, other_body) = mine[name], theirs[name]
        if name not in OWN and body != other_body:
            told.insert(0, f"pixels of {name}: {_how_far(one, other, name)}")
        elif body != other_body:
            told.append("what it says of its own making differs: " + _story_differences(body, other_body))
        changed = [c for c in cards if c not in other_cards and not c.startswith(("CHECKSUM", "DATASUM"))]
        if changed:
            told.append(f"header of {name}: {', '.join(c[:8].strip() for c in changed[:8])}")
    return told


def _parts(path: Path) -> dict[str, tuple[list[str], bytes]]:
    content = open_bytes(path)
    parts = {}
    for number, unit in enumerate(scan(content)):
        head = content.read(unit.header_start, unit.data_start - unit.header_start).decode("ascii", "replace")
        cards = [head[i : i + 80].rstrip() for i in range(0, len(head), 80)]
        parts[unit.name or f"#{number}"] = (cards, content.read(unit.data_start, unit.data_size))
    return parts


def _how_far(one: Path, other: Path, name: str) -> str:
    try:
        images = read(one), read(other)
    except FirstlightError as error:
        return f"cannot be compared: {error}"
    if name == "SCI":
        return _pixels("", images[0].data, images[1].data)
    return "differ"


def _differ(mine: np.ndarray, theirs: np.ndarray) -> bool:
    return mine.shape != theirs.shape or not np.array_equal(mine, theirs, equal_nan=True)


def _pixels(what: str, mine: np.ndarray, theirs: np.ndarray) -> str:
    if mine.shape != theirs.shape:
        return f"pixels: {mine.shape} then, {theirs.shape} now"
    off = np.abs(mine.astype(np.float64) - theirs)
    share = np.mean(~((off == 0) | (np.isnan(mine) & np.isnan(theirs))))
    words = f"{100 * share:.3g} % of them differ, by {np.nanmax(off):.3g} at most"
    return f"pixels of the {what}: {words}" if what else words


def _story_differences(mine: bytes, theirs: bytes) -> str:
    import json

    try:
        one, other = json.loads(mine), json.loads(theirs)
    except ValueError:
        return "it cannot be read"
    names = sorted(_paths(one, other))
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more or "in form alone"


def _paths(one: Any, other: Any, above: str = "") -> Iterable[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _paths(one.get(key), other.get(key), f"{above}.{key}" if above else key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other)):
            yield from _paths(mine, theirs, f"{above}[{number}]")
    elif one != other:
        yield above
