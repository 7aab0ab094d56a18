"""The guide log in the format of PHD2 (version 2.5), which PHD2 Log Viewer and others read.

In that format x is the axis of right ascension and y that of declination; their angles are the directions in which
stars move on the sensor during pulses to the east and north. Distances are px, pulses ms. During calibration dx and dy
are the first place minus the present one.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TextIO

from firstlight import __version__
from firstlight.errors import InputError
from firstlight.observe.equipment import Clock
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.calibrate import Step
from firstlight.observe.guiding.guider import Guider
from firstlight.observe.guiding.step import GuideStep
from firstlight.observe.guiding.watcher import Watcher

CALIBRATION_COLUMNS = "Direction,Step,dx,dy,x,y,Dist"
GUIDE_COLUMNS = (
    "Frame,Time,mount,dx,dy,RARawDistance,DECRawDistance,RAGuideDistance,DECGuideDistance,RADuration,RADirection,"
    "DECDuration,DECDirection,XStep,YStep,StarMass,SNR,ErrorCode"
)
LEGS = ("Backlash", "West", "East", "North", "South")
"""Parts of a calibration that the format knows."""
NO_STAR, OTHER_ERROR = 2, 6
"""PHD2's numbers for a star below the noise, and for other reasons."""
SETTLING = {"settling": "Settling started", "settled": "Settling complete", "failed": "Settling failed"}


class GuideLog(Watcher):
    """Writes each line as it happens; the file is made with the first one, and never replaces another."""

    def __init__(self, folder: Path, clock: Clock, profile: str = "firstlight") -> None:
        self._folder, self._clock, self._profile = folder, clock, profile
        self.path: Path | None = None
        self._file: TextIO | None = None
        self._guiding = False
        self._rates = (1.0, 1.0)
        self._start: tuple[float, float] | None = None
        self._mount = ""

    def calibration_begins(self, guider: Guider) -> None:
        """A section with the settings."""
        c = guider.settings.calibrate
        self._section("Calibration", guider)
        self._write(
            f"Mount = {guider.port.name}, Calibration Step = {1000 * c.pulse:.0f} ms, "
            f"Calibration Distance = {c.distance:.0f} px, Assume orthogonal axes = no"
        )
        self._pointing(guider)
        self._write(CALIBRATION_COLUMNS)
        self._start, self._mount = None, guider.port.name

    def calibration_step(self, step: Step) -> None:
        """A line for each frame after a pulse."""
        place = step.offset.dx, step.offset.dy
        if self._start is None or step.leg == "Rest":
            x, y = step.offset.place
            self._start, self._first = place, (x - place[0], y - place[1])
        if step.leg in LEGS:
            dx, dy = self._start[0] - place[0], self._start[1] - place[1]
            x, y = self._first[0] + place[0], self._first[1] + place[1]
            self._write(f"{step.leg},{step.number},{dx:.3f},{dy:.3f},{x:.3f},{y:.3f},{math.hypot(dx, dy):.3f}")

    def calibrated(self, calibration: Calibration) -> None:
        """Angles and speeds of both axes."""
        for name, angle, rate in zip(("West", "North"), calibration.angles, calibration.rates):
            self._write(f"{name} calibration complete. Angle = {angle:.1f} deg, Rate = {rate:.3f} px/sec, Parity = N/A")
        self._write(f"Calibration complete, mount = {self._mount}.")
        self._write("")

    def guiding_begins(self, guider: Guider) -> None:
        """A section with settings and calibration."""
        here, c = guider.here, guider.settings.control
        if here is None:
            return
        self._rates = here.rates
        self._section("Guiding", guider)
        (x_angle, y_angle), (x_rate, y_rate) = here.angles, here.rates
        longest = 1000 * c.max_pulse * guider.settings.exposure
        self._write(
            f"Mount = {guider.port.name}, connected, guiding enabled, xAngle = {x_angle:.1f}, xRate = {x_rate:.3f}, "
            f"yAngle = {y_angle:.1f}, yRate = {y_rate:.3f}, parity = ?/?"
        )
        for axis, share, shortest, rate in (
            ("X", c.ra_aggressiveness, c.ra_min_pulse, x_rate),
            ("Y", c.dec_aggressiveness, c.dec_min_pulse, y_rate),
        ):
            least = shortest * rate / share if share else 0.0
            self._write(f"{axis} guide algorithm = firstlight, Aggression = {share:.3f}, Minimum move = {least:.3f}")
        backlash = "enabled" if c.compensate_backlash else "disabled"
        self._write(f"Backlash comp = {backlash}, pulse = {1000 * here.north_backlash:.0f} ms")
        mode = {"both": "Auto"}.get(c.dec_mode, c.dec_mode.capitalize())
        self._write(f"Max RA duration = {longest:.0f}, Max DEC duration = {longest:.0f}, DEC guide mode = {mode}")
        speeds = [f"{rate * guider.scale:.1f} a-s/s" if guider.scale else "Unknown" for rate in here.rates]
        self._write(
            f"RA Guide Speed = {speeds[0]}, Dec Guide Speed = {speeds[1]}, Cal Dec = {here.dec:.1f}, "
            f"Last Cal Issue = None, Timestamp = {here.when}"
        )
        self._pointing(guider)
        self._write(GUIDE_COLUMNS)
        self._guiding = True

    def step(self, step: GuideStep) -> None:
        """A line for each frame."""
        self._write(guide_line(step, self._rates))

    def dithered(self, dx: float, dy: float, lock: tuple[float, float]) -> None:
        """By how much, and where to."""
        self._info(f"DITHER by {dx:.3f}, {dy:.3f}, new lock pos = {lock[0]:.3f}, {lock[1]:.3f}")

    def settling(self, state: str) -> None:
        """Where it stands."""
        self._info(f"SETTLING STATE CHANGE, {SETTLING[state]}")

    def info(self, text: str) -> None:
        """Anything."""
        self._info(text)

    def guiding_ends(self) -> None:
        """The section ends."""
        if self._guiding:
            self._write(f"Guiding Ends at {self._now()}")
            self._write("")
            self._guiding = False

    def close(self) -> None:
        """Nothing more follows."""
        if self._file is not None:
            self.guiding_ends()
            self._write(f"Log closed at {self._now()}")
            self._file.close()
            self._file = None

    def _section(self, what: str, guider: Guider) -> None:
        self._write(f"{what} Begins at {self._now()}")
        s, size = guider.settings, guider.camera.size
        scale = f"{guider.scale:.2f} arc-sec/px" if guider.scale else "unspecified"
        length = f"{s.focal_length:.0f} mm" if s.focal_length else "unspecified"
        self._write(f"Equipment Profile = {self._profile}")
        self._write(f"Pixel scale = {scale}, Binning = {s.binning}, Focal length = {length}")
        self._write(f"Search region = {s.track.distance} px, Star mass tolerance disabled, Multi-star mode")
        size_text = f"full size = {size[1] // s.binning} x {size[0] // s.binning}"
        self._write(f"Camera = {guider.camera.name}, {size_text}")
        self._write(f"Exposure = {1000 * s.exposure:.0f} ms")

    def _pointing(self, guider: Guider) -> None:
        place = "RA/Dec = Unknown"
        side = "Unknown"
        if guider.mount is not None:
            ra, dec = guider.mount.position
            place = f"RA = {ra / 15.0:.2f} hr, Dec = {dec:.1f} deg"
            side = guider.mount.pier_side.capitalize() or "Unknown"
        self._write(f"{place}, Hour angle = N/A hr, Pier side = {side}, Rotator pos = N/A, Alt = Unknown, Az = Unknown")
        if guider.origin is not None:
            x, y = guider.origin.place
            self._write(
                f"Lock position = {x:.3f}, {y:.3f}, Star position = {x:.3f}, {y:.3f}, HFD = {guider.origin.hfd:.2f} px"
            )

    def _info(self, text: str) -> None:
        if self._guiding:
            self._write(f"INFO: {text}")

    def _write(self, line: str) -> None:
        if self._file is None:
            self._open()
        try:
            self._file.write(line + "\n")  # type: ignore[union-attr]
            self._file.flush()  # type: ignore[union-attr]
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written: {error.strerror}; choose another place") from error

    def _open(self) -> None:
        name = f"firstlight_GuideLog_{self._clock.now():%Y-%m-%d_%H%M%S}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for n in range(1000):
                path = self._folder / f"{name}{f'_{n}' if n else ''}.txt"
                try:
                    self._file = path.open("x", encoding="utf-8")
                except FileExistsError:
                    continue
                self.path = path
                break
        except OSError as error:
            raise InputError(f"{self._folder}: no guide log can be written there: {error.strerror}") from error
        self._write(f"PHD2 version firstlight {__version__}, Log version 2.5. Log enabled at {self._now()}")
        self._write("")

    def _now(self) -> str:
        return f"{self._clock.now():%Y-%m-%d %H:%M:%S}"


