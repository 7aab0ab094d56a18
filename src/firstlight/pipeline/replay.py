"""Steps done again: fewer of them, without one, on another image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from firstlight.errors import InputError, SpecError, nearest
from firstlight.io.read import open_frame, read
from firstlight.model.image import Image
from firstlight.ops.spec import Step, parse_step


def history_of_file(path: Path) -> tuple[str, ...]:
    """The steps that a file says were applied to it, in pinned form."""
    return open_frame(path).history


def chosen_steps(
    history: Sequence[str], *, until: int | None = None, without: Sequence[int] = (), after: Sequence[str] = ()
) -> list[Step]:
    """Steps of a history that are to be done again: not those that the source has behind it (``after``).

    ``until`` and ``without`` count from 1, as `firstlight history` shows them.

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
    if tuple(history[: len(after)]) != tuple(after):
        raise InputError(
            f"replay: the source has {len(after)} step(s) behind it that are not the first ones of this history; give "
            "the image that the steps were applied to"
        )
    numbered = list(enumerate(history, 1))[len(after) : n if until is None else until]
    return [parse_step(text) for number, text in numbered if number not in without]


def replay(
    path: Path,
    source: Path,
    *,
    until: int | None = None,
    without: Sequence[int] = (),
    frames: Mapping[str, Path] | None = None,
) -> Image:
    """The steps of a file applied to its source again.

    Raises
    ------
    InputError
        The file has no history, a further image that a step takes is missing, or as `chosen_steps`.
    """
    history = history_of_file(path)
    if not history:
        raise InputError(f"{path}: has no history; firstlight writes one into FITS, TIFF and PNG files that it makes")
    image = read(source)
    steps = chosen_steps(history, until=until, without=without, after=image.history)
    given = frames or {}
    taken = {name for each in steps for name in each.operation.frames}
    for each in steps:
        for name in each.operation.frames:
            if name not in given and name not in each.operation.optional:
                raise InputError(f"{each.operation.id}: a {name} is needed: give it as --frame {name}=FILE")
    for name in given:
        if name not in taken:
            raise SpecError(f"--frame {name}=...: none of the steps takes a {name}{nearest(name, taken)}")
    further = {name: read(each) for name, each in given.items()}
    for each in steps:
        image = each(image, *(further.get(name) for name in each.operation.frames))
    return image


def source_of(path: Path) -> Path:
    """The file that an image was made from, as it tells itself.

    Raises
    ------
    InputError
        It does not say, or the file is no longer there.
    """
    raise InputError(f"{path}: does not say what it was made from; give that image as --from SOURCE")
