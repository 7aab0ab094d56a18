"""Values that keywords may have."""

import pytest

from firstlight.errors import InputError
from firstlight.io.keyword_values import check_value, value_of


@pytest.mark.parametrize(
    ("keyword", "text", "value"),
    [
        ("EXPTIME", "30", 30),
        ("EXPTIME", "2,5", 2.5),
        ("GAIN", "'2'", "2"),
        ("CCD-TEMP", "-10.5", -10.5),
        ("OBJECT", "4151", "4151"),
        ("FILTER", "T", "T"),
        ("RA", "83.6", 83.6),
        ("OBJCTRA", "05 34 32", "05 34 32"),
        ("DEC", "-05 23 28", "-05 23 28"),
        ("SITELAT", "48 08 14 N", "48 08 14 N"),
        ("DATE-OBS", "2026-01-17T21:05:00", "2026-01-17T21:05:00"),
        ("DATE-OBS", "17/01/97", "17/01/97"),
        ("JD", "2461058.5", 2461058.5),
        ("XBINNING", "2", 2),
        ("CRVAL1", "83.6", 83.6),
        ("MYOWN", "abc", "abc"),
        ("MYOWN", "", ""),
    ],
)
def test_values_that_are_allowed(keyword, text, value):
    found = value_of(keyword, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("keyword", "text", "words"),
    [
        ("EXPTIME", "abc", "EXPTIME: 'abc' was given; a number of seconds from 0 to 1e8 is allowed"),
        ("EXPTIME", "'abc'", "a number of seconds"),
        ("EXPTIME", "", "a number of seconds"),
        ("EXPTIME", "-5", "from 0 to 1e8"),
        ("EXPTIME", "T", "a number of seconds"),
        ("EXPTIME", "1/250", "write EXPTIME=0.004"),
        ("EXPOINUS", "x", "a number, 0 or more"),
        ("CCD-TEMP", "cold", "degrees C"),
        ("RA", "400", "degrees from 0 to 360"),
        ("DEC", "95 00 00", "degrees from -90 to 90"),
        ("SITELAT", "north", "degrees from -90 to 90"),
        ("SITEELEV", "high", "a number of m"),
        ("DATE-OBS", "yesterday", "a date and time in UTC"),
        ("DATE-OBS", "2026-02-30T00:00:00", "a date and time in UTC"),
        ("DATE-OBS", "20260117", "a date and time in UTC"),
        ("MJD-OBS", "abc", "a number"),
        ("XBINNING", "1.5", "a whole number from 1 to 64"),
        ("NCOMBINE", "-3", "a whole number"),
        ("EGAIN", "0", "e-/adu above 0"),
        ("CD1_1", "x", "a number"),
        ("AIRMASS", "high", "a number"),
    ],
)
def test_values_that_are_refused(keyword, text, words):
    with pytest.raises(InputError, match="was given") as told:
        value_of(keyword, text)
    assert words in str(told.value)


def test_a_value_of_a_program_is_checked_too():
    check_value("EXPTIME", 5)
    with pytest.raises(InputError):
        check_value("EXPTIME", "5")
