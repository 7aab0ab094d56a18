"""What the header of a frame says, in firstlight's own words and units."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


class Kind(enum.StrEnum):
    """What a frame was taken for."""

    LIGHT = "light"
    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"
    DARK_FLAT = "dark flat"
    MASTER_BIAS = "master bias"
    MASTER_DARK = "master dark"
    MASTER_FLAT = "master flat"
    STACK = "stack"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Meta:
    """Facts about one frame. ``None`` means: the file does not say.

    Times are UTC; angles in degrees; every number names its unit here.
    """

    kind: Kind = Kind.UNKNOWN
    target: str | None = None
    filter: str | None = None
    exposure: float | None = None
    """Exposure time, s; of a stack, the total."""
    start: datetime | None = None
    """Start of the exposure, UTC."""
    end: datetime | None = None
    """End of the exposure, UTC, where it is not ``start + exposure``."""
    middle: datetime | None = None
    """Middle of the exposure, UTC, where it is not half-way (a stack's weighted middle)."""

    camera: str | None = None
    serial: str | None = None
    telescope: str | None = None
    observer: str | None = None
    observer_code: str | None = None
    """The observer's code, such as AAVSO's."""
    site: str | None = None
    latitude: float | None = None
    """Of the site, degrees, north positive (WGS 84)."""
    longitude: float | None = None
    """Of the site, degrees, east positive, -180 to 180."""
    elevation: float | None = None
    """Of the site above the sea, m."""
    software: str | None = None
    """The program that wrote the file."""
    gain: float | None = None
    """e-/adu."""
    gain_setting: float | None = None
    """The camera's own gain or ISO number."""
    offset: float | None = None
    """The camera's offset setting (its own number, not adu)."""
    read_noise: float | None = None
    """e-."""
    saturation: float | None = None
    """adu, in the file's own numbers (before calibration)."""
    pedestal: float | None = None
    """adu that were added to the pixels and must be subtracted."""
    readout_mode: str | None = None
    temperature: float | None = None
    """Sensor temperature, degrees C."""
    set_temperature: float | None = None
    binning: tuple[int, int] = (1, 1)
    """(x, y)."""
    origin: tuple[int, int] = (0, 0)
    """First column and row of the sub-frame on the sensor, in binned pixels."""
    cfa: str | None = None
    """Colours of the CFA cell, row by row **in array order** (``ROWORDER`` and offsets already applied): RGGB ..."""
    bottom_up: bool = False
    """The first row of the array is the bottom of the picture (``ROWORDER``)."""
    pixel_size: float | None = None
    """Binned pixel pitch, um."""
    focal_length: float | None = None
    """mm."""
    ra: float | None = None
    """Right ascension of the pointing, degrees, ICRS."""
    dec: float | None = None
    pier_side: str | None = None
    airmass: float | None = None
    rotator: float | None = None
    """Rotator angle, degrees."""

    calibrated: frozenset[str] = frozenset()
    """Corrections already applied: any of ``bias``, ``dark``, ``flat``."""
    n_combined: int = 1
    """Frames that were combined into this one."""

    sources: Mapping[str, str] = field(default_factory=dict)
    """For each field that was read: where from (``EXPTIME``, ``folder name 'Darks'`` ...)."""
    notes: tuple[str, ...] = ()
    """What was odd in the file, in sentences."""
    cards: tuple[tuple[str, Any, str], ...] = ()
    """Header cards (keyword, value, comment) carried along as they were."""

    def replace(self, **changes: Any) -> Meta:
        """A copy with these fields changed."""
        return replace(self, **changes)

    @property
    def mid_time(self) -> datetime | None:
        """Middle of the exposure, UTC.

        >>> Meta(start=datetime(2020, 1, 1, tzinfo=UTC), exposure=60.0).mid_time.isoformat()
        '2020-01-01T00:00:30+00:00'
        """
        if self.middle is not None:
            return self.middle
        if self.start is None:
            return None
        # Programs write DATE-END after the readout: of one exposure its time tells better.
        if self.end is not None and (self.exposure is None or self.n_combined > 1):
            return self.start + (self.end - self.start) / 2
        return self.start + timedelta(seconds=(self.exposure or 0.0) / 2)


def julian_date(time: datetime) -> float:
    """JD (UTC) of a time; leap seconds inside the day are not resolved (error below 1 s on such a day).

    >>> julian_date(datetime(2000, 1, 1, 12, tzinfo=UTC))
    2451545.0
    """
    return 2451545.0 + (time - J2000).total_seconds() / 86400.0
