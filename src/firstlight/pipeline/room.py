"""Whether the disk can take what a run will write: asked before the work, not after it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.frame import Frame

PER_PIXEL = 12
"""Bytes of a stack: SCI and VAR 4 each, DQ and COVERAGE 2 each."""
MAPS_PER_PIXEL = 4
"""Bytes of the low and the high rejections."""
PICTURES_PER_PIXEL = 9
"""Bytes of a TIFF of 16 bit and a PNG, three channels of each pixel at most."""


def n_pixels(frame: Frame) -> int:
    """Of all channels together."""
    channels, height, width = frame.shape
    return channels * height * width


def scratch_bytes(frames: Iterable[Frame]) -> int:
    """What compressed and camera-raw frames take while they lie decoded beside the products."""
    return sum(n_pixels(frame) * frame.dtype.itemsize for frame in frames if not frame.seekable)


def check_room(target: Path, needed: int, what: str, remedy: str) -> None:
    """Refuse a run for which the disk of ``target`` (a folder that may not exist yet) has too little room.

    Raises
    ------
    InputError
        How much there is and how much is needed.
    """
    folder = target
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{target}: {free / 1e6:.0f} MB free; {what} about {needed / 1e6:.0f} MB; make room, or {remedy}"
        )
