"""Find out what pulses do to the stars on the guide sensor."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Camera, Clock, GuidePort, Mount, SystemClock
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.frames import take_frame
from firstlight.observe.guiding.response import Response, fit_response
from firstlight.observe.guiding.settings import GuideSettings
from firstlight.observe.guiding.track import Offset, StarsLost, Tracker

PATIENCE = 3
"""Frames in a row without the star that end a calibration."""
CAUGHT = 2.0
"""px, or four times the scatter of the frames, by which the star moves once the gear has caught."""
LONGER = (1.3, 5.0)
"""Pulses grow by at least and at most this factor."""
AMPLE = 1.5
"""Longer pulses aim at so many times the distance that is asked for."""
FEWEST, SHORTER = 5, 0.3
"""Where fewer pulses bring the star to the end of where it may go, they become shorter by this factor."""
GENTLY = 1.3
"""Factor by which pulses that take up the play grow."""
SURE = 3.0
"""An angle that differs from 90 degrees by more than so many standard errors is believed."""
SQUARE = 15.0
"""Degrees; a larger difference is believed anyway."""
MOST_RETURNS = 4

Direction = Literal["east", "north"]
STEPS: dict[tuple[str, int], str] = {
    ("east", 1): "East", ("east", -1): "West", ("north", 1): "North", ("north", -1): "South",
}  # fmt: skip


@dataclass
class Step:
    """One frame of a calibration."""

    leg: str
    """``Rest``, ``Backlash``, ``West``, ``East``, ``North`` or ``South``."""
    number: int
    offset: Offset
    time: float
    """s since the calibration began."""


@dataclass
class _Leg:
    times: list[float] = field(default_factory=list)
    pulses: list[float] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)


def calibrate(
    camera: Camera,
    port: GuidePort,
    settings: GuideSettings = GuideSettings(),
    *,
    clock: Clock | None = None,
    dark: np.ndarray | None = None,
    scale: float | None = None,
    tell: Callable[[Step], None] = lambda step: None,
) -> Calibration:
    """Measure the drift at rest, then move each axis to and fro and see where the star goes.

    Each axis first takes up its play; ten pulses to one side follow, longer ones if the star moves less than 20 px,
    and as many back as it takes. Speed, play and drift come from one robust fit to all of it. The star ends near
    where it was.

    Parameters
    ----------
    camera, port : of the guider; where the port is a mount, its declination and side of the pier are kept.
    dark : of the same exposure and binning.
    scale : arcsec/px, to be kept with the result.
    tell : is called with each frame.

    Raises
    ------
    EquipmentError
        The star is lost, does not move, or what was measured cannot be guided with. No pulse is under way then.
    """
    try:
        found = _Calibration(camera, port, settings, clock or SystemClock(), dark, tell).run()
    except BaseException:
        # Whatever it was, Ctrl-C too: nothing may move any more.
        for end in (camera.abort, port.stop):
            with contextlib.suppress(EquipmentError):
                end()
        raise
    return replace(found, pixel_scale=scale).check()


class _Calibration:
    def __init__(
        self, camera: Camera, port: GuidePort, settings: GuideSettings, clock: Clock, dark: np.ndarray | None,
        tell: Callable[[Step], None],
    ) -> None:  # fmt: skip
        self._camera, self._port, self._clock, self._tell = camera, port, clock, tell
        self._settings, self._choice = settings, settings.calibrate
        self._tracker = Tracker(settings.track, dark)
        self._start = clock.now()
        self._limit = 0.5 * settings.track.distance
        self._last: Offset | None = None
        self._noise = 0.1

    def run(self) -> Calibration:
        rest = self._rest()
        pulses = {}
        fits: dict[str, Response] = {}
        for axis in ("east", "north"):
            leg, pulses[axis] = self._axis(axis)
            most = {"east": self._choice.ra_clear, "north": self._choice.dec_clear}[axis]
            used = np.abs(leg.pulses)
            fits[axis] = fit_response(
                np.array(leg.times), np.array(leg.pulses), np.array(leg.places), min(most, float(used.sum()) / 2)
            )
        east, north = np.array(fits["east"].velocity), np.array(fits["north"].velocity)
        measured = Calibration(tuple(east), tuple(north))
        error = _from_square(measured)
        doubt = math.degrees(sum(f.error / max(s, 1e-9) for f, s in zip(fits.values(), measured.rates)))
        if abs(error) < max(SURE * doubt, 1.0) and abs(error) < SQUARE:
            # What differs is noise of both: each is turned by half of it.
            east, north = _turned(east, 0.5 * error), _turned(north, -0.5 * error)
        # At rest and on both axes: three measures of one drift.
        drift = np.median([rest, fits["east"].drift, fits["north"].drift], axis=0)
        found = replace(
            measured,
            east=tuple(map(float, east)),
            north=tuple(map(float, north)),
            east_backlash=fits["east"].backlash,
            north_backlash=fits["north"].backlash,
            pulses=(pulses["east"], pulses["north"]),
            orthogonality=error,
            when=self._clock.now().isoformat("T", "seconds"),
        )
        if isinstance(self._port, Mount):
            found = replace(found, dec=self._port.position.dec, pier_side=self._port.pier_side)
        found.check()
        found = replace(found, drift=found.components(*drift))
        self._return(found)
        return found

    def _rest(self) -> np.ndarray:
        """Drift without pulses, px/s; and how far frames scatter."""
        self._last = self._begin()
        times, places = [], []
        for number in range(self._choice.steps):
            offset = self._look("Rest", number)
            times.append(self._elapsed())
            places.append((offset.dx, offset.dy))
        places = np.array(places)
        i, j = np.triu_indices(len(times), 1)
        speeds = (places[j] - places[i]) / (np.array(times)[j] - np.array(times)[i])[:, None]
        drift = np.median(speeds, axis=0)
        left = np.diff(places - drift * np.array(times)[:, None], axis=0)
        self._noise = max(0.02, 1.05 * float(np.median(np.abs(left))))
        return drift

    def _axis(self, axis: Direction) -> tuple[_Leg, float]:
        """Move one axis to and fro; what was seen, and the pulse that moved the star far enough."""
        c = self._choice
        # West first: with the sky, where the gear of right ascension is engaged already.
        first = -1 if axis == "east" else 1
        pulse = c.pulse
        for attempt in range(c.attempts):
            self._clear(axis, first, pulse, c.ra_clear if axis == "east" else c.dec_clear)
            leg = _Leg()
            self._note(leg, 0.0)
            moved = self._go(leg, axis, first, pulse, c.steps)
            few = len(leg.pulses) <= FEWEST
            if moved >= c.distance and not few:
                break
            if attempt == c.attempts - 1 or (pulse >= c.max_pulse and not few):
                self._refuse(axis, moved, pulse)
            if few:
                self._go(_Leg(), axis, -first, pulse, c.steps, moved)
                pulse *= SHORTER
            else:
                pulse = min(c.max_pulse, pulse * min(max(AMPLE * c.distance / max(moved, 0.1), LONGER[0]), LONGER[1]))
        # As far back as it came, however long the play; and once more to and fro.
        for direction in (-first, first, -first):
            self._go(leg, axis, direction, pulse, c.steps, moved)
        return leg, pulse

    def _clear(self, axis: Direction, direction: int, pulse: float, most: float) -> None:
        """Pulses to one side until the star moves."""
        before, spent, number = self._last, 0.0, 0
        while spent < most:
            self._pulse(axis, direction * pulse)
            spent, number = spent + pulse, number + 1
            offset = self._look("Backlash", number)
            if math.hypot(offset.dx - before.dx, offset.dy - before.dy) > max(CAUGHT, 4 * self._noise):
                return
            pulse = min(pulse * GENTLY, max(pulse, most / 10.0))

    def _go(
        self, leg: _Leg, axis: Direction, direction: int, pulse: float, steps: int, distance: float | None = None
    ) -> float:
        """So many pulses to one side, or until the star has moved so far; returns how far it has, px."""
        start, name = self._last, STEPS[axis, direction]
        most = steps if distance is None else steps + math.ceil(2.0 * self._most_play(axis) / pulse)
        moved = 0.0
        for number in range(1, most + 1):
            self._pulse(axis, direction * pulse)
            offset = self._look(name, number)
            self._note(leg, direction * pulse)
            moved = math.hypot(offset.dx - start.dx, offset.dy - start.dy)
            if moved > self._limit:
                break
            if distance is not None and number >= steps // 2 and moved >= 0.9 * distance:
                break
        return moved

    def _most_play(self, axis: Direction) -> float:
        return self._choice.ra_clear if axis == "east" else self._choice.dec_clear

    def _return(self, found: Calibration) -> None:
        """Bring the star back to where it began."""
        for _ in range(MOST_RETURNS):
            east, north = found.components(self._last.dx, self._last.dy)
            if math.hypot(east, north) < max(CAUGHT, 2 * self._noise):
                return
            longest = self._choice.max_pulse
            pulses = [max(-longest, min(longest, -d / rate)) for d, rate in zip((east, north), found.rates)]
            self._port.pulse(pulses[1], pulses[0])
            self._look("Return", 0)

    def _refuse(self, axis: Direction, moved: float, pulse: float) -> None:
        name = {"east": "right ascension", "north": "declination"}[axis]
        raise EquipmentError(
            f"calibration: {self._choice.steps} pulses of {pulse:g} s in {name} moved the star by {moved:.1f} px; "
            f"{self._choice.distance:g} px are needed: check the guide cable and the guide speed of the mount, that it "
            "tracks and is unparked; near the pole calibrate at a lower declination"
        )

    def _note(self, leg: _Leg, pulse: float) -> None:
        leg.times.append(self._elapsed())
        leg.pulses.append(pulse)
        leg.places.append((self._last.dx, self._last.dy))

    def _pulse(self, axis: Direction, seconds: float) -> None:
        self._port.pulse(seconds if axis == "north" else 0.0, seconds if axis == "east" else 0.0)

    def _begin(self) -> Offset:
        problem = ""
        for _ in range(PATIENCE):
            try:
                return self._tracker.begin(self._frame())
            except StarsLost as error:
                problem = str(error)
        raise EquipmentError(
            f"calibration: {problem}; focus the guide scope, take longer exposures, or wait for the clouds to pass"
        )

    def _look(self, leg: str, number: int) -> Offset:
        problem = ""
        for _ in range(PATIENCE):
            try:
                self._last = self._tracker.find(self._frame())
            except StarsLost as error:
                problem = str(error)
                continue
            self._tell(Step(leg, number, self._last, self._elapsed()))
            return self._last
        raise EquipmentError(
            f"calibration: {problem}, {PATIENCE} frames in a row; wait for the clouds to pass and calibrate again"
        )

    def _frame(self) -> np.ndarray:
        return take_frame(self._camera, self._settings)

    def _elapsed(self) -> float:
        return (self._clock.now() - self._start).total_seconds()


def _from_square(calibration: Calibration) -> float:
    """Degrees by which the angle between the axes differs from 90, whichever way round they are."""
    east, north = calibration.angles
    return (north - east + 180.0) % 180.0 - 90.0


def _turned(vector: np.ndarray, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s], [s, c]]) @ vector
