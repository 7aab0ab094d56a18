"""Maps of bad pixels: made of masters and of lists that people keep, written as FITS and read back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.table_files import SUFFIXES, read_table
from firstlight.io.write import write
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta

AUTOMATIC, USER = 1, 2
"""Values of a map, added where both say so."""
BAD = Flag.HOT | Flag.COLD | Flag.NO_DATA
SECTIONS = {"columns": 1, "rows": 1, "rectangles": 4, "pixels": 2}
"""What a list may hold, and how many numbers an entry has."""


def read_list(path: str | os.PathLike[str], shape: tuple[int, int]) -> np.ndarray:
    """The mask (y, x) of a list of bad pixels in YAML, TOML or JSON.

    ``columns: [5, 6]``, ``rows: [1]``, ``rectangles: [[row1, row2, column1, column2]]``, ``pixels: [[column, row]]``:
    each may be missing; all numbers count from 1, and the last belongs to a rectangle.

    Raises
    ------
    InputError
        Another section, an entry of another form, or a position beyond the image.
    """
    height, width = shape
    mask = np.zeros(shape, bool)
    table = read_table(path)
    for section, entries in table.items():
        if section not in SECTIONS:
            raise InputError(f"{path}: {section!r} is not known; {', '.join(SECTIONS)} are; correct it there")
        for entry in entries or []:
            numbers = _numbers(path, section, entry)
            if section == "columns":
                box = (1, height, numbers[0], numbers[0])
            elif section == "rows":
                box = (numbers[0], numbers[0], 1, width)
            elif section == "pixels":
                box = (numbers[1], numbers[1], numbers[0], numbers[0])
            else:
                box = (numbers[0], numbers[1], numbers[2], numbers[3])
            if not (1 <= box[0] <= box[1] <= height and 1 <= box[2] <= box[3] <= width):
                raise InputError(
                    f"{path}: {section}: {entry} is not within the image of {width} x {height} px; columns are 1 to "
                    f"{width}, rows 1 to {height}"
                )
            mask[box[0] - 1 : box[1], box[2] - 1 : box[3]] = True
    return mask


def _numbers(path: str | os.PathLike[str], section: str, entry: Any) -> list[int]:
    numbers = entry if isinstance(entry, list) else [entry]
    if len(numbers) != SECTIONS[section] or not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        form = {1: "one number", 2: "[column, row]", 4: "[row1, row2, column1, column2]"}[SECTIONS[section]]
        raise InputError(f"{path}: {section}: {entry!r}; whole numbers are allowed: {form}")
    return numbers


def make_map(flags: np.ndarray, user: np.ndarray | None, meta: Meta) -> Image:
    """A map of bad pixels as an image: 1 where masters say so, 2 where the user does, 3 where both do.

    ``flags`` (channels, y, x) tell HOT and COLD; of the user's pixels nothing more is known: they are NO_DATA. The
    header counts them (NBADAUTO, NBADUSER).
    """
    automatic = has(flags, BAD)
    own = np.zeros(automatic.shape, bool) if user is None else np.broadcast_to(user, automatic.shape)
    counts = (
        ("NBADAUTO", int(np.count_nonzero(automatic)), "bad pixels found by firstlight"),
        ("NBADUSER", int(np.count_nonzero(own)), "bad pixels of the user's list"),
    )
    data = AUTOMATIC * automatic.astype(np.float32) + USER * own.astype(np.float32)
    flags = np.where(automatic, flags & np.uint16(BAD), np.uint16(0)) | np.where(
        own, np.uint16(Flag.NO_DATA), np.uint16(0)
    )
    kept = ("camera", "serial", "gain_setting", "offset", "readout_mode", "binning", "origin", "cfa", "bottom_up",
            "pixel_size", "temperature", "set_temperature", "telescope")  # fmt: skip
    meta = Meta(**{name: getattr(meta, name) for name in kept}, cards=counts)
    return Image(data, flags.astype(np.uint16), unit=PixelUnit.NORMALISED, meta=meta)


def write_map(path: str | os.PathLike[str], bad: Image) -> Path:
    """Write a map of bad pixels as FITS."""
    return write(path, bad)


def read_bad_pixels(path: str | os.PathLike[str], shape: tuple[int, int, int]) -> np.ndarray:
    """Flags uint16 (channels, y, x) of the bad pixels that a file names: a map (FITS) or a list (YAML, TOML, JSON).

    Every pixel of a map that is not 0 is bad; its flags are those that the file carries, else NO_DATA. A map of one
    channel serves all.

    Raises
    ------
    InputError
        The file cannot be read, or is not of this shape.
    """
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
        mask = read_list(path, shape[1:])
        return np.broadcast_to(np.where(mask, np.uint16(Flag.NO_DATA), np.uint16(0)), shape).copy()
    image = read(path)
    if image.shape[1:] != shape[1:] or image.shape[0] not in (1, shape[0]):
        raise InputError(
            f"{path}: the map is {image.shape[2]} x {image.shape[1]} px, the frames are {shape[2]} x {shape[1]}; "
            "they must be equal; make one of this camera, binning and sub-frame (firstlight detector)"
        )
    flags = image.flags & np.uint16(BAD)
    bare = (image.data != 0) & (flags == 0)
    flags = np.where(bare, np.uint16(Flag.NO_DATA), flags)
    return np.broadcast_to(flags.astype(np.uint16), shape).copy()
