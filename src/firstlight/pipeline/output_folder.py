"""Where products may go: not among the frames, which would then count as products and be passed over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.story import read_story

_OF_A_RUN = ("run.json", "steps", "journal.jsonl")
"""One of these lies in the folder of an earlier run, also of one that was stopped at once."""


def outside(files: Sequence[Path], output: Path) -> list[Path]:
    """The files that do not lie in the folder of the products.

    Raises
    ------
    InputError
        That folder holds frames that no run has made.
    """
    target = output.resolve()
    found = [path for path in files if target not in path.resolve().parents]
    if len(found) < len(files) and (not found or not any((target / name).exists() for name in _OF_A_RUN)):
        inside = next(path for path in files if target in path.resolve().parents)
        raise InputError(
            f"--output {output}: this folder holds frames, such as {inside.name}; what lies among the products is no "
            "frame of the session; give a folder of its own, or none: FOLDER/firstlight"
        )
    return found


def besides_result(files: Sequence[Path], output: Path) -> tuple[list[Path], list[str]]:
    """The files that are not the result of before, which a pattern or a folder names too; and a note of that one.

    Raises
    ------
    InputError
        A file to be replaced is not one that we made of others.
    """
    target = output.resolve()
    found = [path for path in files if path.resolve() != target]
    if len(found) == len(files):
        return found, []
    if read_story(output) is None:
        raise InputError(f"{output}: this is an input, which is never replaced; give another name")
    return found, [f"{output.name}: the result of before, which is replaced; it is not among the files"]
