"""What is simulated: the camera, the telescope, the sky and the plan of the night."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from firstlight.errors import SpecError, nearest
from firstlight.units import Adu, Arcsec, Degrees, Electrons, Px, Seconds, SubPx, Unit

ElectronsPerSecond = Annotated[float, Unit("e-/s")]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """A frozen set of settings; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Camera(Settings):
    """A sensor and its electronics."""

    name: str = "Simulated CMOS 533M"
    """Name written as INSTRUME."""
    width: Annotated[Px, Field(ge=16)] = 1600
    """Columns."""
    height: Annotated[Px, Field(ge=16)] = 1200
    """Rows."""
    pixel_size: Annotated[float, Field(gt=0), Unit("um")] = 3.76
    """Pitch of the pixels."""
    cfa: Annotated[str, Field(pattern="^([RGB]{4})?$")] = ""
    """Colours of the CFA cell, row by row (RGGB, BGGR, GRBG, GBRG); empty for a mono sensor."""
    gain: Annotated[float, Field(gt=0), Unit("e-/adu")] = 0.75
    """Electrons per number of the converter."""
    gain_setting: float = 100.0
    """The camera's own gain number, written as GAIN."""
    offset_setting: float = 50.0
    """The camera's own offset number, written as OFFSET."""
    bits: Annotated[int, Field(ge=8, le=16)] = 16
    """Bits of the converter; the highest number is 2^bits - 1."""
    full_well: Annotated[Electrons, Field(gt=0)] = 50000.0
    """Charge a pixel can hold."""
    read_noise: Annotated[Electrons, Field(ge=0)] = 1.6
    """Standard deviation of one reading."""
    bias_level: Annotated[Adu, Field(ge=0)] = 500.0
    """Mean of a bias frame."""
    column_pattern: Annotated[Adu, Field(ge=0)] = 1.2
    """Standard deviation of the fixed pattern from column to column."""
    row_pattern: Annotated[Adu, Field(ge=0)] = 0.6
    """Standard deviation of the fixed pattern from row to row."""
    pixel_pattern: Annotated[Adu, Field(ge=0)] = 0.5
    """Standard deviation of the fixed pattern from pixel to pixel."""
    banding: Annotated[Adu, Field(ge=0)] = 0.25
    """Standard deviation of the row offsets that change with each exposure."""
    temperature: Annotated[float, Unit("degrees C")] = -10.0
    """Set temperature of the sensor."""
    temperature_spread: Annotated[float, Field(ge=0), Unit("degrees C")] = 0.05
    """Standard deviation of the sensor's temperature about it."""
    dark_current: Annotated[ElectronsPerSecond, Field(ge=0)] = 0.01
    """Mean dark current of a good pixel at the set temperature; it doubles every 6 degrees."""
    hot_fraction: Fraction = 1e-3
    """Part of the pixels with far more dark current: rates from 0.2 to 500 e-/s, the faint ones most."""
    cold_fraction: Fraction = 2e-5
    """Part of the pixels that answer weakly to light."""
    amp_glow: Annotated[ElectronsPerSecond, Field(ge=0)] = 0.15
    """Brightest part of the glow of the electronics at the right edge."""
    pixel_response: Annotated[float, Field(ge=0, lt=0.2)] = 0.006
    """Standard deviation of the sensitivity from pixel to pixel, as a fraction."""

    @property
    def top(self) -> int:
        """Highest number of the converter, adu."""
        return 2**self.bits - 1

    @property
    def saturation(self) -> float:
        """Number at which pixels saturate: the converter's end or the full well, adu."""
        patterns = math.hypot(self.column_pattern, self.row_pattern, self.pixel_pattern, self.banding)
        return float(min(self.top, int(self.full_well / self.gain + self.bias_level - 5.0 * patterns)))


class Telescope(Settings):
    """Optics and mount."""

    name: str = "Simulated 80/400"
    """Name written as TELESCOP."""
    aperture: Annotated[float, Field(gt=0), Unit("mm")] = 80.0
    """Diameter of the lens or mirror."""
    focal_length: Annotated[float, Field(gt=0), Unit("mm")] = 400.0
    """Focal length."""
    position_angle: Degrees = 0.0
    """Direction of north on the reference frame, counter-clockwise from up (up is the first row)."""
    vignetting: Annotated[float, Field(ge=0, lt=0.9)] = 0.22
    """Part of the light that is lost in the corners."""
    dust: Annotated[int, Field(ge=0)] = 9
    """Number of dust shadows."""
    distortion: Annotated[float, Field(gt=-0.1, lt=0.1)] = 0.0
    """Radial shift of a star in the corner, as a fraction of its distance from the centre."""
    guiding: Annotated[Arcsec, Field(ge=0)] = 0.35
    """Error of the mount along right ascension, root mean square; it makes stars oval."""
    latitude: Annotated[Degrees, Field(ge=-90, le=90)] = 28.3
    """Of the site, north positive."""
    longitude: Annotated[Degrees, Field(ge=-180, le=180)] = -16.5
    """Of the site, east positive."""


