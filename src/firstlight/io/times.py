"""Times in headers, as UTC."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firstlight.errors import InputError
from firstlight.io.cards import Header
from firstlight.io.convert import number
from firstlight.model.meta import J2000

_DATE = re.compile(r"\s*(\d{4})[-/:](\d{1,2})[-/:](\d{1,2})(.*)$")
_OLD_DATE = re.compile(r"\s*(\d{1,2})/(\d{1,2})/(\d{2})\s*$")
_CLOCK = re.compile(
    r"[T\s_]*(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:[.,]\d*)?))?\s*(Z|UTC?|[+-]\d{2}:?\d{2})?\s*$", re.IGNORECASE
)
YEARS = range(1800, 2200)
"""Years of observations: others are slips, and times near the ends of the calendar cannot be reckoned with."""
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
    >>> parse_time("2020-02-30T00:00:00") is None, parse_time("9999-12-31T23:59:59") is None
    (True, True)
    """
    text = str(value or "")
    if match := _OLD_DATE.match(text):
        year, month, day, rest = 1900 + int(match[3]), int(match[2]), int(match[1]), ""
    elif match := _DATE.match(text):
        year, month, day, rest = int(match[1]), int(match[2]), int(match[3]), match[4].strip()
    else:
        return None
    if year not in YEARS:
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


_MIDDLE = re.compile(r"\bmid(dle|point|way|time)?\b|\bcent(er|re) of (the )?(exp|obs)", re.IGNORECASE)
_END = re.compile(r"\bend (of|time)\b|\b(at|exposure|observation) end\b|\bshutter clos", re.IGNORECASE)
_START = re.compile(r"\b(start|begin)", re.IGNORECASE)
_BEHIND_TAI = {"TAI": 0.0, "IAT": 0.0, "TT": 32.184, "TDT": 32.184, "ET": 32.184, "TDB": 32.184, "GPS": -19.0}
"""Seconds by which a scale is ahead of TAI; TDB is within 0.002 s of TT."""


def start_time(
    header: Header, exposure: float | None = None, clock: tzinfo | None = None
) -> tuple[datetime | None, str, tuple[str, ...]]:
    """(start of the exposure in UTC, the keyword that gave it, notes).

    A local time is only taken where its offset from UTC is written with it, or ``clock`` is given. A time that is that
    of the middle or the end, by its comment, is led back by the exposure. Other time scales (TIMESYS) become UTC.

    Parameters
    ----------
    header : Header
    exposure : float, optional
        s; of use where the header tells the middle or the end.
    clock : tzinfo, optional
        Zone of the camera's clock, where the user says that it did not run on UTC: for all times without an offset.
    """
    notes: list[str] = []
    # A camera set to local time tells it best where it says so.
    order = ("DATE-LOC", *_STARTS) if clock is not None else _STARTS
    for keyword in order:
        value = header.get(keyword)
        if not isinstance(value, str) or not value.strip():
            continue
        day_clock, given_by = None, keyword
        if not re.search(r"\d[T\s_]+\d{1,2}:", value):
            clock_key = next((k for k in _DAY_CLOCKS if k != keyword and _is_clock(header.get(k))), None)
            if clock_key is None:
                notes.append(f"{keyword} '{value}' is a date without a time of day: the start is not known")
                continue
            day_clock, given_by = header.get(clock_key), f"{keyword} + {clock_key}"
        time = _in_utc(header, keyword, day_clock, clock, notes)
        if time is None:
            continue
        said = header.comment(keyword)
        part = 0.5 if _MIDDLE.search(said) else 1.0 if _END.search(said) else 0.0
        if part and not _START.search(said):
            what = "middle" if part == 0.5 else "end"
            if exposure is None:
                notes.append(f"{keyword} is the {what} of the exposure by its comment, and the exposure is not known")
                continue
            time, given_by = time - timedelta(seconds=part * exposure), f"{given_by} ({what} of the exposure)"
        return time, given_by, tuple(notes)
    for keyword, zero in (("MJD-OBS", 2400000.5), ("MJD", 2400000.5), ("JD", 0.0), ("JD_UTC", 0.0), ("JULIAN", 0.0)):
        days = number(header.get(keyword))
        if days is not None and 2400000 < days + zero < 2500000:
            return from_julian(days + zero), keyword, tuple(notes)
    return None, "", tuple(notes)


def time_in(header: Header, keyword: str, clock: tzinfo | None = None) -> datetime | None:
    """UTC of a keyword that holds date and time, such as DATE-END; None where it is not a time in UTC."""
    return _in_utc(header, keyword, None, clock, []) if isinstance(header.get(keyword), str) else None


def _in_utc(header: Header, keyword: str, day_clock: Any, clock: tzinfo | None, notes: list[str]) -> datetime | None:
    value = header.get(keyword)
    time = parse_time(value, day_clock)
    if time is None:
        notes.append(f"{keyword} '{value}' is no time that can be read")
        return None
    rest = value.partition("T")[2] or value.partition(" ")[2] or str(day_clock or "")
    if re.search(r"(Z|[+-]\d{2}:?\d{2})\s*$", rest):
        return time
    if clock is not None:
        return time.replace(tzinfo=clock).astimezone(UTC)
    scale = str(header.get("TIMESYS", "")).strip().upper()
    if keyword == "DATE-LOC" or scale == "LOCAL" or re.search(r"\b(local|LT)\b", header.comment(keyword)):
        notes.append(f"{keyword} '{value}' is a local time without its offset from UTC: not used")
        return None
    if scale in _BEHIND_TAI:
        return time - timedelta(seconds=_BEHIND_TAI[scale] + _tai_minus_utc(time))
    if scale not in ("", "UTC", "UT", "UT1", "Z", "ZULU", "GMT"):
        notes.append(f"TIMESYS '{scale}' is not known; times are taken as UTC")
    return time


def _tai_minus_utc(time: datetime) -> float:
    import erfa

    with warnings.catch_warnings():
        # Dates years ahead: no leap second is announced yet.
        warnings.simplefilter("ignore", erfa.ErfaWarning)
        return float(erfa.dat(time.year, time.month, time.day, 0.0))


def zone_of(text: str) -> tzinfo:
    """A time zone from an offset or a name.

    Raises
    ------
    InputError
        It is neither.

    >>> zone_of("+05:30").utcoffset(None), zone_of("UTC-7").utcoffset(None)
    (datetime.timedelta(seconds=19800), datetime.timedelta(days=-1, seconds=61200))
    """
    match = re.match(r"\s*(?:UTC?|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?\s*$", text, re.IGNORECASE)
    if match and int(match[2]) <= 14 and int(match[3] or 0) < 60:
        away = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-away if match[1] == "-" else away)
    if text.strip().upper() in ("UTC", "UT", "Z", "GMT"):
        return UTC
    try:
        return ZoneInfo(text.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"clock {text!r}: no such time zone; give an offset from UTC such as +02:00, or a name such as "
            "Europe/Berlin"
        ) from error


def _is_clock(value: Any) -> bool:
    return isinstance(value, str) and _CLOCK.match(value) is not None
