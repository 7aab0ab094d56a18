"""Has guiding come to rest?"""

from __future__ import annotations

from typing import Literal

from firstlight.observe.guiding.settings import Settle

LOST = 3
"""Frames in a row without the star after which guiding is not settled any more."""
State = Literal["settling", "settled", "failed"]


class Settling:
    """Watches the distance of the star from its place, from one moment on.

    >>> settling = Settling(Settle(pixels=2, seconds=4, timeout=60), begin=0.0)
    >>> [settling.see(t, d) for t, d in [(2, 5.0), (4, 1.0), (6, 0.5), (8, 0.7)]]
    ['settling', 'settling', 'settling', 'settled']
    """

    def __init__(self, choice: Settle, begin: float) -> None:
        self.choice, self.begin = choice, begin
        self.state: State = "settling"
        self.frames = self.lost = 0
        self._near_since: float | None = None
        self._lost_now = 0

    def see(self, time: float, distance: float | None) -> State:
        """The distance in px at this time (s), None where the star was lost.

        What has failed may settle later; what had settled fails when the star is lost for several frames.
        """
        self._lost_now = self._lost_now + 1 if distance is None else 0
        if self.state == "settling":
            self.frames += 1
            self.lost += distance is None
        if distance is None or distance > self.choice.pixels:
            self._near_since = None
        elif self._near_since is None:
            self._near_since = time
        if self.state == "settled":
            self.state = "failed" if self._lost_now >= LOST else "settled"
        elif self._near_since is not None and time - self._near_since >= self.choice.seconds:
            self.state = "settled"
        elif time - self.begin > self.choice.timeout:
            self.state = "failed"
        return self.state
