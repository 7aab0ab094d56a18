"""Every choice of guiding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from firstlight.ops.registry import Params
from firstlight.units import Arcsec, Px, Seconds, Sigma, SubPx, Unit

Share = Annotated[float, Field(ge=0, le=1)]


class Track(Params):
    """How the offset between guide frames is found."""

    method: Literal["stars", "correlation"] = "stars"
    """``stars``: the mean of many stars, each found again by the pattern they make; ``correlation``: phase correlation
    of whole frames, for fields of blurred or very faint stars."""
    threshold: Annotated[Sigma, Field(ge=3, le=100)] = 6.0
    """Signal to noise a guide star needs."""
    max_stars: Annotated[int, Field(ge=1, le=200)] = 40
    """So many of the brightest take part."""
    distance: Annotated[Px, Field(ge=16, le=4096)] = 192
    """Stars are looked for so far around where they were; beyond half of it they count as lost."""
    max_speed: Annotated[float, Field(gt=0, le=1000), Unit("arcsec/s")] = 20.0
    """No mount runs away faster by itself: what seems to is another star, a plane or a satellite."""


class Control(Params):
    """How the offset becomes a pulse."""

    ra_aggressiveness: Share = 0.8
    """Share of the offset that is corrected at once, right ascension."""
    dec_aggressiveness: Share = 0.6
    """The same for declination."""
    ra_drift: Share = 0.05
    """How fast the speed of the drift in right ascension is learned, share of each step; 0: not at all."""
    dec_drift: Share = 0.01
    """The same for declination."""
    history: Annotated[int, Field(ge=3, le=100)] = 5
    """Steps whose median speed tells the drift."""
    ra_min_pulse: Annotated[Seconds, Field(ge=0, le=5)] = 0.03
    """Shorter pulses are not given."""
    dec_min_pulse: Annotated[Seconds, Field(ge=0, le=5)] = 0.08
    """The same for declination."""
    max_pulse: Annotated[float, Field(gt=0, le=10), Unit("exposures")] = 1.0
    """Longest pulse while guiding is steady; twice that while it is not, four times when dithering."""
    dec_mode: Literal["both", "north", "south", "off"] = "both"
    """Directions in which declination is corrected; one only is for mounts with very much backlash."""
    ra_resistance: Annotated[Seconds, Field(ge=0, le=0.125)] = 0.005
    """A change of direction needs a pulse above this."""
    dec_resistance: Annotated[Seconds, Field(ge=0, le=0.125)] = 0.05
    """The same for declination, where it also has to be asked for by several frames in a row."""
    compensate_backlash: bool = True
    """Lengthen pulses after a change of direction until the gear moves the mount again."""


class Settle(Params):
    """When guiding counts as settled."""

    pixels: Annotated[SubPx, Field(gt=0, le=100)] = 4.0
    """The star is within this distance of its place ..."""
    seconds: Annotated[Seconds, Field(ge=0, le=600)] = 10.0
    """... for so long."""
    timeout: Annotated[Seconds, Field(gt=0, le=3600)] = 60.0
    """After so long it has failed to settle."""


class Calibrate(Params):
    """How the mount's answer to pulses is measured."""

    steps: Annotated[int, Field(ge=5, le=50)] = 10
    """Pulses in each direction."""
    pulse: Annotated[Seconds, Field(gt=0, le=6)] = 0.3
    """Length of the first ones; they are made longer until the star moves far enough."""
    max_pulse: Annotated[Seconds, Field(gt=0, le=30)] = 6.0
    """Longest pulse."""
    distance: Annotated[SubPx, Field(ge=8, le=200)] = 20.0
    """How far the star has to move along each axis."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 6
    """How often pulses are made longer."""
    ra_clear: Annotated[Seconds, Field(ge=0, le=60)] = 5.0
    """Pulses that take the play out of the gear of right ascension end after so long, also if nothing moves."""
    dec_clear: Annotated[Seconds, Field(ge=0, le=120)] = 30.0
    """The same for declination."""


class GuideSettings(Params):
    """All settings of `firstlight observe guide`."""

    track: Track = Track()
    control: Control = Control()
    settle: Settle = Settle()
    calibrate: Calibrate = Calibrate()
    exposure: Annotated[Seconds, Field(gt=0, le=60)] = 2.0
    """Of a guide frame."""
    binning: Annotated[int, Field(ge=1, le=4)] = 1
    """Of the guide camera."""
    gain: Annotated[float, Field(ge=-1)] = -1.0
    """Setting of the guide camera; -1: that of the profile, or as it is."""
    offset: Annotated[float, Field(ge=-1)] = -1.0
    """The same for its offset."""
    focal_length: Annotated[float, Field(ge=0, le=20000), Unit("mm")] = 0.0
    """Of the guide scope; 0: that of the profile."""
    pixel_size: Annotated[float, Field(ge=0, le=100), Unit("um")] = 0.0
    """Of the guide camera, unbinned; 0: what the camera tells."""
    restart_after: Annotated[int, Field(ge=1, le=1000)] = 10
    """Frames in a row without the star after which guiding begins anew."""
    give_up_after: Annotated[Seconds, Field(ge=0, le=86400)] = 1800.0
    """Without the star for so long, guiding ends with an error; 0: never."""
    reverse_dec_after_flip: bool = False
    """The mount itself turns north and south around after a meridian flip."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of the random places of dithering."""


def pixel_scale(settings: GuideSettings, pixel_size: float | None) -> Arcsec | None:
    """arcsec/px of the guide frames, or None where optics or sensor are not known.

    >>> round(pixel_scale(GuideSettings(focal_length=400), 3.75), 3)
    1.934
    """
    size, length = settings.pixel_size or pixel_size, settings.focal_length
    return 206.264806 * size * settings.binning / length if size and length else None
