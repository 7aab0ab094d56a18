"""The one table of what a recipe can do after the session: each step's options, and the function that does it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstlight.errors import SpecError
from firstlight.ops.registry import Params

if TYPE_CHECKING:
    from firstlight.pipeline.flow_of_images import Images


@dataclass(frozen=True)
class Kind:
    """A kind of step; its module is imported when a recipe has it."""

    name: str
    module: str
    """In `firstlight.pipeline`: holds ``Options`` (its parameters), ``work`` and, where there is more to check before
    any work, ``check``."""
    summary: str

    def _module(self) -> Any:
        return importlib.import_module(f"firstlight.pipeline.{self.module}")

    def params(self) -> type[Params]:
        """The model of its options."""
        return self._module().Options

    @property
    def work(self) -> Callable[[Images, Any], None]:
        """What does it."""
        return self._module().work

    def check(self, params: Params) -> None:
        """SpecError where the options, each right by itself, make no step."""
        check = getattr(self._module(), "check", None)
        if check is not None:
            check(params)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("quality", "step_quality", "Judge every light: a table of numbers, faults and reasons."),
        Kind("calibrated", "step_calibrated", "Write each calibrated light, with its noise and flags."),
        Kind("apply", "step_apply", "Apply operations to the images; the results take their place."),
        Kind("resample", "step_resample", "Bring the images onto one grid on the sky."),
        Kind("combine", "step_combine", "Combine the images of different filters into one, for each target."),
        Kind("continuum", "step_continuum", "Take the continuum off a narrowband image."),
        Kind("photometry", "step_photometry", "Measure the stars of the images against a catalogue."),
        Kind("timeseries", "step_timeseries", "Light curves of a star, or of all."),
        Kind("pictures", "step_pictures", "Draw the images: PNG, TIFF or JPEG, after operations of their own."),
        Kind("export", "step_export", "Copy the images under names made of their headers."),
        Kind("report", "step_report", "Write the report of the run: one web page."),
    )
}
"""In the order of a night."""


def kind_named(name: str) -> Kind:
    """The kind of this name."""
    if name not in KINDS:
        raise SpecError(f"no step {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]
