"""Masters of a library, stacks of files and combinations of filters made again from what they record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from firstlight.errors import FirstlightError, FrameError, InputError
from firstlight.io.read import open_frame, open_frames, read
from firstlight.io.scratch import Scratch
from firstlight.io.story import read_story
from firstlight.io.write import write
from firstlight.library.assign import plan_calibrations
from firstlight.library.build import Master
from firstlight.library.classify import Sighting, classify
from firstlight.library.plans import MasterPlan, Rules
from firstlight.library.store import REFUSED, group_identity, input_of
from firstlight.library.superbias import superbias
from firstlight.model.meta import Kind
from firstlight.ops.registry import Params
from firstlight.ops.stack.rules import Combine
from firstlight.pipeline.combine_channels import ChannelSettings, combine_channels
from firstlight.pipeline.executors import memory_budget, thread_count, thread_pool
from firstlight.pipeline.lineage import Lineage
from firstlight.pipeline.masters import combine_frames, provenance_of
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.record import fingerprint_of
from firstlight.pipeline.stack import stack_files
from firstlight.pipeline.stack_settings import StackSettings


def stack_again(lineage: Lineage, folder: Path, progress: Progress, threads: int) -> Path:
    """A stack of `firstlight stack`, from its files in their order and those that were set aside.

    Raises
    ------
    InputError
        A file is not there any more; settings that are not known any more.
    """
    files = [source.path for source in lineage.inputs]
    _all_there(lineage, files)
    files += [path for path in map(Path, lineage.left_out) if _file_of(path).is_file()]
    settings = _settings(lineage, StackSettings, {**lineage.settings, "threads": threads})
    target = folder / lineage.path.name
    try:
        stack_files(files, target, settings, progress=progress)
    except FirstlightError as error:
        raise InputError(f"{lineage.path}: cannot be made again: {error}") from error
    return target


def combination_again(lineage: Lineage, folder: Path) -> Path:
    """What `firstlight combine` (or a recipe) made of images of different filters.

    Raises
    ------
    InputError
        A file is not there any more; settings that are not known any more.
    """
    story = lineage.story
    reference = (story.get("onto") or {}).get("file")
    files = [source.path for source in lineage.inputs]
    _all_there(lineage, [*files, *([Path(reference)] if reference else [])])
    # The files are recorded in the order of the mode.
    settings = _settings(lineage, ChannelSettings, {**story.get("settings", {}), "in_order": True})
    try:
        combined = combine_channels(
            story["mode"], files, story.get("arguments", {}), settings, reference=reference, chains=story["chains"]
        )
    except FirstlightError as error:
        raise InputError(f"{lineage.path}: cannot be made again: {error}") from error
    told = combined.provenance() | {"notes": story["notes"], "settings": story.get("settings", {})}
    return write(folder / lineage.path.name, combined.image, provenance=told)


def master_again(lineage: Lineage, folder: Path, progress: Progress, threads: int) -> Path:
    """A master of a library, from its frames and the master that is subtracted from them.

    What it says of its likeness to an earlier master is about that one, and taken over.

    Raises
    ------
    InputError
        A frame, or the master below, is not there any more; the frames make no such master.
    """
    story = lineage.story
    _all_there(lineage, [source.path for source in lineage.inputs])
    below = next((source.path for source in lineage.masters if source.role == "subtracted"), None)
    if below is not None and not below.is_file():
        raise InputError(f"{below}: it is subtracted from the frames of {lineage.path.name} and is not there any more")
    plan = _plan(lineage, below)
    under = None if below is None or plan.subtract is None else Master(plan.subtract, read(below))
    rule = _settings(lineage, Combine, story.get("settings", {}))
    with thread_pool(threads) as executor, Scratch(folder) as scratch:
        rows = len(plan.frames) * plan.like.shape[1]
        progress.begin("masters", rows, "rows")
        try:
            master = combine_frames(
                plan, under, executor, thread_count(threads), memory_budget(0), scratch, progress.advance,
                None if plan.sky else rule,
            )  # fmt: skip
        except FrameError as error:
            raise InputError(f"{lineage.path}: cannot be made again: {error}") from error
        finally:
            progress.end()
    if "superbias" in story.get("notes", ()):
        master = Master(master.plan, superbias(master.image), master.set_aside, (*master.notes, "superbias"))
    left_out = {str(frame.path) for frame, _ in master.set_aside}
    used = [input_of(frame) for frame in plan.frames if str(frame.path) not in left_out]
    considered = story.get("considered", [])
    identity = group_identity(considered, None if below is None else below.name)
    record = provenance_of(master, fingerprint_of(identity, rule.model_dump()), below, used)
    kept = ("considered", "verdict", REFUSED, "settings")
    record |= {name: story[name] for name in kept if name in story}
    return write(folder / lineage.path.name, master.image, provenance=record)


def _plan(lineage: Lineage, below: Path | None) -> MasterPlan:
    """The frames, and the master below, as a build of the library would put them together."""
    shelf = []
    if below is not None:
        kind = Kind(str((read_story(below) or {}).get("kind", Kind.BIAS.value)))
        shelf = [MasterPlan(kind, (open_frame(below),), ready=True, shared=True)]
    inputs = {source.path for source in lineage.inputs}
    sightings: list[Sighting] = []
    for path in [*(source.path for source in lineage.inputs), *map(Path, lineage.left_out)]:
        try:
            frames = [f for f in open_frames(_file_of(path)) if str(f.path) == str(path) or f.name == path.name]
            sightings += [classify(frame) for frame in frames]
        except (FrameError, InputError):
            continue
    kind = Kind(lineage.story["kind"])
    sky = any(sighting.kind is Kind.LIGHT for sighting in sightings)
    masters = [m for m in plan_calibrations(sightings, Rules(sky_flats=sky), shelf).masters if m.kind is kind]
    for plan in masters:
        if inputs <= {frame.path for frame in plan.frames} and (plan.subtract is None) == (below is None):
            return plan
    raise InputError(
        f"{lineage.path}: its {len(inputs)} frames, as they are now, do not make one {kind.value} any more"
    )


def _all_there(lineage: Lineage, files: list[Path]) -> None:
    missing = [path for path in files if not _file_of(path).is_file()]
    if missing:
        raise InputError(f"{missing[0]}: it is needed to make {lineage.path.name} and is not there any more")
    if not files:
        raise InputError(f"{lineage.path}: it does not say what it was made of")


def _file_of(path: Path) -> Path:
    """The file, also of one exposure of many."""
    return path if path.exists() else Path(str(path).partition("#")[0])


def _settings(lineage: Lineage, model: type[Params], values: dict[str, Any]) -> Any:
    known = {name: value for name, value in values.items() if name in model.model_fields}
    try:
        return model(**known)
    except ValidationError as error:
        raise InputError(f"{lineage.path}: its settings are not allowed any more: {error}") from error
