"""The play of a gear: after a change of direction it turns for a while and moves nothing."""

from __future__ import annotations


class Gear:
    """Turns a motor's way (seconds of pulse) into the axis': it follows only at the ends of the play.

    >>> gear = Gear(2.0)
    >>> [gear.turn(1.0), gear.turn(1.5), gear.turn(-1.0), gear.turn(-2.0)]
    [0.0, 1.5, 0.0, -1.0]
    >>> gear.free(1.0)
    2.0
    """

    def __init__(self, play: float) -> None:
        """``play`` is in seconds; it begins in its middle."""
        self.play = max(play, 0.0)
        self._inside = self.play / 2.0

    def turn(self, seconds: float) -> float:
        """Seconds by which the axis moves."""
        place = self._inside + seconds
        self._inside = min(max(place, 0.0), self.play)
        return place - self._inside

    def free(self, direction: float) -> float:
        """Seconds of pulse to this side that would move nothing."""
        return self.play - self._inside if direction > 0 else self._inside

    def engage(self, direction: float) -> None:
        """The axis is seen to follow to this side."""
        self._inside = self.play if direction > 0 else 0.0

    def shrink(self, play: float) -> None:
        """The play is seen to be less than thought; the end that it is at stays."""
        at_top = self._inside >= self.play
        self.play = min(self.play, max(play, 0.0))
        self._inside = self.play if at_top else min(self._inside, self.play)
