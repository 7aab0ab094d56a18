"""Every choice of `firstlight timeseries`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from firstlight.errors import InputError, nearest
from firstlight.ops.align.match import MatchStars
from firstlight.ops.catalog.apertures import Apertures
from firstlight.ops.catalog.detrend import TRENDS, Event
from firstlight.ops.catalog.planes import Channel
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.meta.facts import Facts
from firstlight.pipeline.settings import Calibrate, Output, Select, Settings
from firstlight.pipeline.shared_settings import Normalize, Register
from firstlight.units import Sigma, Unit


class SeriesSettings(Facts):
    """All settings of `firstlight timeseries`."""

    target: str = ""
    """The star: its place in px of the first frame (or of ``reference``), ``423.3,286.8``; its place on the sky, which
    wants a plate, ``"02:04:10.3 +46:41:16"`` or ``"31.0429 +46.6878"`` (degrees), or a name that the catalogue or
    OpenNGC knows; or ``all``. Empty: the RA and DEC of the headers."""
    comparisons: str = ""
    """Places of the comparison stars, separated by semicolons. Empty: chosen by brightness, colour, stability."""
    check: str = ""
    """Place of the check star; empty: the most like the target of those that could be comparison stars."""
    most_comparisons: Annotated[int, Field(ge=1, le=1000)] = 60
    """Comparison stars that are chosen at most."""
    colour_range: Annotated[float, Field(ge=0, le=10), Unit("mag")] = 0.5
    """Comparison stars differ in colour by no more from the target, where a catalogue tells (and leaves 5 of them)."""
    channel: Channel = "auto"
    """Colour that is measured; ``auto``: green of colour cameras."""
    zero_point: Literal["auto", "constant", "plane"] = "auto"
    """Of each frame: one number, or a plane over the field; ``auto``: the plane where comparison stars, each against
    the others, scatter less by it."""
    detrend: str = ""
    """What is taken out of the light curve, separated by commas: airmass, x, y, fwhm, sky, time. Empty: nothing."""
    event: str = ""
    """A transit or eclipse at known times: ``start,end`` in BJD_TDB, or ``start,end,minutes of ingress``. Its depth is
    fitted, and trends along with it."""
    outlier: Annotated[Sigma, Field(ge=2, le=100)] = 4.0
    """Points this far off are flagged."""
    floor: bool = True
    """Add to the errors what comparison stars scatter beyond their photons, sky and air."""
    diameter: Annotated[float, Field(ge=0, le=100_000), Unit("mm")] = 0.0
    """Of the telescope's aperture, for scintillation; 0: APTDIA of the header, else without scintillation."""
    reference: str = ""
    """File name of the frame that the others are registered to; empty: the best."""
    plate: str = ""
    """A file with the plate (WCS) of the first frame (or of ``reference``): a solved image, or .wcs of solve-field."""
    solve: bool = True
    """Where none of the frames has a plate and it is wanted (a place on the sky, a catalogue): solve the reference."""
    catalog: str = "auto"
    """Catalogue of magnitudes and colours: a name (`firstlight catalogs`), a table, or ``none``."""
    band: str = ""
    """Magnitude of the catalogue that fits the filter; empty: by the filter's name."""
    star_name: str = ""
    """Name of the star for tables and AAVSO's file; empty: as the headers say."""
    chart: str = ""
    """AAVSO chart or sequence that the comparison stars are of."""
    apertures: Apertures = Apertures()
    calibrate: Calibrate = Calibrate()
    stars: FindStars = FindStars(max_stars=800)
    match: MatchStars = MatchStars()
    library: str = ""
    """Calibration library: its folder, or ``none``; empty: your own, where there is one (`firstlight library`)."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker threads; 0: one per core."""
    memory: Annotated[int, Field(ge=0)] = 0
    """Memory the run may use, MB; 0: half of what is free."""
    first: Annotated[int, Field(ge=0)] = 0
    """Use only the first N lights of each group; 0: all."""

    @field_validator("detrend")
    @classmethod
    def _is_known(cls, text: str) -> str:
        for name in words(text):
            if name not in TRENDS:
                raise ValueError(f"{name!r}: {', '.join(TRENDS)} are allowed{nearest(name, TRENDS)}")
        return text

    @field_validator("event")
    @classmethod
    def _is_event(cls, text: str) -> str:
        if text:
            try:
                Event.parse(text)
            except InputError as error:
                raise ValueError(str(error)) from None
        return text

    @property
    def trends(self) -> tuple[str, ...]:
        return words(self.detrend)

    @property
    def of_all(self) -> bool:
        """Every star is a target."""
        return self.target.strip().lower() == "all"

    def session(self) -> Settings:
        """Those of a run that plans, calibrates, measures and registers; it keeps every frame that can be placed."""
        names = ("calibrate", "stars", "match", "library", "threads", "memory", "first")
        shared = {name: getattr(self, name) for name in names}
        return Settings(
            **{name: getattr(self, name) for name in Facts.model_fields}, **shared, mix="both",
            registration=Register(reference=self.reference), select=Select(everything=True),
            normalize=Normalize(mode="additive"), output=Output(stacks=False),
        )  # fmt: skip


def words(text: str) -> tuple[str, ...]:
    """Words of a list with commas, in their order, each once.

    >>> words("airmass, x,,x")
    ('airmass', 'x')
    """
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
