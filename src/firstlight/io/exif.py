"""What cameras and programs write into pictures, as header cards: EXIF tags, and FITS cards kept in a description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from firstlight.io.cards import CARD, Card, parse_card

DESCRIPTION, _MAKE, _MODEL, _SOFTWARE, _ARTIST, _EXIF = 270, 271, 272, 305, 315, 34665
_EXPOSURE, _F_NUMBER, _ISO, _DATE, _OFFSET, _SUBSECONDS, _FOCAL, _SERIAL = (
    33434,
    33437,
    34855,
    36867,
    36881,
    37521,
    37386,
    42033,
)
_ISO_SPEED = 34866
_NAMES = {
    _MAKE: "Make",
    _MODEL: "Model",
    _SOFTWARE: "Software",
    _ARTIST: "Artist",
    _EXPOSURE: "ExposureTime",
    _F_NUMBER: "FNumber",
    _ISO: "ISOSpeedRatings",
    _DATE: "DateTimeOriginal",
    _OFFSET: "OffsetTimeOriginal",
    _SUBSECONDS: "SubsecTimeOriginal",
    _FOCAL: "FocalLength",
    _SERIAL: "BodySerialNumber",
    _ISO_SPEED: "RecommendedExposureIndex",
}


def cards_of_exif(tags: Mapping[int, Any]) -> tuple[Card, ...]:
    """Cards from EXIF tags by number (those of the main and of the EXIF directory together).

    The camera's clock is local time: it becomes DATE-OBS only where the offset from UTC is written, else DATE-LOC.
    """
    cards: list[Card] = []

    def add(keyword: str, value: Any, tag: int) -> None:
        if value not in (None, "", 0):
            cards.append((keyword, value, f"EXIF {_NAMES[tag]}"))

    make, model = _text(tags.get(_MAKE)), _text(tags.get(_MODEL))
    camera = model if not make or model.lower().startswith(make.split()[0].lower()) else f"{make} {model}"
    add("INSTRUME", camera.strip(), _MODEL)
    add("CAMSER", _text(tags.get(_SERIAL)), _SERIAL)
    add("EXPTIME", _number(tags.get(_EXPOSURE)), _EXPOSURE)
    add("ISOSPEED", _number(tags.get(_ISO)) or _number(tags.get(_ISO_SPEED)), _ISO)
    add("FNUMBER", _number(tags.get(_F_NUMBER)), _F_NUMBER)
    add("FOCALLEN", _number(tags.get(_FOCAL)), _FOCAL)
    add("OBSERVER", _text(tags.get(_ARTIST)), _ARTIST)
    add("SWCREATE", _text(tags.get(_SOFTWARE)), _SOFTWARE)
    match = re.match(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)$", _text(tags.get(_DATE)))
    if match and match[1] != "0000":
        fraction = re.sub(r"\D", "", _text(tags.get(_SUBSECONDS)))
        time = f"{match[1]}-{match[2]}-{match[3]}T{match[4]}" + (f".{fraction}" if fraction else "")
        offset = _text(tags.get(_OFFSET))
        if re.match(r"[+-]\d\d:\d\d$", offset):
            add("DATE-OBS", time + offset, _DATE)
        else:
            add("DATE-LOC", time, _DATE)
    return tuple(cards)


def cards_of_text(text: str) -> tuple[Card, ...]:
    """FITS cards that a program keeps in a picture's description, one a line; empty where the text is no header."""
    cards = []
    for line in text.splitlines():
        if re.match(r"[A-Z0-9_-]{1,8} *= ", line) or line.startswith(("HISTORY ", "COMMENT ")):
            cards.append(parse_card(line[: 4 * CARD]))
    return tuple(cards)


def cards_of_tiff(page: Any) -> tuple[Card, ...]:
    """Cards from a page that tifffile has opened: its description if that is a header, else its EXIF tags."""
    tags: dict[int, Any] = {tag.code: tag.value for tag in page.tags}
    inner = tags.get(_EXIF)
    if isinstance(inner, dict):
        numbers = {name: number for number, name in _NAMES.items()}
        tags.update({numbers[name]: value for name, value in inner.items() if name in numbers})
    cards = cards_of_text(_text(tags.get(DESCRIPTION)))
    return cards or cards_of_exif({number: value for number, value in tags.items() if isinstance(number, int)})


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return str(value).strip("\0 ") if value is not None else ""


def _number(value: Any) -> float | None:
    if isinstance(value, (tuple, list)):
        if len(value) == 2 and all(isinstance(v, int) for v in value):
            return float(Fraction(value[0], value[1])) if value[1] else None
        value = value[0] if value else None
    try:
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