class Sky(Settings):
    """The air, the light in it, and what lies behind."""

    background: Annotated[ElectronsPerSecond, Field(ge=0)] = 1.6
    """Mean sky light in one pixel of the green or clear channel at the start."""
    gradient: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Rise of the sky from edge to edge, as a fraction; it turns and changes during the night."""
    gradient_turn: Annotated[float, Unit("deg/h")] = 20.0
    """Rate at which the gradient turns."""
    moon: Annotated[float, Field(ge=0)] = 0.0
    """Growth of the sky by the rising moon until the end of the night, as a fraction of the background."""
    seeing: Annotated[Arcsec, Field(gt=0)] = 4.2
    """Median width (FWHM) of a star at the zenith, optics and air together."""
    seeing_spread: Annotated[float, Field(ge=0, lt=0.5)] = 0.08
    """Standard deviation of the seeing from frame to frame, as a fraction; it wanders, and never leaves twice this."""
    moffat_beta: Annotated[float, Field(gt=1.5, le=20)] | None = 4.0
    """Exponent of the stars' Moffat profile; none for Gaussian stars."""
    transparency_spread: Annotated[float, Field(ge=0, lt=0.3)] = 0.02
    """Standard deviation of the transparency from frame to frame, as a fraction."""
    clouds: Fraction = 0.0
    """Part of the night with thin clouds, which dim the stars by up to 0.7 magnitudes and brighten the sky."""
    extinction: Annotated[float, Field(ge=0), Unit("mag/airmass")] = 0.15
    """Dimming at one airmass."""
    stars_per_mpx: Annotated[float, Field(ge=0)] = 900.0
    """Invented stars in a million pixels."""
    star_flux: tuple[float, float] = (3.0, 60000.0)
    """Faintest and brightest star, e-/s."""
    star_slope: Annotated[float, Field(gt=0, lt=3)] = 0.8
    """Stars brighter than F go as F^-slope."""
    cluster: Annotated[int, Field(ge=0)] = 0
    """Hot bright stars of an invented cluster in the middle."""
    nebula: Annotated[ElectronsPerSecond, Field(ge=0)] = 0.0
    """Light of an invented nebula in its brightest pixels; 0 for none."""


class Comet(Settings):
    """What moves before the stars."""

    flux: Annotated[float, Field(ge=0), Unit("e-/s")] = 0.0
    """Light of the whole comet above the air; 0 for none."""
    coma: Annotated[Arcsec, Field(gt=0)] = 24.0
    """Width (FWHM) of the coma."""
    rate: Annotated[float, Unit("px/h")] = 120.0
    """Motion against the stars. Half-way through the lights it is in the middle of the reference frame."""
    angle: Degrees = 20.0
    """Direction of the motion, from x towards y."""
    tail: Annotated[float, Field(ge=0), Unit("px")] = 0.0
    """Length of the tail; 0 for none."""
    tail_angle: Degrees = 160.0
    """Direction of the tail, from x towards y."""


