from datetime import UTC, datetime, timedelta

import pytest

from firstlight.errors import InputError
from firstlight.pipeline.cron import Cron

MONDAY = datetime(2026, 11, 30, 8, 59, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("* * * * *", "2026-11-30T09:00"),
        ("0 9 * * *", "2026-11-30T09:00"),
        ("59 8 * * *", "2026-12-01T08:59"),
        ("*/20 9-10 * * *", "2026-11-30T09:00"),
        ("5/20 * * * *", "2026-11-30T09:05"),
        ("0 9 1,15 * *", "2026-12-01T09:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("30 7 * jan mon", "2027-01-04T07:30"),
        ("0 12 * * 0", "2026-12-06T12:00"),
        ("0 12 * * 7", "2026-12-06T12:00"),
        # Both given: either will do.
        ("0 12 5 * wed", "2026-12-02T12:00"),
    ],
)
def test_the_next_time(text, moment):
    assert Cron.parse(text).after(MONDAY) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_every_time_is_found_that_a_look_at_each_minute_finds():
    schedule = Cron.parse("7,*/25 3,22 */9 * *")
    moment, found = MONDAY, []
    while len(found) < 40:
        moment = schedule.after(moment)
        found.append(moment)
    minute, seen = MONDAY.replace(second=0), []
    while len(seen) < 40:
        minute += timedelta(minutes=1)
        if minute.minute in (0, 7, 25, 50) and minute.hour in (3, 22) and minute.day in (1, 10, 19, 28):
            seen.append(minute)
    assert found == seen


@pytest.mark.parametrize("text", ["", "0 9 * *", "60 * * * *", "* * 0 * *", "a * * * *", "*/0 * * * *", "5-1 * * * *"])
def test_what_is_no_schedule_is_said(text):
    with pytest.raises(InputError, match="cron"):
        Cron.parse(text)


def test_a_day_that_never_comes():
    with pytest.raises(InputError, match="no day ever fits"):
        Cron.parse("0 0 30 2 *").after(MONDAY)
