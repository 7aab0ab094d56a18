"""Who is told what happens while the mount is guided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.calibrate import Step
from firstlight.observe.guiding.step import GuideStep

if TYPE_CHECKING:
    from firstlight.observe.guiding.guider import Guider


class Watcher:
    """A log, a terminal, a record: each method may be left as it is. They are called in the thread of the loop."""

    def calibration_begins(self, guider: Guider) -> None:
        """Pulses of known length follow."""

    def calibration_step(self, step: Step) -> None:
        """A frame of a calibration."""

    def calibrated(self, calibration: Calibration) -> None:
        """It is measured, and can be guided with."""

    def guiding_begins(self, guider: Guider) -> None:
        """The first frame is taken."""

    def step(self, step: GuideStep) -> None:
        """A frame, and its pulses."""

    def dithered(self, dx: float, dy: float, lock: tuple[float, float]) -> None:
        """The place of the star was moved by so many px, to this place on the sensor."""

    def settling(self, state: str) -> None:
        """``settling``, ``settled`` or ``failed``."""

    def info(self, text: str) -> None:
        """Something else worth knowing."""

    def guiding_ends(self) -> None:
        """No pulse follows."""
