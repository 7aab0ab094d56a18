"""Pulses that drive the star away: a calibration that does not hold (any more)."""

from __future__ import annotations

GROWING = 6
"""Frames in a row on which pulses were given and the star was further away afterwards."""
FURTHER = 2.0
"""Factor by which it is further away after all of them."""


class Runaway:
    """Watches whether pulses make it worse.

    >>> runaway = Runaway(least=4.0)
    >>> [runaway.sees(distance, pulsed=True) for distance in (1.0, 1.8, 3.2, 5.8, 10.5, 19.0, 34.0)]
    [False, False, False, False, False, False, True]
    """

    def __init__(self, least: float) -> None:
        """Below ``least`` px nothing is said."""
        self._least = least
        self._rising: list[float] = []

    def forget(self) -> None:
        """The star was lost, or its place was changed: what follows is no consequence of the pulses before."""
        self._rising.clear()

    def sees(self, distance: float, pulsed: bool) -> bool:
        """The distance of the star from its place, and whether a pulse follows; True where it must end."""
        if self._rising and distance <= self._rising[-1]:
            self._rising.clear()
        if pulsed:
            self._rising.append(distance)
        else:
            self._rising.clear()
        rising = self._rising
        return len(rising) > GROWING and distance > max(self._least, FURTHER * rising[-1 - GROWING])
