"""Every choice of a live session."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstlight.ops.align.match import MatchStars
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.registry import Params
from firstlight.pipeline.settings import Calibrate, Output, Select, Settings
from firstlight.pipeline.shared_settings import Normalize, Register
from firstlight.units import Seconds


class LiveSettings(Params):
    """All settings of `firstlight live`; the sections are those of `firstlight process`."""

    calibrate: Calibrate = Calibrate()
    stars: FindStars = FindStars(max_stars=600)
    match: MatchStars = MatchStars()
    registration: Register = Register()
    select: Select = Select()
    normalize: Normalize = Normalize(mode="additive+scale")
    output: Output = Output()
    library: str = ""
    """Calibration library: its folder, or ``none``; empty: your own, where there is one (`firstlight library`)."""
    poll: Annotated[Seconds, Field(gt=0, le=60)] = 0.5
    """Time between two looks into the folder."""
    settle: Annotated[Seconds, Field(ge=0, le=600)] = 1.0
    """A file counts as written when its size and time have stood for so long."""
    patience: Annotated[Seconds, Field(ge=0, le=3600)] = 30.0
    """A file that cannot be opened is given up after so long without a change; a picture waits so long for its raw
    frame."""
    every: Annotated[Seconds, Field(ge=0, le=3600)] = 1.0
    """Least time between two writings of the stack and its preview."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker threads; 0: one per core."""
    memory: Annotated[int, Field(ge=0)] = 0
    """Memory to use, MB; 0: half of what is free."""

    def as_run(self) -> Settings:
        """What `firstlight process` would call the same."""
        shared = set(type(self).model_fields) & set(Settings.model_fields)
        return Settings(**{name: getattr(self, name) for name in shared})
