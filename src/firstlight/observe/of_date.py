"""Places of date: mounts count right ascension from the true equinox of now, the program from ICRS.

Precession, nutation and aberration as the IAU's SOFA has them (erfa); no table is fetched. Agrees with astropy's TETE
to a milliarcsecond.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import erfa


def to_date(ra: float, dec: float, when: datetime) -> tuple[float, float]:
    """Apparent place of a position in ICRS, degrees.

    >>> ra, dec = to_date(10.0, 20.0, datetime(2026, 7, 1, tzinfo=UTC))
    >>> round(ra, 2), round(dec, 2)
    (10.35, 20.14)
    """
    day, part = _julian(when)
    ri, di, origins = erfa.atci13(math.radians(ra), math.radians(dec), 0.0, 0.0, 0.0, 0.0, day, part)
    return math.degrees(ri - origins) % 360.0, math.degrees(di)


def from_date(ra: float, dec: float, when: datetime) -> tuple[float, float]:
    """Position in ICRS of an apparent place, degrees.

    >>> ra, dec = from_date(*to_date(10.0, 20.0, datetime(2026, 7, 1, tzinfo=UTC)), datetime(2026, 7, 1, tzinfo=UTC))
    >>> round(ra, 7), round(dec, 7)
    (10.0, 20.0)
    """
    day, part = _julian(when)
    origins = erfa.eo06a(day, part)
    rc, dc, _ = erfa.atic13(math.radians(ra) + origins, math.radians(dec), day, part)
    return math.degrees(rc) % 360.0, math.degrees(dc)


def _julian(when: datetime) -> tuple[float, float]:
    # UTC for TT: a minute changes no place by a milliarcsecond.
    since = when.astimezone(UTC) - datetime(2000, 1, 1, 12, tzinfo=UTC)
    return 2451545.0, since.total_seconds() / 86400.0
