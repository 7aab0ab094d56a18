"""Every choice of a run, in one record: the command line, recipes and Python share it."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from firstlight.library.plans import Rules
from firstlight.ops.align.match import MatchStars
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.meta.facts import Facts
from firstlight.ops.registry import Params
from firstlight.ops.stack.choice import SELECT_BY, BestBy, check_percent
from firstlight.ops.stack.combine import Combine
from firstlight.ops.stack.drizzle import Drizzle
from firstlight.ops.stack.formula import check_formula
from firstlight.pipeline.comet import Comet
from firstlight.pipeline.grouping import Grouping
from firstlight.pipeline.shared_settings import Normalize, Register, SolveStacks
from firstlight.units import Electrons, Percent, Sigma, Unit


class Calibrate(Params):
    """What is done to each light before its stars are looked for."""

    scale_darks: bool = False
    """Scale a dark of another exposure (bias taken off first) where none of the same exposure fits."""
    optimize_darks: Literal["no", "noise", "entropy"] = "no"
    """Look for the best scale of such a dark in each light, by its ``noise`` or ``entropy``; good for cameras without
    cooling, bad where there is amplifier glow."""
    interpolate_exposure: bool = False
    """Where no dark has the exposure: make one from darks of other exposures, by a line through each pixel."""
    interpolate_temperature: bool = False
    """Where no dark has the temperature (within 2 C): make one from darks of the exposure at two others."""
    sky_flats: bool = False
    """Where no flat fits: make one of the lights themselves (7 or more, of a bright sky, moved between exposures)."""
    own_first: bool = True
    """Masters of the session's own frames go before those of the library, unless only these fit without a warning."""
    gain: Annotated[float, Field(ge=0), Unit("e-/adu")] = 0.0
    """Electrons per adu of all lights; 0: as the detector's profile says (`firstlight detector`), else the header."""
    read_noise: Annotated[Electrons, Field(ge=0)] = 0.0
    """Noise of one reading of all lights; 0: likewise."""
    bad_pixels: str = ""
    """A map (FITS, of `firstlight detector` or another program) or a list (YAML, TOML, JSON) of bad pixels, which are
    mended and left out besides those that darks, flats and lights show."""
    cosmic_rays: bool = False
    """Find cosmic rays on each light (`cal:cosmicrays`) before its stars are measured: for a handful of lights, too few
    for rejection. About 1.2 s for a million pixels."""
    banding: Literal["none", "rows", "columns", "both"] = "none"
    """Level the rows or columns of each light with their neighbours (`nr:banding`)."""
    debayer: Literal["bilinear", "edge", "superpixel"] = "bilinear"
    """How colours are filled in on CFA data; ``superpixel`` halves the size."""

    @property
    def rules(self) -> Rules:
        """What the matcher may do where no master fits as it is."""
        return Rules(**{f.name: getattr(self, f.name) for f in fields(Rules) if f.name in type(self).model_fields})


