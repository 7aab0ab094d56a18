"""Header cards against astropy, both ways, and the odd ones no library takes."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from firstlight.io.cards import Header, parse_card, parse_cards, parse_value
from firstlight.io.checksum import encode, ones_sum
from firstlight.io.fits_writer import format_card

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150).map(str.rstrip)
VALUES = st.one_of(
    TEXT, st.booleans(), st.integers(-(10**15), 10**15), st.floats(allow_nan=False, allow_infinity=False, width=64)
)


@given(VALUES, st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
@settings(max_examples=300, deadline=None)
def test_what_we_write_astropy_and_we_read(value, comment):
    text = format_card("KEYWORD", value, comment)
    assert len(text) % 80 == 0
    assert parse_cards(text.encode())[0][1] == value
    # astropy 8 ends a string at a quote before a slash, in cards of its own making too.
    assume(not re.search("' */", str(value)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = fits.Header.fromstring(text)["KEYWORD"]
    assert read == value
    assert type(read) is type(value)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_what_astropy_writes_we_read(value):
    header = fits.Header()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header["KEYWORD"] = (value, "why")
        text = header.tostring()
    found = Header(parse_cards(text.encode())).get("KEYWORD")
    assert found == (pytest.approx(value, rel=1e-11) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("EXP (MS)=                  500", ("EXP (MS)", 500, "")),
        ("HIERARCH ESO DET CHIP GAIN = 1.5 / gain", ("ESO DET CHIP GAIN", 1.5, "gain")),
        ("OPEN    = 'no end of it", ("OPEN", "no end of it", "")),
        ("EXPTIME = 1,5 / decimal comma", ("EXPTIME", 1.5, "decimal comma")),
        ("BIG     = 1.5D3", ("BIG", 1500.0, "")),
        ("PLUS    = +2.06E+000", ("PLUS", 2.06, "")),
        ("EMPTY   =", ("EMPTY", None, "")),
        ("lower   =                    T", ("LOWER", True, "")),
        ("RA      = 12:30:00 / no quotes", ("RA", "12:30:00", "no quotes")),
        ("SLASH   = 'a / b' / c", ("SLASH", "a / b", "c")),
        ("HISTORY   as it stands", ("HISTORY", "  as it stands", "")),
    ],
)
def test_odd_cards(card, expected):
    assert parse_card(f"{card:80}") == expected


def test_bytes_that_are_no_ascii():
    cards = parse_cards(b"OBSERVER= 'J\xf6rg'".ljust(80) + b"\0" * 80 + b"X       =                    1".ljust(80))
    assert cards == (("OBSERVER", "J\xf6rg", ""), ("X", 1, ""))


def test_plain_words_stay_words():
    assert [parse_value(text) for text in ("1.2.3", "nan", "1e", "-", "0x1")] == ["1.2.3", "nan", "1e", "-", "0x1"]


def test_checksums_agree_with_astropy():
    generator = np.random.default_rng(0)
    unit = fits.PrimaryHDU()
    for size in (0, 1, 3, 4, 2880, 10_001):
        data = generator.integers(0, 256, size).astype(np.uint8)
        padded = np.append(data, np.zeros(-size % 4, np.uint8))
        assert ones_sum(data) == unit._compute_checksum(padded)
    for value in [0, 1, 0xFFFFFFFF, *generator.integers(0, 2**32, 200).tolist()]:
        assert encode(value) == unit._char_encode(value)
