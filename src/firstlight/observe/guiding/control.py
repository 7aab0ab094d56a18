"""From the offset of the star to the pulse that brings it back, one axis at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.gear import Gear
from firstlight.observe.guiding.settings import Control

TURN = 2.5
"""Declination changes direction when its smoothed offset is beyond so many times what noise makes of it."""
BEYOND_DOUBT = 6.0
"""An offset of so many times the noise away from what was expected is a jump, and answered at once."""
CLIP = 3.0
"""More than so many times the noise is not taken for noise."""
SEEN = 3.5
"""A motion of so many times the noise shows that the gear has caught."""
TRUST = 0.25
"""Weight of one such motion in what is known of the backlash."""
FIRST_SHARE = 0.25
"""Of the backlash that the first pulse after a change of direction is lengthened by."""
FIRST_PULSE = 0.1
"""s; the same at least."""
OVERSHOOT = 1.5
"""px by which a lengthened pulse may miss where the backlash is less than thought."""
UNKNOWN = 0.3
"""Share of that while nobody knows where in its play the gear is."""
LEAST_NOISE = 0.03
"""px."""
FIRST_NOISE = 0.25
"""px, until frames have told."""
RELAX = 0.05
"""Weight of a new frame in the noise."""
SMOOTH = 0.4
"""Weight of a new frame in declination, which drifts slowly: the rest is what was expected from the frames before."""


@dataclass(frozen=True)
class Manner:
    """How one axis is to be kept."""

    aggressiveness: float
    drift_share: float = 0.0
    min_pulse: float = 0.0
    resistance: float = 0.0
    smooth: float = 1.0
    """Weight of a new frame; 1: only the last one counts."""
    history: int = 5
    directions: Literal["both", "positive", "negative", "off"] = "both"
    compensate: bool = True


class Axis:
    """Keeps one axis: proportional control, a learned drift, and a gear with play.

    Offsets are px along the axis, pulses seconds; a positive pulse moves the stars to the positive side.

    >>> axis = Axis(rate=4.0, manner=Manner(aggressiveness=0.5))
    >>> axis.step(offset=2.0, seconds=2.0, longest=2.0)
    -0.25
    """

    def __init__(self, rate: float, manner: Manner, backlash: float = 0.0, drift: float = 0.0) -> None:
        """``rate`` in px/s of pulse, ``backlash`` in s, ``drift`` in px/s."""
        self.rate, self.manner = rate, manner
        self.gear = Gear(backlash)
        self.drift = drift
        self.noise = FIRST_NOISE
        self._debt = 0.0
        self._direction = 0.0
        self._extra = 0.0
        self._spent = 0.0
        self._catching = False
        self._from_the_end = False
        self.forget()

    def forget(self) -> None:
        """The next offset does not follow on the last: the star was lost, or its place was changed."""
        self._previous: float | None = None
        self._smooth, self._weight = 0.0, 1.0
        self._steady = 0
        self._moving = self._given = 0.0
        self._debt = 0.0

    def shift(self, by: float) -> None:
        """The place of the star was changed: all offsets are larger by this from now on."""
        if self._previous is not None:
            self._previous += by
            self._smooth += by

    def step(
        self,
        offset: float,
        seconds: float,
        longest: float,
        learn: bool = True,
        forced: bool = False,
        aggressiveness: float | None = None,
    ) -> float:
        """The pulse that follows a measured offset.

        Parameters
        ----------
        seconds : since the offset before, and until the next one.
        longest : pulse that may be given.
        learn : the frames are steady: their speed tells the drift.
        forced : change direction at once, as when dithering.
        """
        jumped = self._take_in(offset, seconds, learn)
        if self.manner.directions == "off":
            self._moving = self._given = 0.0
            return 0.0
        share = self.manner.aggressiveness if aggressiveness is None else aggressiveness
        wanted = -share * (offset if forced else self._smooth) / self.rate
        if abs(wanted) < self.manner.min_pulse:
            wanted = 0.0
        # What is too short to be given stays owed; what is not wanted is not saved up.
        owed = -self.drift * seconds / self.rate
        most = self.manner.min_pulse + abs(owed)
        self._debt = max(-most, min(most, self._debt + owed))
        pulse = wanted + self._debt
        # Against a drift that is not felt no pulse drives the star further away.
        away = self.manner.smooth < 1.0 and pulse * self._smooth > 0
        short = pulse == 0.0 or abs(pulse) < self.manner.min_pulse
        if short or away or not self._allowed(pulse, forced or jumped):
            self._moving = self._given = 0.0
            return 0.0
        self._debt = 0.0
        if pulse * self._direction <= 0:
            self._turn(pulse)
        pulse = max(-longest, min(longest, self._lengthened(pulse)))
        self._moving = self.gear.turn(pulse)
        self._given = pulse
        self._spent += abs(pulse)
        self._direction = math.copysign(1.0, pulse)
        return pulse

    def _take_in(self, offset: float, seconds: float, learn: bool) -> bool:
        """Learn from what the last pulse and the time since have done; whether the star has jumped."""
        if self._previous is None:
            self._previous = self._smooth = offset
            self._weight = 1.0
            return False
        moved = offset - self._previous
        surprise = offset - (self._smooth + self.rate * self._moving + self.drift * seconds)
        jumped = abs(surprise) > BEYOND_DOUBT * self.noise and self._catching is False
        # The mean of all frames, until these are many.
        self._weight = 1.0 if jumped else max(self.manner.smooth, self._weight / (1.0 + self._weight))
        self._smooth = offset - (1.0 - self._weight) * surprise
        self._previous = offset
        if self._catching and self._given:
            self._look_for_the_gear(moved)
        elif learn and seconds > 0:
            surprise = min(abs(surprise), CLIP * self.noise)
            self.noise = max(LEAST_NOISE, math.sqrt((1 - RELAX) * self.noise**2 + RELAX * surprise**2))
            # Each speed, and not the median of a few: what noise adds to one frame it takes from the next.
            self._steady += 1
            if self._steady >= self.manner.history and not jumped:
                speed = (moved - self.rate * self._moving) / seconds
                self.drift += self.manner.drift_share * (speed - self.drift)
        return jumped

    def _look_for_the_gear(self, moved: float) -> None:
        """Has it caught after a change of direction?"""
        towards = moved * self._direction
        if towards > SEEN * self.noise:
            if self._from_the_end:
                # The play is no more than what was spent before this motion.
                less = self.gear.play - (self._spent - towards / self.rate)
                self.gear.shrink(self.gear.play - TRUST * less)
            self.gear.engage(self._direction)
            self._catching = False
        elif self.gear.free(self._direction) <= 0.0:
            self._catching = False
        else:
            self._extra *= 2.0

    def _allowed(self, pulse: float, at_once: bool) -> bool:
        """Whether its direction is wanted, and sure."""
        if not {"positive": pulse > 0, "negative": pulse < 0}.get(self.manner.directions, True):
            return False
        if pulse * self._direction > 0 or at_once:
            return True
        k = self._weight
        doubt = TURN * self.noise * math.sqrt(k / (2.0 - k)) if self.manner.smooth < 1.0 else 0.0
        return abs(self._smooth) > doubt and abs(pulse) >= self.manner.resistance

    def _turn(self, pulse: float) -> None:
        """The direction changes: the gear has to catch on the other side."""
        self._from_the_end = self._direction != 0.0 and self.gear.free(-pulse) <= 0.0
        if not self._direction:
            # Nobody knows where in its play the gear is: the worst is taken, and a motion corrects it.
            self.gear.engage(-pulse)
        self._spent = 0.0
        self._extra = max(FIRST_PULSE, FIRST_SHARE * self.gear.play)
        self._catching = self.gear.free(pulse) > 0.0

    def _lengthened(self, pulse: float) -> float:
        """With a part of the play that is still to be taken up: more each time nothing moves."""
        if not (self._catching and self.manner.compensate):
            return pulse
        careful = OVERSHOOT / self.rate * (1.0 if self._from_the_end else UNKNOWN)
        extra = min(self.gear.free(pulse), self._extra, careful)
        return pulse + math.copysign(extra, pulse)


def axes_of(calibration: Calibration, c: Control, drift: tuple[float, float] = (0.0, 0.0)) -> tuple[Axis, Axis]:
    """Right ascension (positive: east) and declination (positive: north), ready to be kept.

    >>> ra, dec = axes_of(Calibration(east=(3.0, 0.0), north=(0.0, 4.0)), Control())
    >>> ra.rate, dec.rate
    (3.0, 4.0)
    """
    east, north = calibration.rates
    ra = Manner(
        c.ra_aggressiveness, c.ra_drift, c.ra_min_pulse, c.ra_resistance, 1.0, c.history, "both", c.compensate_backlash
    )
    directions: dict[str, Literal["both", "positive", "negative", "off"]] = {
        "both": "both", "north": "positive", "south": "negative", "off": "off",
    }  # fmt: skip
    dec = Manner(
        c.dec_aggressiveness, c.dec_drift, c.dec_min_pulse, c.dec_resistance, SMOOTH, c.history,
        directions[c.dec_mode], c.compensate_backlash,
    )  # fmt: skip
    return (
        Axis(east, ra, calibration.east_backlash, drift[0]),
        Axis(north, dec, calibration.north_backlash, drift[1]),
    )
