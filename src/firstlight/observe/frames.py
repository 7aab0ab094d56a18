"""Frames on their way to the disk: headers in the program's own words, names, folders, never anything replaced."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from firstlight import __version__
from firstlight.errors import InputError
from firstlight.io.cards import Card
from firstlight.io.fits_writer import Unit, is_writable, write_raw_fits, write_units
from firstlight.model.observing import Site
from firstlight.observe.equipment import Equipment, Exposure, Kind, Pointing
from firstlight.observe.profile import Profile

FOLDERS: dict[Kind, str] = {
    "light": "lights", "dark": "darks", "bias": "biases", "flat": "flats", "dark flat": "darkflats",
}  # fmt: skip
_TYPES: dict[Kind, str] = {"light": "LIGHT", "dark": "DARK", "bias": "BIAS", "flat": "FLAT", "dark flat": "DARKFLAT"}
_OURS = {
    *("FRAME", "SCALE", "DATE", "EQUINOX", "AIRMASS", "OBJCTAZ", "OBJCTALT", "OBJECT", "OBSERVER"),
    *("FILTER", "TELESCOP", "FOCALLEN", "APTDIA", "SITELAT", "SITELONG", "OBJCTRA", "OBJCTDEC", "RA"),
    *("DEC", "PIERSIDE", "EXPTIME", "EXPOSURE", "DATE-OBS", "DATE-AVG", "DATE-END", "TIMESYS", "IMAGETYP"),
    *("INSTRUME", "XBINNING", "YBINNING", "XPIXSZ", "YPIXSZ", "PIXSIZE1", "PIXSIZE2", "FOCUSPOS", "CHECKSUM"),
    *("DATASUM", "PROGRAM", "SWCREATE"),
}
"""Of the driver's header: said by us, or of other optics than the profile's."""


@dataclass(frozen=True)
class Shot:
    """One frame as it is wanted."""

    kind: Kind
    seconds: float
    filter: str = ""
    gain: float | None = None
    offset: float | None = None
    binning: int = 1

    @property
    def about(self) -> str:
        """In words: ``light Ha 300 s``."""
        more = [f"gain {self.gain:g}"] if self.gain is not None else []
        more += [f"bin {self.binning}"] if self.binning != 1 else []
        return " ".join([self.kind, *([self.filter] if self.filter else []), f"{self.seconds:g} s", *more])


@dataclass(frozen=True)
class Session:
    """What is the same for all frames of a night."""

    folder: Path
    profile: Profile = field(default_factory=Profile)
    target: str = ""
    place: Pointing | None = None
    """Of the target, where it is known."""
    site: Site | None = None
    observer: str = ""


def stem_of(shot: Shot, target: str = "") -> str:
    """How the names of such frames begin.

    >>> stem_of(Shot("light", 300, "Ha", gain=100), "NGC 7000"), stem_of(Shot("dark", 0.5, binning=2))
    ('NGC_7000_Ha_300s_gain100', 'dark_0.5s_bin2')
    """
    words = [target or shot.kind.replace(" ", "")] if shot.kind == "light" else [shot.kind.replace(" ", "")]
    words += [shot.filter] if shot.filter and shot.kind in ("light", "flat", "dark flat") else []
    words += [] if shot.kind in ("bias", "flat") else [f"{shot.seconds:g}s"]
    words += [] if shot.gain is None else [f"gain{shot.gain:g}"]
    words += [] if shot.offset is None else [f"offset{shot.offset:g}"]
    words += [] if shot.binning == 1 else [f"bin{shot.binning}"]
    return "_".join(re.sub(r"[^\w.+-]+", "_", word).strip("_.") or "x" for word in words)


def numbers_of(folder: Path, stem: str) -> list[int]:
    """Numbers of the frames of that name that are there, sorted."""
    if not folder.is_dir():
        return []
    pattern = re.compile(re.escape(stem) + r"_(\d+)\.fits?")
    return sorted(int(found[1]) for path in folder.iterdir() if (found := pattern.fullmatch(path.name)))


def n_there(session: Session, shot: Shot) -> int:
    """How many such frames the folder of the session holds."""
    return len(numbers_of(session.folder / FOLDERS[shot.kind], stem_of(shot, session.target)))


def save(session: Session, shot: Shot, taken: Exposure, equipment: Equipment) -> Path:
    """Write a frame under the next free number, whole or not at all; nothing is ever replaced.

    A frame that has stayed on the camera's computer is not written again: its path there is returned.
    """
    if taken.path is not None:
        return taken.path
    folder, stem = session.folder / FOLDERS[shot.kind], stem_of(shot, session.target)
    number = max(numbers_of(folder, stem), default=0) + 1
    cards = cards_of(session, shot, taken, equipment)
    hidden = folder / f".{stem}_{os.getpid()}.fits"
    if taken.data.dtype == np.uint16:
        write_raw_fits(hidden, taken.data, cards)
    else:
        write_units(hidden, [Unit(cards, taken.data)], checksum=False)
    try:
        while True:
            path = folder / f"{stem}_{number:04d}.fits"
            if _moved(hidden, path):
                return path
            number += 1
    finally:
        hidden.unlink(missing_ok=True)


def _moved(hidden: Path, path: Path) -> bool:
    """Give a file its name, unless there is one of that name."""
    try:
        os.link(hidden, path)
    except FileExistsError:
        return False
    except OSError:
        # FAT has no links.
        if path.exists():
            return False
        hidden.rename(path)
    return True


def cards_of(session: Session, shot: Shot, taken: Exposure, equipment: Equipment) -> list[Card]:
    """The whole header: what we know, then what the driver knows besides."""
    profile, told = session.profile, taken.header
    optics, camera = profile.imaging, equipment.camera
    end = taken.start + timedelta(seconds=taken.seconds)
    gain = told.get("GAIN", shot.gain)
    cards: list[Card] = [
        ("IMAGETYP", _TYPES[shot.kind], "Type of exposure"),
        ("EXPTIME", float(taken.seconds), "[s] Exposure time"),
        ("DATE-OBS", _stamp(taken.start), "UTC, start of the exposure"),
        ("DATE-AVG", _stamp(taken.start + (end - taken.start) / 2), "UTC, middle of the exposure"),
        ("DATE-END", _stamp(end), "UTC, end of the exposure"),
        ("TIMESYS", "UTC", "Time scale"),
        ("OBJECT", session.target if shot.kind == "light" else "", "Target"),
        ("OBSERVER", session.observer or profile.observer, "Observer"),
        ("INSTRUME", camera.name if camera else "", "Camera"),
        ("GAIN", gain, "Gain setting of the camera"),
        ("OFFSET", told.get("OFFSET", shot.offset), "Offset setting of the camera"),
        ("EGAIN", told.get("EGAIN", optics.electrons), "[e-/adu] Electrons per number"),
        ("CCD-TEMP", told.get("CCD-TEMP", camera.temperature if camera else None), "[degC] Sensor temperature"),
        ("SET-TEMP", told.get("SET-TEMP", optics.temperature), "[degC] Set temperature"),
        ("XBINNING", shot.binning, "Binning along x"),
        ("YBINNING", shot.binning, "Binning along y"),
    ]
    if camera is not None and camera.pixel_size:
        size = round(camera.pixel_size * shot.binning, 4)
        cards += [
            ("XPIXSZ", size, "[um] Pixel pitch along x, binned"),
            ("YPIXSZ", size, "[um] Pixel pitch along y, binned"),
        ]
    cards += [
        ("TELESCOP", optics.telescope or (equipment.mount.name if equipment.mount else ""), "Telescope"),
        ("FOCALLEN", optics.focal_length or None, "[mm] Focal length"),
        ("APTDIA", optics.aperture or None, "[mm] Aperture"),
    ]
    if session.site is not None:
        cards += [
            ("SITELAT", session.site.latitude, "[deg] Latitude of the site"),
            ("SITELONG", session.site.longitude, "[deg] Longitude of the site, east positive"),
            ("SITEELEV", session.site.elevation, "[m] Height of the site"),
        ]
    if shot.filter and shot.kind in ("light", "flat", "dark flat"):
        cards.append(("FILTER", shot.filter, "Filter"))
    if equipment.focuser is not None:
        cards.append(("FOCUSPOS", equipment.focuser.position, "[steps] Position of the focuser"))
    if shot.kind == "light":
        cards += _pointing_cards(session, equipment)
    cards.append(("SWCREATE", f"firstlight {__version__}", "Program that wrote the file"))
    ours = {card[0] for card in cards if card[1] not in (None, "")}
    cards = [card for card in cards if card[1] not in (None, "")]
    return cards + [(key, value, "") for key, value in _rest(told).items() if key not in ours]


def _rest(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in _OURS and is_writable(value) and value is not None}


def _pointing_cards(session: Session, equipment: Equipment) -> list[Card]:
    mount = equipment.mount
    place = mount.position if mount is not None else session.place
    if place is None:
        return []
    ra, dec = round(place.ra, 5), round(place.dec, 5)
    cards: list[Card] = [
        ("RA", ra, "[deg] Right ascension, ICRS"),
        ("DEC", dec, "[deg] Declination, ICRS"),
        ("OBJCTRA", sexagesimal(ra / 15.0, 2), "[h m s] Right ascension"),
        ("OBJCTDEC", ("-" if dec < 0 else "+") + sexagesimal(abs(dec), 1), "[d m s] Declination"),
    ]
    if mount is not None and mount.pier_side:
        cards.append(("PIERSIDE", mount.pier_side.upper(), "Side of the pier the telescope is on"))
    return cards


def sexagesimal(value: float, digits: int) -> str:
    """Whole, minutes, seconds with blanks between, as OBJCTRA has them.

    >>> sexagesimal(19.9934, 2)
    '19 59 36.24'
    """
    # Rounded first, so that 59.999 s never reads as 60.
    seconds, fraction = divmod(round(value * 3600 * 10**digits), 10**digits)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d} {minutes % 60:02d} {seconds:02d}.{fraction:0{digits}d}"


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}"


def check_room(folder: Path) -> None:
    """Refuse a folder that cannot be written to before the night is begun, not after the first frame.

    Raises
    ------
    InputError
        It is a file, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder}: there is a file in its place; give another folder") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {(error.strerror or str(error)).lower()}") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be written to; choose another folder")
