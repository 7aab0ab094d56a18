"""Which values a keyword may have, where that is known: numbers, times, angles, texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from firstlight.errors import InputError
from firstlight.io import convert, dialects, times
from firstlight.io.cards import parse_value

_Reads = Callable[[Any], Any]


def _one_of_binning(value: Any) -> float | None:
    found = convert.number(value)
    return found if found is not None and found in range(1, 65) else None


def _count(value: Any) -> float | None:
    found = convert.number(value)
    return found if found is not None and found >= 0 and found.is_integer() else None


def _not_negative(value: Any) -> float | None:
    found = convert.number(value)
    return found if found is not None and found >= 0 else None


_NUMBERS: dict[_Reads, str] = {
    convert.number: "a number",
    convert.positive: "a number above 0",
    convert.millimetres: "a number of mm above 0",
    convert.seconds: "a number of seconds from 0 to 1e8",
    convert.celsius: "a number of degrees C from -200 to 100 (above 150: Kelvin)",
    convert.elevation: "a number of m from -500 to 9000",
}
_ANGLES: dict[_Reads, str] = {
    convert.right_ascension: 'degrees from 0 to 360, or hours such as "05 34 32"',
    convert.declination: 'degrees from -90 to 90, as a number or as "-05 23 28"',
    convert.latitude: 'degrees from -90 to 90, north positive, as a number or as "48 08 14 N"',
    convert.longitude: 'degrees from -180 to 360, east positive, as a number or as "11 34 31 E"',
}
_TIME = "a date and time in UTC such as 2026-01-17T21:05:00"
_DATES = re.compile(r"DATE|DATE[-_]?(OBS|BEG|AVG|END|UTC|STA|LOC)|UT(C)?-OBS")
_DAYS = re.compile(r"(M?JD|M?JD[-_](OBS|BEG|AVG|END|UTC)|[BH]JD([-_]TDB)?|JULIAN)$")
_PLATE = re.compile(r"(CRVAL|CRPIX|CDELT|CROTA)\d$|(CD|PC)\d_\d$|(A|B|AP|BP)_(ORDER|\d_\d)$|LONPOLE$|LATPOLE$|EQUINOX$")


def _kinds() -> dict[str, tuple[_Reads, str, bool]]:
    """Of each keyword: how it is read, what it may be, and whether it may be a text."""
    found: dict[str, tuple[_Reads, str, bool]] = {}
    for rules in dialects.FIELDS.values():
        for rule in rules:
            if rule.convert in _NUMBERS:
                found[rule.keyword] = (rule.convert, _NUMBERS[rule.convert], False)
            elif rule.convert in _ANGLES:
                found[rule.keyword] = (rule.convert, _ANGLES[rule.convert], True)
            elif "MS" in rule.keyword or "US" in rule.keyword:
                found[rule.keyword] = (_not_negative, "a number, 0 or more", False)
    found["AIRMASS"] = found["SECZ"] = (convert.number, "a number", False)
    found |= dict.fromkeys(dialects.GAIN_KEYWORDS, (convert.positive, "a number of e-/adu above 0", False))
    found |= dict.fromkeys(dialects.SETTING_KEYWORDS, (_not_negative, "a number, 0 or more", False))
    binning = ("XBINNING", "YBINNING", "CCDXBIN", "CCDYBIN", "CCDBIN1", "CCDBIN2", "BINX", "BINY", "XBIN", "YBIN")
    found |= dict.fromkeys(binning, (_one_of_binning, "a whole number from 1 to 64", False))
    counts = ("NCOMBINE", "STACKCNT", "XORGSUBF", "YORGSUBF", "XBAYROFF", "YBAYROFF")
    found |= dict.fromkeys(counts, (_count, "a whole number, 0 or more", False))
    found |= dict.fromkeys(("XPIXSZ", "YPIXSZ", "PIXSIZE1", "PIXSIZE2"), (convert.positive, "um above 0", False))
    return found


_KINDS = _kinds()
_TEXTS = frozenset(
    rule.keyword
    for rules in dialects.FIELDS.values()
    for rule in rules
    if rule.convert is convert.text or rule.convert is dialects.FIELDS["filter"][0].convert
)


def value_of(keyword: str, text: str) -> Any:
    """The value that a person's text means for a keyword; ``'quotes'`` make a number text.

    Raises
    ------
    InputError
        The keyword is known and cannot have this value.

    >>> value_of("EXPTIME", "30"), value_of("OBJECT", "4151"), value_of("MYOWN", "4151"), value_of("MYOWN", "'4151'")
    (30, '4151', 4151, '4151')
    >>> value_of("EXPTIME", "abc")
    Traceback (most recent call last):
    firstlight.errors.InputError: EXPTIME: 'abc' was given; a number of seconds from 0 to 1e8 is allowed
    """
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    if quoted:
        value: Any = text[1:-1]
    elif keyword in _TEXTS:
        value = text.strip()
    else:
        plain = parse_value(text)
        value = "" if plain is None else plain
    check_value(keyword, value, as_text=quoted)
    return value


def check_value(keyword: str, value: Any, *, as_text: bool = False) -> None:
    """Refuse a value that a keyword cannot have; keywords that are not known may have any.

    ``as_text``: a number may be written as a text, as some programs want it.

    Raises
    ------
    InputError
        A text for a number, a number out of bounds, a date that is none.
    """
    reads, allowed, may_be_text = _rule(keyword)
    if reads is None:
        return
    if reads(value) is None or (isinstance(value, str) and not (may_be_text or as_text)):
        meant = reads(value) if isinstance(value, str) else None
        advice = f"; write {keyword}={meant:g}" if isinstance(meant, float) else ""
        raise InputError(f"{keyword}: {value!r} was given; {allowed} is allowed{advice}")


def _rule(keyword: str) -> tuple[_Reads | None, str, bool]:
    if keyword in _KINDS:
        return _KINDS[keyword]
    if _DATES.fullmatch(keyword):
        return times.parse_time, _TIME, True
    if _DAYS.match(keyword) or _PLATE.match(keyword):
        return convert.number, "a number", False
    return None, "", True