def guide_line(step: GuideStep, rates: tuple[float, float]) -> str:
    """One frame as the format has it; ``rates`` are px/s of pulse, east and north.

    >>> guide_line(GuideStep(3, 6.3, 0.5, -0.2, 0.3, 0.45, -0.075, -0.1, flux=1234.5, snr=45.0), (4.0, 4.5))
    '3,6.300,"Mount",0.500,-0.200,0.300,0.450,0.300,0.450,75,W,100,S,,,1234,45.00,0'
    >>> guide_line(GuideStep(4, 8.4, lost="no star stands out of the noise"), (4.0, 4.5))
    '4,8.400,"DROP",,,,,,,,,,,,,0,0.00,2,"no star stands out of the noise"'
    """
    if step.lost:
        code = NO_STAR if step.lost.startswith("no star") else OTHER_ERROR
        reason = step.lost.replace(",", ";").replace('"', "'")
        return f'{step.frame},{step.time:.3f},"DROP",,,,,,,,,,,,,0,0.00,{code},"{reason}"'
    ra, dec = (_pulse(p, names) for p, names in ((step.ra_pulse, "EW"), (step.dec_pulse, "NS")))
    # What a pulse of that length moves, with the sign of the offset that it corrects.
    corrected = [-pulse * rate + 0.0 for pulse, rate in zip((step.ra_pulse, step.dec_pulse), rates)]
    return (
        f'{step.frame},{step.time:.3f},"Mount",{step.dx:.3f},{step.dy:.3f},{step.ra:.3f},{step.dec:.3f},'
        f"{corrected[0]:.3f},{corrected[1]:.3f},{ra},{dec},,,{step.flux:.0f},{step.snr:.2f},0"
    )


def _pulse(seconds: float, names: str) -> str:
    milliseconds = round(abs(1000 * seconds))
    return f"{milliseconds},{names[seconds < 0] if milliseconds else ''}"
