"""Header values to numbers in firstlight's units; ``None`` where a value means nothing."""

from __future__ import annotations

import math
import re
from typing import Any

from firstlight.io.cards import parse_value

_NUMBER = re.compile(r"\s*([+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[EeDd][+-]?\d+)?)\s*([A-Za-z/°µ%-]*)")
_SEXAGESIMAL = re.compile(
    r"\s*([+-])?\s*(\d+(?:\.\d*)?)[\s:hd°]+(\d+(?:\.\d*)?)(?:[\s:m'′]+(\d+(?:[.,]\d*)?)?)?[\s\"″s]*$", re.IGNORECASE
)
LONGEST = 1e8
"""s: three years. A longer exposure is a slip, and times cannot be reckoned with it."""
_UNKNOWN = {
    "",
    "unknown",
    "none",
    "n/a",
    "na",
    "null",
    "noname",
    "no object",
    "not set",
    "undefined",
    "default",
    "-",
    "xxxxxx",
}


def number(value: Any) -> float | None:
    """A finite number, from a number or a text that begins with one (decimal comma and unit allowed).

    >>> number("44 C"), number("1,5"), number("dark"), number(True)
    (44.0, 1.5, None, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        match = _NUMBER.match(value)
        value = parse_value(match[1]) if match else None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def positive(value: Any) -> float | None:
    """A number above zero."""
    found = number(value)
    return found if found is not None and found > 0 else None


def text(value: Any) -> str | None:
    """A text that says something: blanks, *unknown*, *none* and their like are None.

    >>> text(" M 31 "), text("Unknown"), text("")
    ('M 31', None, None)
    """
    if value is None or isinstance(value, bool):
        return None
    word = " ".join(str(value).split())
    return None if word.lower() in _UNKNOWN else word


def sexagesimal(value: str) -> float | None:
    """``d m s`` or ``h m s`` as one number; the sign belongs to the whole, so -0 30 00 is -0.5.

    >>> sexagesimal("-00 30 00"), sexagesimal("19:59:41.99"), sexagesimal("12d30m")
    (-0.5, 19.994997222222224, 12.5)
    """
    match = _SEXAGESIMAL.match(value)
    if not match:
        return None
    sign, whole, minutes, seconds = match.groups()
    if float(minutes) >= 60 or (seconds and float(seconds.replace(",", ".")) > 60):
        return None
    size = float(whole) + float(minutes) / 60 + (float(seconds.replace(",", ".")) if seconds else 0.0) / 3600
    return -size if sign == "-" else size


def right_ascension(value: Any, comment: str = "") -> float | None:
    """Degrees from ``h m s`` text, from a number of degrees, or of hours where the comment says so."""
    if isinstance(value, str) and (found := sexagesimal(value)) is not None:
        degrees = found * 15
    elif (plain := number(value)) is not None:
        in_hours = re.search(r"\bhours?\b|\[h\]", comment, re.IGNORECASE)
        degrees = plain * 15 if in_hours else plain
    else:
        return None
    return degrees if 0 <= degrees <= 360 else None


def declination(value: Any, comment: str = "") -> float | None:
    """Degrees from ``d m s`` text or a number."""
    found = sexagesimal(value) if isinstance(value, str) else None
    degrees = number(value) if found is None else found
    return degrees if degrees is not None and -90 <= degrees <= 90 else None


def celsius(value: Any, comment: str = "") -> float | None:
    """Degrees C; Kelvin is told by the comment or by a value no camera reaches; -1 *if no data* is none.

    >>> celsius(271.0, "Temperature in Kelvin, =-1 if no data"), celsius("44 C"), celsius(-999)
    (-2.1499999999999773, 44.0, None)
    """
    found = number(value)
    if found is None or (found == -1 and "no data" in comment.lower()):
        return None
    if "kelvin" in comment.lower() or found > 150:
        found -= 273.15
    return found if -200 < found < 100 else None


def latitude(value: Any) -> float | None:
    """Degrees, north positive, from a number or ``d m s`` text, with N or S before or after it.

    >>> latitude("-31 16 24"), latitude("33 30 S"), latitude(91)
    (-31.273333333333333, -33.5, None)
    """
    found = _on_earth(value, "NS")
    return found if found is not None and -90 <= found <= 90 else None


def longitude(value: Any, comment: str = "") -> float | None:
    """Degrees, east positive, -180 to 180; W, or a comment that counts westward, turns the sign.

    >>> longitude("149 04 11"), longitude(360 - 110.88), longitude("110 52 48 W"), longitude(70.8, "West longitude")
    (149.06972222222223, -110.88, -110.88, -70.8)
    """
    found = _on_earth(value, "EW")
    if found is None or not -180 <= found <= 360:
        return None
    if found > 0 and _WESTWARD.search(comment):
        found = -found
    return round(found - 360, 10) if found > 180 else found


_WESTWARD = re.compile(
    r"west(ern)? longitude|degrees? west|deg\.? ?west|west (is )?positive|positive west|\+ ?(is )?west|west ?= ?\+",
    re.IGNORECASE,
)


def _on_earth(value: Any, sides: str) -> float | None:
    turned = False
    if isinstance(value, str):
        text = value.strip().upper()
        letter = next((side for side in sides if side in (text[:1], text[-1:])), "")
        turned = letter != "" and letter == sides[1]
        value = text.strip(sides + " ")
    found = sexagesimal(value) if isinstance(value, str) else None
    found = number(value) if found is None else found
    return -found if found is not None and turned else found


def elevation(value: Any) -> float | None:
    """Metres above the sea, from below the Dead Sea to above the highest mountain."""
    found = number(value)
    return found if found is not None and -500 <= found <= 9000 else None


def seconds(value: Any, comment: str = "") -> float | None:
    """Exposure time in s: a number, or a fraction such as ``1/250``; 0 is an exposure (bias).

    A unit in the value or in the comment is heeded.

    >>> seconds("1/250"), seconds(5000, "[ms] exposure"), seconds("0.2 ms"), seconds(2, "Exposure time in minutes")
    (0.004, 5.0, 0.0002, 120.0)
    """
    if isinstance(value, str) and (match := re.match(r"\s*(\d+)\s*/\s*(\d+)", value)) and int(match[2]):
        return int(match[1]) / int(match[2])
    found = number(value)
    if found is None or found < 0:
        return None
    said = f"{_NUMBER.match(value)[2]} {comment}" if isinstance(value, str) else comment  # type: ignore[index]
    found = _in_seconds(found, said)
    return found if found < LONGEST else None


def _in_seconds(found: float, said: str) -> float:
    """A time in the unit that a text names; without one, it is in s."""
    if re.search(r"\[s\]|\(s\)|(?<!milli[- ])(?<!micro[- ])\b(seconds?|secs?)\b", said, re.IGNORECASE):
        return found
    if re.search(r"\b(ms|msecs?|milli[- ]?seconds?)\b", said, re.IGNORECASE):
        return found / 1e3
    if re.search(r"(\b(us|usecs?|micro[- ]?seconds?)\b|µs)", said, re.IGNORECASE):
        return found / 1e6
    if re.search(r"(\[min\]|\bin minutes\b|^\s*min(utes)?\s*$)", said, re.IGNORECASE):
        return found * 60
    return found


def millimetres(value: Any) -> float | None:
    return positive(value)
