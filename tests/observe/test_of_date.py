"""Places of date against astropy."""

from __future__ import annotations

from datetime import UTC, datetime

import astropy.units as u
import pytest
from astropy.coordinates import TETE, SkyCoord
from astropy.time import Time
from astropy.utils import iers

from firstlight.observe.of_date import from_date, to_date


@pytest.mark.parametrize(("ra", "dec"), [(302.7, 38.3), (0.001, -60.0), (150.0, 89.0)])
def test_as_astropy_has_it(ra, dec):
    when = datetime(2024, 3, 1, 22, tzinfo=UTC)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        there = SkyCoord(ra * u.deg, dec * u.deg).transform_to(TETE(obstime=Time(when)))
    found = SkyCoord(*to_date(ra, dec, when), unit="deg", frame=there.frame)
    assert found.separation(there).arcsec < 0.002
    assert from_date(*to_date(ra, dec, when), when) == pytest.approx((ra, dec), abs=1e-8)
