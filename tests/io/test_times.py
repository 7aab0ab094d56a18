"""The time of a frame, from what programs write, as UTC of its start and middle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from firstlight.errors import InputError
from firstlight.io.cards import Header
from firstlight.io.header import meta_from_header
from firstlight.io.times import start_time, zone_of

SHAPE = (1, 4, 4)


def meta(*cards):
    return meta_from_header([(*c, "")[:3] for c in cards], Path("x"), SHAPE)


def utc(*when):
    return datetime(*when, tzinfo=UTC)


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "0000-00-00T00:00:00"])
@pytest.mark.parametrize("exposure", [60.0, 1e30, -60.0])
def test_slips_of_clocks_and_exposures_can_be_reckoned_with(when, exposure):
    told = meta(("DATE-OBS", when), ("EXPTIME", exposure))
    assert told.start is None
    assert told.mid_time is None
    assert told.notes == (f"DATE-OBS '{when}' is no time that can be read",)
    assert meta(("DATE-OBS", "2026-01-17T22:00:00"), ("EXPTIME", exposure)).mid_time is not None


@pytest.mark.parametrize(
    ("cards", "start"),
    [
        ([("DATE-OBS", "2026-01-17T22:00:00")], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17T22:00:00", "UTC start date of observation")], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17T22:00:30", "UT of mid-exposure"), ("EXPTIME", 60.0)], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17T22:00:30", "Midpoint of observation"), ("EXPTIME", 60)], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17T22:01:00", "end of exposure (UT)"), ("EXPTIME", 60.0)], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17T22:00:00", "start, not the middle"), ("EXPTIME", 60.0)], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-18T00:00:00+02:00")], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17"), ("TIME-OBS", "22:00:00")], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17"), ("UT", "22:00:00.5")], datetime(2026, 1, 17, 22, 0, 0, 500000, UTC)),
        ([("DATE-OBS", "17/01/96"), ("UT", "22:00:00")], utc(1996, 1, 17, 22)),
        ([("MJD-OBS", 61057.9166666667)], utc(2026, 1, 17, 22)),
        # JD that is an MJD, or the other way round, by its size.
        ([("MJD", 61057.9166666667)], utc(2026, 1, 17, 22)),
        ([("JD", 2461058.4166666667)], utc(2026, 1, 17, 22)),
        ([("JD", 61057.9166666667)], None),
        # Scales: TT is ahead of UTC by 69.184 s in 2026, TAI by 37 s, GPS by 18 s.
        ([("DATE-OBS", "2026-01-17T22:01:09.184"), ("TIMESYS", "TT")], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17T22:00:37"), ("TIMESYS", "TAI")], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2026-01-17T22:00:18"), ("TIMESYS", "GPS")], utc(2026, 1, 17, 22)),
        ([("DATE-OBS", "2015-06-30T23:59:35"), ("TIMESYS", "TAI")], utc(2015, 6, 30, 23, 59)),
        ([("DATE-OBS", "2026-01-17T22:00:00"), ("TIMESYS", "LOCAL")], None),
        ([("DATE-OBS", "2026-01-17T22:00:00", "local time")], None),
        ([("DATE-LOC", "2026-01-17T22:00:00")], None),
        ([("DATE-OBS", "2026-02-30T22:00:00")], None),
    ],
)  # fmt: skip
def test_start(cards, start):
    found = meta(*cards).start
    if start is None:
        assert found is None
    else:
        assert found is not None
        assert abs((found - start).total_seconds()) < 1e-4


def test_what_is_not_used_is_said():
    assert "local time without its offset" in meta(("DATE-OBS", "2026-01-17T22:00:00", "local time")).notes[0]
    assert "is the middle of the exposure" in meta(("DATE-OBS", "2026-01-17T22:00:00", "mid-exposure")).notes[0]
    assert "TIMESYS 'MARS'" in meta(("DATE-OBS", "2026-01-17T22:00:00"), ("TIMESYS", "Mars")).notes[0]


def test_a_leap_second():
    """23:59:60 exists; Python's clock has no such second, and goes on to the next day's first."""
    found = meta(("DATE-OBS", "2016-12-31T23:59:60.500"), ("EXPTIME", 10.0))
    assert found.start == datetime(2017, 1, 1, 0, 0, 0, 500000, UTC)


def test_across_midnight():
    found = meta(("DATE-OBS", "2026-01-17T23:59:00"), ("EXPTIME", 300.0))
    assert found.mid_time == utc(2026, 1, 18, 0, 1, 30)


def test_the_middle_is_that_of_the_exposure_not_of_the_readout():
    found = meta(("DATE-OBS", "2026-01-17T22:00:00"), ("DATE-END", "2026-01-17T22:01:10"), ("EXPTIME", 60.0))
    assert found.mid_time == utc(2026, 1, 17, 22, 0, 30)


def test_clock_of_the_user():
    header = Header([("DATE-OBS", "2026-07-17T23:00:00", "UTC"), ("DATE-LOC", "2026-07-17T23:00:05", "")])
    assert start_time(header, None, ZoneInfo("Europe/Berlin"))[0] == utc(2026, 7, 17, 21, 0, 5)
    winter = Header([("DATE-OBS", "2026-01-17T23:00:00", "")])
    assert start_time(winter, None, ZoneInfo("Europe/Berlin"))[0] == utc(2026, 1, 17, 22)
    own = Header([("DATE-OBS", "2026-01-17T23:00:00-0700", "")])
    assert start_time(own, None, ZoneInfo("Europe/Berlin"))[0] == utc(2026, 1, 18, 6)


def test_zones():
    assert zone_of("-7") == timezone(timedelta(hours=-7))
    assert zone_of("utc") is UTC
    for wrong in ("Bavaria", "", "+25:00", "../etc"):
        with pytest.raises(InputError, match="no such time zone"):
            zone_of(wrong)


@pytest.mark.parametrize(
    ("value", "comment", "seconds"),
    [
        (5000, "[ms] exposure", 5.0), (5000, "Exposure time in milliseconds", 5.0),
        (5, "[s] exposure, 1 ms steps", 5.0),
        (5, "Exposure time (seconds)", 5.0), ("0.2 ms", "", 0.0002), (2, "Exposure time in minutes", 120.0),
        (250000, "exposure in microseconds", 0.25), (30, "Mins of arc", 30.0), (30, "min exposure", 30.0),
    ],
)  # fmt: skip
def test_unit_of_the_exposure(value, comment, seconds):
    assert meta(("EXPTIME", value, comment)).exposure == pytest.approx(seconds, rel=1e-12)
