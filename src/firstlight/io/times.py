"""Times in headers, as UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from firstlight.io.cards import Header
from firstlight.io.convert import number
from firstlight.model.meta import J2000

UTC = UTC
_DATE = re.compile(r"\s*(\d{4})[-/:](\d{1,2})[-/:](\d{1,2})(.*)$")
_OLD_DATE = re.compile(r"\s*(\d{1,2})/(\d{1,2})/(\d{2})\s*$")
_CLOCK = re.compile(
    r"[T\s_]*(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:[.,]\d*)?))?\s*(Z|UTC?|[+-]\d{2}:?\d{2})?\s*$", re.IGNORECASE
)
_DAY_CLOCKS = ("TIME-OBS", "UT", "UTSTART", "UT-START", "UTC-OBS", "UTOBS", "TIME-BEG", "TIME_OBS", "UTC", "TIME")
_STARTS = ("DATE-OBS", "DATE-BEG", "DATE_OBS", "DATEOBS", "DATE-UTC", "UT-OBS", "UTC-OBS", "DATE-STA")


def parse_time(value: Any, clock: Any = None) -> datetime | None:
    """A time in UTC, or None.

    Takes ISO 8601 with or without the T, an offset (``-0700``, ``+02:00``, ``Z``), EXIF's colons, the old ``dd/mm/yy``
    and a date whose clock stands in another card.

    >>> parse_time("2017-12-19T18:33:43.317-0700").isoformat()
    '2017-12-20T01:33:43.317000+00:00'
    >>> parse_time("31/12/97", "23:00:00").isoformat()
    '1997-12-31T23:00:00+00:00'
    >>> parse_time("2020-02-30T00:00:00") is None
    True
    """
    text = str(value or "")
    if match := _OLD_DATE.match(text):
        year, month, day, rest = 1900 + int(match[3]), int(match[2]), int(match[1]), ""
    elif match := _DATE.match(text):
        year, month, day, rest = int(match[1]), int(match[2]), int(match[3]), match[4].strip()
    else:
        return None
    try:
        time = datetime(year, month, day, tzinfo=UTC)
        if not rest and clock is not None:
            rest = str(clock)
        return time + _clock(rest) if rest else time
    except ValueError:
        return None


def _clock(text: str) -> timedelta:
    match = _CLOCK.match(text)
    if not match:
        raise ValueError(text)
    hours, minutes = int(match[1]), int(match[2])
    seconds = float((match[3] or "0").replace(",", "."))
    if hours > 24 or minutes > 59 or seconds >= 61:
        raise ValueError(text)
    found = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    zone = match[4]
    if zone and zone[0] in "+-":
        away = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        found += away if zone[0] == "-" else -away
    return found


def from_julian(days: float) -> datetime:
    """UTC of a Julian date, to the microsecond."""
    return J2000 + timedelta(days=days - 2451545.0)


def start_time(header: Header) -> tuple[datetime | None, str, tuple[str, ...]]:
    """(start of the exposure in UTC, the keyword that gave it, notes).

    A local time is only taken where its offset from UTC is written with it.
    """
    notes: list[str] = []
    for keyword in _STARTS:
        value = header.get(keyword)
        if not isinstance(value, str) or not value.strip():
            continue
        clock, given_by = None, keyword
        if not re.search(r"\d[T\s_]+\d{1,2}:", value):
            clock_key = next((k for k in _DAY_CLOCKS if k != keyword and _is_clock(header.get(k))), None)
            if clock_key is None:
                notes.append(f"{keyword} '{value}' is a date without a time of day: the start is not known")
                continue
            clock, given_by = header.get(clock_key), f"{keyword} + {clock_key}"
        time = parse_time(value, clock)
        if time is None:
            notes.append(f"{keyword} '{value}' is no time that can be read")
            continue
        zoned = re.search(r"(Z|[+-]\d{2}:?\d{2})\s*$", value.partition("T")[2] or value.partition(" ")[2])
        local = (
            re.search(r"\b(local|LT)\b", header.comment(keyword)) or str(header.get("TIMESYS", "")).upper() == "LOCAL"
        )
        if local and not zoned:
            notes.append(f"{keyword} '{value}' is a local time without its offset from UTC: not used")
            continue
        return time, given_by, tuple(notes)
    for keyword, zero in (("MJD-OBS", 2400000.5), ("MJD", 2400000.5), ("JD", 0.0), ("JD_UTC", 0.0), ("JULIAN", 0.0)):
        days = number(header.get(keyword))
        if days is not None and 2400000 < days + zero < 2500000:
            return from_julian(days + zero), keyword, tuple(notes)
    return None, "", tuple(notes)


def _is_clock(value: Any) -> bool:
    return isinstance(value, str) and _CLOCK.match(value) is not None
