"""Copies of a file, and pictures of it, among frames: each exposure counts once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from firstlight.io.content import known_hash
from firstlight.io.frame import Frame, file_of
from firstlight.io.read import format_of
from firstlight.model.image import State

SAMPLE = 4096
"""Bytes from the middle of files of one size that are compared before the whole of them is read."""


def without_copies(frames: Sequence[Frame]) -> tuple[list[Frame], list[tuple[Path, str]]]:
    """The frames, those left out that show the exposure of another, and why.

    Taken for exposures of their own, copies of a file would count their light twice and hide the noise. Only files that
    agree in size, time and a piece from their middle are read as a whole. Pictures that a camera or its program writes
    beside a frame (``IMG_0001.JPG`` beside ``IMG_0001.CR2``) are no frames either.
    """
    frames, pictures = _without_pictures(frames)
    alike: dict[object, list[Frame]] = {}
    for frame in frames:
        alike.setdefault((file_of(frame).stat().st_size, frame.number, frame.meta.start), []).append(frame)
    copies: dict[int, str] = {}
    for group in _parted(alike.values()):
        first: dict[str, Frame] = {}
        for frame in group:
            earlier = first.setdefault(known_hash(file_of(frame)), frame)
            if earlier is not frame:
                other = earlier.path.name if earlier.path.name != frame.path.name else str(earlier.path)
                copies[id(frame)] = (
                    f"{frame.path.name}: the same file as {other}, byte for byte; an exposure counts once; remove the "
                    "copy"
                )
    kept = [frame for frame in frames if id(frame) not in copies]
    return kept, pictures + [(frame.path, copies[id(frame)]) for frame in frames if id(frame) in copies]


def _without_pictures(frames: Sequence[Frame]) -> tuple[list[Frame], list[tuple[Path, str]]]:
    linear = {_name(frame.path): frame.path.name for frame in frames if frame.state is State.LINEAR}
    kept: list[Frame] = []
    pictures: list[tuple[Path, str]] = []
    for frame in frames:
        shown = linear.get(_name(frame.path)) if frame.state is State.STRETCHED else None
        if shown is None:
            kept.append(frame)
        else:
            pictures.append(
                (frame.path, f"{frame.path.name}: a picture of {shown}, which is taken; no frame of its own")
            )
    return kept, pictures


def _name(path: Path) -> tuple[Path, str]:
    """Folder and name without ending, and without what programs add to the names of previews."""
    stem = Path(path.stem).stem if path.suffix.lower() in (".fz", ".gz", ".bz2", ".xz") else path.stem
    return path.parent, re.sub(r"[-_ ](thn|thumb(nail)?|preview)$", "", stem.lower())


def _parted(groups: Iterable[list[Frame]]) -> list[list[Frame]]:
    """Groups of two or more, parted by a piece from the middle of each file."""
    parted: list[list[Frame]] = []
    for group in groups:
        pieces: dict[bytes, list[Frame]] = {}
        for frame in group if len(group) > 1 else ():
            with open(file_of(frame), "rb") as file:
                file.seek(file_of(frame).stat().st_size // 2)
                pieces.setdefault(file.read(SAMPLE), []).append(frame)
        parted += [each for each in pieces.values() if len(each) > 1]
    return parted


def pictured(frame: Frame) -> Path | None:
    """The file in the folder that a picture shows; None where the frame is none, or stands for itself."""
    if frame.state is not State.STRETCHED:
        return None
    mine = _name(frame.path)
    beside = (path for path in sorted(frame.path.parent.iterdir()) if path != frame.path and _name(path) == mine)
    return next((path for path in beside if format_of(path) in ("fits", "raw", "xisf", "ser")), None)