class Select(Params):
    """Which frames are good enough. Limits are robust: median and MAD of the frames of one group (at least 5)."""

    fwhm: Annotated[Sigma, Field(gt=0)] = 5.0
    """Frames with a FWHM this far above the median are set aside (and more than 15 % above it)."""
    background: Annotated[Sigma, Field(gt=0)] = 8.0
    """Frames with a background this far above the median are set aside (and more than doubling its noise)."""
    stars: Annotated[Percent, Field(ge=0, le=100)] = 40.0
    """Frames with less than this share of the median number of stars are set aside (clouds)."""
    transparency: Annotated[Percent, Field(ge=0, le=100)] = 40.0
    """Frames whose stars have less than this share of the median flux are set aside (clouds). Without normalisation
    ``local`` 70 is better: thin clouds also change the gradient of the sky."""
    eccentricity: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Frames whose stars are more elongated than this are set aside, unless half of the group is."""
    best: Annotated[Percent, Field(gt=0, le=100)] = 100.0
    """Of each group only this share of the frames is kept, the best: 70 keeps 70 %."""
    best_by: BestBy = "score"
    """What is best: ``score`` (many stars, sharp and round), or one number: ``fwhm hfr eccentricity background noise``
    (the least), ``stars snr`` (the most)."""
    where: str = ""
    """Only frames for which this is true are kept: ``fwhm < 1.3*median(fwhm) and stars > 0.6*median(stars)``."""
    everything: bool = False
    """Keep every frame that can be registered."""

    @field_validator("best")
    @classmethod
    def _is_percent(cls, value: float) -> float:
        return check_percent(value)

    @field_validator("where")
    @classmethod
    def _is_formula(cls, text: str) -> str:
        if text:
            check_formula(text, SELECT_BY)
        return text


PICTURE_STEPS = (
    "color:whitebalance:source=stars abr:polynomial color:neutralize stretch:midtones:shadows=-5 "
    "nr:starlet:scales=3,threshold=4,amount=0.7 stretch:mtf:shadows=0.15,midtone=0.4"
)
"""A picture for the eye: the mean star white, a grey sky without a gradient, its grain calmed once it is stretched
(taken off a linear image, noise leaves rings about the stars that a stretch shows), and only then the sky dark."""


class Output(Params):
    """What is written besides the stacks."""

    stacks: bool = True
    """Make the stacks; without, the run ends when the lights are registered and selected (``frames.csv`` says how)."""
    pictures: bool = True
    """A stretched PNG and a 16-bit TIFF of each stack."""
    picture_steps: str = PICTURE_STEPS
    """Operations that make the picture, separated by blanks; colour steps are left out on mono stacks, a white balance
    also where there are too few stars for it."""
    report: bool = True
    """A web page on the run (``report.html``): pictures, plots over the session, what was set aside and why."""
    rejection_maps: bool = False
    """Write how many samples were rejected at each pixel, low and high."""


HOW = frozenset({"threads", "memory", "executor", "workers", "scheduler"})
"""Settings that say how the work is done; what comes out does not depend on them."""

Mix = Literal["nothing", "exposure", "gain", "both"]


class Settings(Facts):
    """All settings of `firstlight process`."""

    calibrate: Calibrate = Calibrate()
    stars: FindStars = FindStars(max_stars=600)
    match: MatchStars = MatchStars()
    registration: Register = Register()
    select: Select = Select()
    normalize: Normalize = Normalize(mode="local")
    stack: Combine = Combine()
    drizzle: Drizzle = Drizzle()
    group: Grouping = Grouping()
    comet: Comet = Comet()
    solve: SolveStacks = SolveStacks()
    output: Output = Output()
    library: str = ""
    """Calibration library: its folder, or ``none``; empty: your own, where there is one (`firstlight library`)."""
    mix: Mix = "nothing"
    """Lights that may share a stack although this differs. Each is scaled to the star fluxes of the reference."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker threads; 0: one per core."""
    memory: Annotated[int, Field(ge=0)] = 0
    """Memory the run may use, MB; 0: half of what is free."""
    executor: Literal["threads", "processes", "dask"] = "threads"
    """Who does the heavy work: threads of this program, processes of this machine, or the workers of a Dask cluster.
    The bytes of the results are the same."""
    workers: Annotated[int, Field(ge=0, le=4096)] = 0
    """For ``processes``, and ``dask`` without a scheduler: how many; 0: one per core."""
    scheduler: str = ""
    """For ``dask``: the scheduler's address (tcp://host:8786) or its file; empty: workers are started on this
    machine."""
    first: Annotated[int, Field(ge=0)] = 0
    """Use only the first N lights of each group; 0: all."""

    @model_validator(mode="after")
    def _comet_alone(self) -> Settings:
        if self.comet.wanted and (self.drizzle.scale or self.group.wanted):
            raise ValueError("a comet is not followed in drizzled or grouped stacks; leave out one of the two")
        if self.registration.framing == "mosaic":
            if self.comet.wanted or self.drizzle.scale or self.group.wanted:
                raise ValueError("a mosaic is not drizzled, grouped or made with a comet; leave out one of the two")
            if self.registration.method != "stars":
                raise ValueError("the panels of a mosaic are joined by their stars; take --registration-method stars")
        return self
