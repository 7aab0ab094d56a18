"""Which place a person means: px of a frame, or a place on the sky."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.open_fits import WCS
from firstlight.io.read import open_frame
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap

if TYPE_CHECKING:
    from firstlight.model.meta import Meta

_NUMBER = r"[+-]?\d+(?:\.\d*)?"


@dataclass(frozen=True)
class Place:
    """Two numbers: x and y, px, or right ascension and declination, degrees (ICRS)."""

    first: float
    second: float
    is_sky: bool

    def __str__(self) -> str:
        return (
            f"RA {self.first:.5f}, Dec {self.second:+.5f}"
            if self.is_sky
            else f"({self.first:.1f}, {self.second:.1f}) px"
        )


def parse_place(text: str) -> Place:
    """``x,y`` in px; ``RA Dec`` in degrees, or in hours and degrees with minutes and seconds.

    >>> parse_place("423.3, 286.8")
    Place(first=423.3, second=286.8, is_sky=False)
    >>> place = parse_place("02:04:10.3 -46:41:16")
    >>> round(place.first, 5), round(place.second, 5)
    (31.04292, -46.68778)
    >>> parse_place("31.0429 +46.6878").is_sky
    True

    Raises
    ------
    InputError
        Neither of these.
    """
    if found := re.fullmatch(rf"\s*({_NUMBER})\s*,\s*({_NUMBER})\s*", text):
        return Place(float(found[1]), float(found[2]), False)
    parts = text.replace("h", ":").replace("m", ":").replace("d", ":").replace("s", " ").replace("°", ":").split()
    if len(parts) == 6:
        parts = [":".join(parts[:3]), ":".join(parts[3:])]
    try:
        ra, dec = parts
        place = Place(_angle(ra) * (15.0 if ":" in ra else 1.0), _angle(dec), True)
        if not 0 <= place.first < 360 or not -90 <= place.second <= 90:
            raise ValueError
    except ValueError:
        raise InputError(
            f'place {text!r}: give x,y in px ("423.3,286.8"), or right ascension and declination '
            '("02:04:10.3 +46:41:16", or in degrees "31.0429 +46.6878")'
        ) from None
    return place


def _angle(text: str) -> float:
    parts = [abs(float(part)) for part in text.strip(":").split(":")]
    size = sum(value / 60.0**i for i, value in enumerate(parts))
    return -size if text.startswith("-") else size


def parse_places(text: str) -> list[Place]:
    """Several places, separated by semicolons."""
    return [parse_place(part) for part in text.split(";") if part.strip()]


def read_plate(path: str) -> Plate:
    """The plate of an image, or of a header without an image (.wcs).

    Raises
    ------
    InputError
        The file is not there or holds no plate.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{path}: there is no such file; give a solved image or a .wcs file")
    plate = None
    try:
        plate = open_frame(file).plate
    except FrameError:
        plate = _plate_of_header(file)
    if plate is None:
        raise InputError(f"{path}: holds no plate (WCS); solve it first: firstlight solve {path}")
    return plate


def _plate_of_header(path: Path) -> Plate | None:
    from firstlight.io.fits_scan import FitsBytes, scan

    try:
        header = scan(FitsBytes(path))[0].header
    except (FrameError, IndexError):
        return None
    cards = {card[0]: card[1] for card in header.cards if WCS.match(card[0])}
    return Plate(cards) if "CRVAL1" in cards else None


def on_frame(place: Place, plate: Plate | None, name: str) -> np.ndarray:
    """Position (2,) of a place on a frame with this plate.

    Raises
    ------
    InputError
        A place on the sky, and no plate.
    """
    if not place.is_sky:
        return np.array([place.first, place.second])
    if plate is None:
        raise InputError(
            f"{place} is asked for, and {name} has no plate (WCS); solve it (firstlight solve), give --plate FILE, or "
            "give the place as x,y"
        )
    try:
        return SkyMap.of(plate).positions(np.array([[place.first, place.second]]))[0]
    except FrameError as error:
        raise InputError(f"{name}: {error}; solve it anew: firstlight solve") from error


def header_place(meta: Meta) -> Place | None:
    """RA and DEC of a header."""
    return None if meta.ra is None or meta.dec is None else Place(meta.ra, meta.dec, True)
