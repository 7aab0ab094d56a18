"""Steps done again: fewer of them, without one, on another image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from firstlight.errors import InputError, SpecError, nearest
from firstlight.io.content import QUICK_HASH, fresh_hash
from firstlight.io.read import open_frame, read
from firstlight.io.story import read_story
from firstlight.model.image import Image
from firstlight.ops.spec import Step, parse_step


def history_of_file(path: Path) -> tuple[str, ...]:
    """The steps that a file says were applied to it, in pinned form."""
    return open_frame(path).history


def chosen_steps(
    history: Sequence[str],
    *,
    until: int | None = None,
    without: Sequence[int] = (),
    after: Sequence[str] = (),
    any_version: bool = False,
) -> list[Step]:
    """Steps of a history that are to be done again: not those that the source has behind it (``after``).

    ``until`` and ``without`` count from 1, as `firstlight history` shows them. ``any_version`` takes steps of another
    version as they are today.

    Raises
    ------
    InputError
        Numbers that the history does not have; a source with steps of its own that are not the first of these.
    SpecError
        A step that exists no more, or in another version: pixels would not be the same.
    """
    n = len(history)
    for number in (*([until] if until is not None else []), *without):
        if not (0 if number == until else 1) <= number <= n:
            raise InputError(
                f"replay: step {number} is asked for; the history has {n} step(s): firstlight history FILE"
            )
    first = min([n if until is None else until, *(number - 1 for number in without)])
    if len(after) > first:
        raise InputError(
            f"replay: the source has {len(after)} step(s) behind it, more than are to be kept; give the image before"
        )
    if tuple(history[: len(after)]) != tuple(after):
        raise InputError(
            f"replay: the source has {len(after)} step(s) behind it that are not the first ones of this history; give "
            "the image that the steps were applied to"
        )
    numbered = list(enumerate(history, 1))[len(after) : n if until is None else until]
    wanted = [text for number, text in numbered if number not in without]
    if any_version:
        return [parse_step(re.sub(r"^(\w+:\w+)@\w+", r"\1", text)) for text in wanted]
    try:
        return [parse_step(text) for text in wanted]
    except SpecError as error:
        if "is at version" not in str(error):
            raise
        words = str(error).partition(";")[0]
        raise SpecError(f"{words}: pixels would differ; --any-version does such steps as they are today") from None


def replay(
    path: Path,
    source: Path,
    *,
    until: int | None = None,
    without: Sequence[int] = (),
    frames: Mapping[str, Path] | None = None,
    any_version: bool = False,
) -> tuple[Image, list[Step]]:
    """The steps of a file applied to its source again, and which were done.

    Raises
    ------
    InputError
        The file has no history, a further image that a step takes is missing, or as `chosen_steps`.
    """
    history = history_of_file(path)
    if not history:
        raise InputError(f"{path}: has no history; firstlight writes one into FITS, TIFF and PNG files that it makes")
    image = read(source)
    steps = chosen_steps(history, until=until, without=without, after=image.history, any_version=any_version)
    given = frames or {}
    taken = {name for each in steps for name in each.operation.frames}
    for each in steps:
        for name in each.operation.frames:
            if name not in given and name not in each.operation.optional:
                raise InputError(f"{each.operation.id}: a {name} is needed: give it as --frame {name}=FILE")
    if given and taken and not taken & set(given):
        name = next(iter(given))
        raise SpecError(f"--frame {name}=...: none of the steps takes a {name}{nearest(name, taken)}")
    further = {name: read(each) for name, each in given.items() if name in taken}
    for each in steps:
        image = each(image, *(further.get(name) for name in each.operation.frames))
    return image, steps


def source_of(path: Path, most: int) -> Path:
    """The file that an image was made from by its own account, with at most so many steps behind it.

    Raises
    ------
    InputError
        It does not say, or the file is no longer there or no longer what it was.
    """
    story = read_story(path)
    while True:
        inputs = (story or {}).get("inputs") or []
        if story is None or story.get("made_by") != "apply" or len(inputs) != 1:
            raise InputError(
                f"{path}: does not say what all of its steps were applied to; give that image as --from SOURCE"
            )
        found = Path(inputs[0]["file"])
        if not found.is_file():
            raise InputError(f"{found}: {path.name} was made from it, and it is not there; give it as --from SOURCE")
        if fresh_hash(found) != inputs[0][QUICK_HASH]:
            raise InputError(
                f"{found}: {path.name} was made from it, and it has changed since; give what it was as --from SOURCE"
            )
        if len(history_of_file(found)) <= most:
            return found
        story = story.get("of") or read_story(found)


def frames_of(path: Path) -> dict[str, Path]:
    """The further images that the steps of a file took, by its own account."""
    story = read_story(path) or {}
    return {name: Path(each["file"]) for name, each in (story.get("frames") or {}).items()}