class Night(Settings):
    """One night: which frames are taken, and of what."""

    target: str = "Invented field"
    """Name written as OBJECT."""
    seed: Annotated[int, Field(ge=0)] = 1
    """The same seed gives the same bytes."""
    start: datetime = datetime(2026, 1, 17, 22, 0, tzinfo=UTC)
    """Start of the first light, UTC."""
    ra: Annotated[Degrees, Field(ge=0, lt=360)] | None = None
    """Right ascension of the centre; none for a field that crosses the meridian half-way through the lights."""
    dec: Annotated[Degrees, Field(ge=-90, le=90)] = 38.0
    """Declination of the centre."""
    catalog: str = ""
    """Stars of this catalogue (``auto``, a name that `firstlight catalogs list` shows, or a file) in place of invented
    ones, and invented ones that are too faint for it."""
    filters: tuple[str, ...] = ("L",)
    """Filters, by name; each gets its own lights and flats."""
    exposures: tuple[Annotated[Seconds, Field(gt=0)], ...] = (120.0,)
    """Exposures of the lights; each is taken in each filter and has its own darks."""
    n_lights: Annotated[int, Field(ge=0)] = 20
    """Lights of each filter and exposure."""
    n_darks: Annotated[int, Field(ge=0)] = 10
    """Darks of each exposure."""
    n_bias: Annotated[int, Field(ge=0)] = 10
    """Bias frames."""
    n_flats: Annotated[int, Field(ge=0)] = 10
    """Flats of each filter."""
    n_dark_flats: Annotated[int, Field(ge=0)] = 0
    """Darks with the exposure of the flats."""
    flat_exposure: Annotated[Seconds, Field(gt=0)] = 2.0
    """Exposure of the flats."""
    flat_level: Annotated[float, Field(gt=0, lt=1)] = 0.45
    """Mean of a flat, as a fraction of the saturation."""
    pause: Annotated[Seconds, Field(ge=0)] = 4.0
    """Time between two exposures."""
    dither: Annotated[SubPx, Field(ge=0)] = 12.0
    """Greatest random shift of a light in x and in y."""
    drift: Annotated[float, Unit("px/h")] = 3.0
    """Steady drift of the field along x."""
    rotation: Annotated[float, Unit("deg/h")] = 0.0
    """Steady turn of the field about the centre."""
    panels: tuple[tuple[float, float], ...] = ()
    """Middles of the panels of a mosaic of the sky (x/y,x/y), px from that of the reference frame. The lights of a
    filter are shared out among them, one panel after the other."""
    panel_spread: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """How much sky and transparency differ from panel to panel: the sky by up to this fraction and its gradient as it
    likes, the transparency by half of it."""
    meridian_flip: bool = False
    """The second half of the lights is taken upside down, on the other side of the pier."""
    trails: Fraction = 0.1
    """Part of the lights that a satellite crosses."""
    cosmic_rays: Annotated[float, Field(ge=0)] = 12.0
    """Mean number in a frame of the longest exposure."""
    bumps: Fraction = 0.0
    """Part of the lights with stars dragged long by wind."""
    faults: tuple[str, ...] = ()
    """Faults planted in lights, counted from 1: clouds@5-8, wind@10, focus@12-15, satellite@17, plane@18, dew@20-24,
    moon@26-30; a number behind a colon is how strong."""
    camera: Camera = Camera()
    telescope: Telescope = Telescope()
    sky: Sky = Sky()
    comet: Comet = Comet()

    @property
    def pixel_scale(self) -> float:
        """arcsec/px."""
        return 206.264806 * self.camera.pixel_size / self.telescope.focal_length

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), px."""
        return self.camera.height, self.camera.width


_BENCH = Night(
    target="Benchmark field",
    n_lights=60,
    n_bias=30,
    n_darks=30,
    n_flats=20,
    dither=20.0,
    drift=1.0,
    rotation=0.14,
    trails=0.1,
    cosmic_rays=60.0,
    camera=Camera(name="Simulated CMOS 294M", width=4144, height=2822, pixel_size=4.63),
    telescope=Telescope(name="Simulated 100/500", aperture=100.0, focal_length=500.0, dust=24),
    sky=Sky(seeing=6.1, seeing_spread=0.12, moon=0.3, stars_per_mpx=400.0),
)
_DEMO = Night(
    target="Demo nebula",
    n_lights=20,
    n_bias=10,
    n_darks=10,
    n_flats=10,
    exposures=(180.0,),
    trails=0.15,
    bumps=0.05,
    rotation=0.05,
    sky=Sky(
        nebula=3.0, cluster=28, stars_per_mpx=1700.0, star_flux=(1.5, 30000.0), gradient=0.5, moon=0.25, clouds=0.1
    ),
)
PRESETS: dict[str, Night] = {
    "tiny": Night(
        target="Tiny field",
        n_lights=8,
        n_bias=6,
        n_darks=6,
        n_flats=6,
        exposures=(60.0,),
        dither=6.0,
        trails=0.125,
        cosmic_rays=6.0,
        camera=Camera(width=300, height=200),
        telescope=Telescope(dust=3),
        sky=Sky(stars_per_mpx=2200.0),
    ),
    "demo": _DEMO,
    "demo-cfa": _DEMO.model_copy(
        update={
            "target": "Demo nebula in colour",
            "filters": ("OSC",),
            "camera": Camera(name="Simulated CMOS 533C", cfa="RGGB"),
        }
    ),
    "lrgb": _DEMO.model_copy(
        update={
            "target": "Nebula in four filters",
            "filters": ("L", "R", "G", "B"),
            "n_lights": 8,
            "n_bias": 8,
            "n_darks": 8,
            "n_flats": 8,
            "exposures": (120.0,),
            "meridian_flip": True,
            "camera": Camera(width=1200, height=900),
            "sky": _DEMO.sky.model_copy(update={"nebula": 2.4, "clouds": 0.0}),
        }
    ),
    "narrowband": _DEMO.model_copy(
        update={
            "target": "Nebula in narrow bands",
            "filters": ("Ha", "OIII", "SII", "R"),
            "n_lights": 6,
            "n_bias": 6,
            "n_darks": 6,
            "n_flats": 6,
            "exposures": (300.0,),
            "camera": Camera(width=1000, height=750),
            "sky": _DEMO.sky.model_copy(update={"nebula": 2.4, "clouds": 0.0}),
        }
    ),
    "bench": _BENCH,
    "bench-small": _BENCH.model_copy(
        update={
            "n_lights": 30,
            "n_bias": 20,
            "n_darks": 20,
            "n_flats": 20,
            "rotation": 0.28,
            "camera": _BENCH.camera.model_copy(update={"width": 2048, "height": 2048}),
        }
    ),
}
"""Ready-made nights by name."""


def preset(name: str) -> Night:
    """The ready-made night of this name.

    Raises
    ------
    SpecError
        If there is none of this name.

    >>> preset("tiny").n_lights
    8
    """
    if name not in PRESETS:
        raise SpecError(f"preset: {name!r}; one of {', '.join(PRESETS)} is allowed{nearest(name, PRESETS)}")
    return PRESETS[name]
