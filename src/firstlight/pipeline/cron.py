"""Times of a schedule, as cron writes them: minute, hour, day of the month, month, day of the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from firstlight.errors import InputError

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {"month": {name: n for n, name in enumerate(_MONTHS, 1)}, "weekday": {name: n for n, name in enumerate(_DAYS)}}
YEARS = 5
"""The 29th of February comes again within."""


@dataclass(frozen=True)
class Cron:
    """A schedule.

    >>> from datetime import datetime
    >>> str(Cron.parse("30 9 * * mon-fri").after(datetime(2026, 11, 28, 12, 0)))
    '2026-11-30 09:30:00'
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool = False
    """Day and weekday are both given: one of them is enough, as cron has it."""

    @classmethod
    def parse(cls, text: str) -> Cron:
        """From five fields: numbers, ``*``, ranges ``1-5``, steps ``*/10``, lists ``1,15``, names ``mon``, ``jan``.

        Raises
        ------
        InputError
            The text is none.
        """
        parts = text.lower().split()
        if len(parts) != 5:
            raise InputError(
                f"cron {text!r}: {len(parts)} fields; five are needed: minute hour day month weekday, such as '0 9 * "
                "* *'"
            )
        sets = [_parsed(part, *field, text) for part, field in zip(parts, _FIELDS)]
        sets[4] = frozenset(day % 7 for day in sets[4])
        return cls(*sets, either=not parts[2].startswith("*") and not parts[4].startswith("*"))

    def _is_day(self, day: datetime) -> bool:
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (by_date or by_weekday if self.either else by_date and by_weekday)

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment, in its zone.

        Raises
        ------
        InputError
            There is none, as for the 30th of February.
        """
        day = (moment + timedelta(minutes=1)).replace(second=0, microsecond=0)
        for _ in range(366 * YEARS):
            if self._is_day(day):
                for hour in sorted(h for h in self.hours if h >= day.hour):
                    first = day.minute if hour == day.hour else 0
                    for minute in sorted(m for m in self.minutes if m >= first):
                        return day.replace(hour=hour, minute=minute)
            day = (day + timedelta(days=1)).replace(hour=0, minute=0)
        raise InputError("cron: no day ever fits the day, month and weekday together")


def _parsed(part: str, name: str, low: int, high: int, text: str) -> frozenset[int]:
    values: set[int] = set()
    for piece in part.split(","):
        span, slash, step = piece.partition("/")
        first, dash, last = span.partition("-")
        try:
            names = _NAMES.get(name, {})
            start, end = (low, high) if span == "*" else (int(names.get(first, first)),) * 2
            if dash:
                end = int(names.get(last, last))
            elif slash and span != "*":
                end = high
            stride = int(step) if slash else 1
        except ValueError:
            raise InputError(f"cron {text!r}: {piece!r} is no {name}; write numbers, *, 1-5, */10 or 1,15") from None
        if not (low <= start <= end <= high and stride >= 1):
            raise InputError(f"cron {text!r}: {piece!r}: a {name} lies between {low} and {high}")
        values.update(range(start, end + 1, stride))
    return frozenset(values)
