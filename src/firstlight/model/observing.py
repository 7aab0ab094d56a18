"""Where a frame was taken and how its target stood: the site, and the circumstances of an exposure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """A place on the Earth (WGS 84)."""

    name: str
    latitude: float
    """Degrees, north positive."""
    longitude: float
    """Degrees, east positive, -180 to 180."""
    elevation: float = 0.0
    """m above the sea."""
    code: str = ""
    """Of the Minor Planet Center."""


@dataclass(frozen=True)
class Observing:
    """Circumstances at one moment; ``None`` where site, position or time are not known.

    Angles in degrees, without refraction.
    """

    altitude: float | None = None
    azimuth: float | None = None
    """From north over east."""
    hour_angle: float | None = None
    """-180 to 180, west positive: below zero the target still rises to the meridian."""
    airmass: float | None = None
    """Young (1994), of the altitude without refraction; None at and below the horizon."""
    moon_altitude: float | None = None
    moon_distance: float | None = None
    """From the target, as seen from the site."""
    moon_illumination: float | None = None
    """Lit share of the disk, 0 to 1."""
    moon_waxes: bool | None = None
    sun_altitude: float | None = None
    bjd_tdb: float | None = None
    """Barycentric Julian date in TDB, days."""

    @property
    def twilight(self) -> str | None:
        """``night``, ``astronomical``, ``nautical`` or ``civil`` twilight, or ``day``.

        >>> Observing(sun_altitude=-20.0).twilight, Observing(sun_altitude=-7.0).twilight
        ('night', 'nautical')
        """
        if self.sun_altitude is None:
            return None
        edges = ((-18.0, "night"), (-12.0, "astronomical"), (-6.0, "nautical"), (-0.833, "civil"))
        return next((word for edge, word in edges if self.sun_altitude < edge), "day")

    @property
    def airmass_words(self) -> str:
        """The airmass as a person writes it: ``>10`` near and below the horizon.

        >>> Observing(altitude=30.0, airmass=1.995).airmass_words, Observing(altitude=2.0, airmass=18.0).airmass_words
        ('1.995', '>10')
        """
        if self.altitude is None:
            return ""
        return ">10" if self.airmass is None or self.airmass > 10 else f"{self.airmass:.3f}"
