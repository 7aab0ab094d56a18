"""Copies of one file among frames: each exposure counts once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from firstlight.io.content import known_hash
from firstlight.io.frame import Frame, file_of

SAMPLE = 4096
"""Bytes from the middle of files of one size that are compared before the whole of them is read."""


def without_copies(frames: Sequence[Frame]) -> tuple[list[Frame], list[tuple[Path, str]]]:
    """The frames, those left out that are copies of a file before them, and why.

    Taken for exposures of their own, copies would count their light twice and hide the noise. Only files that agree in
    size, time and a piece from their middle are read as a whole.
    """
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
    return kept, [(frame.path, copies[id(frame)]) for frame in frames if id(frame) in copies]


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
