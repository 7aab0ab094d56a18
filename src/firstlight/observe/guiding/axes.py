"""How the mount answers pulses: two arrows on the guide sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import PierSide

SLOWEST = 0.01
"""px/s; an axis that answers less does not answer."""
MOST_UNEQUAL = 10.0
"""Ratio of the speeds of both axes."""
MOST_ALIKE = 0.7
"""Largest |cos| of the angle between the axes."""
POLE = 80.0
"""Degrees of declination beyond which the speed in right ascension cannot be carried elsewhere."""

Vector = tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """What pulses do to the stars on the guide sensor; vectors are (x, y) in px/s."""

    east: Vector
    """Motion of the stars while a pulse to the east runs."""
    north: Vector
    """The same for a pulse to the north."""
    dec: float = 0.0
    """Declination at which it was measured, degrees."""
    pier_side: PierSide = ""
    east_backlash: float = 0.0
    """Seconds of pulse that do nothing after a change of direction in right ascension."""
    north_backlash: float = 0.0
    """The same for declination."""
    drift: Vector = (0.0, 0.0)
    """Motion without pulses when it was measured, px/s along east and north."""
    pulses: Vector = (0.0, 0.0)
    """Lengths of pulse that moved the star far enough, east and north, s."""
    orthogonality: float = 0.0
    """Degrees by which the measured angle between the axes differs from 90."""
    pixel_scale: float | None = None
    """arcsec/px."""
    when: str = ""
    """UTC."""

    @property
    def rates(self) -> Vector:
        """Speeds east and north, px/s."""
        return math.hypot(*self.east), math.hypot(*self.north)

    @property
    def angles(self) -> Vector:
        """Directions of both arrows, degrees from x towards y."""
        return tuple(math.degrees(math.atan2(v[1], v[0])) for v in (self.east, self.north))  # type: ignore[return-value]

    def components(self, dx: float, dy: float) -> Vector:
        """An offset on the sensor in px along east and north; the axes need not be orthogonal.

        >>> Calibration(east=(0.0, 4.0), north=(3.0, 0.0)).components(1.0, 2.0)
        (2.0, 1.0)
        """
        units = np.array([np.array(v) / math.hypot(*v) for v in (self.east, self.north)]).T
        east, north = np.linalg.solve(units, (dx, dy))
        return float(east), float(north)

    def on_sensor(self, east: float, north: float) -> Vector:
        """The offset (dx, dy) that is so many px along east and north.

        >>> Calibration(east=(0.0, 4.0), north=(3.0, 0.0)).on_sensor(2.0, 1.0)
        (1.0, 2.0)
        """
        units = np.array([np.array(v) / math.hypot(*v) for v in (self.east, self.north)]).T
        dx, dy = units @ (east, north)
        return float(dx), float(dy)

    def at(self, dec: float | None, pier_side: PierSide, reverse_dec: bool = False) -> Calibration:
        """The same mount at another declination, and on the other side of the pier.

        East is slower by the cosine of the declination. On the other side the camera is turned by 180 degrees, and so
        is north as seen from the gear of most mounts: only east changes on the sensor, unless the mount turns north and
        south around itself (``reverse_dec``).

        >>> there = Calibration(east=(4.0, 0.0), north=(0.0, 4.0), pier_side="east").at(60.0, "west")
        >>> [round(v, 6) for v in (*there.east, *there.north)]
        [-2.0, -0.0, 0.0, 4.0]
        """
        east, here = self.east, self.dec
        if dec is not None and abs(dec) < 89.0 and abs(self.dec) < POLE:
            ratio = math.cos(math.radians(dec)) / math.cos(math.radians(self.dec))
            east, here = (east[0] * ratio, east[1] * ratio), dec
        there = replace(self, east=east, dec=here)
        if pier_side and self.pier_side and pier_side != self.pier_side:
            there = there.flipped(reverse_dec)
        return replace(there, pier_side=pier_side or self.pier_side)

    def flipped(self, reverse_dec: bool = False) -> Calibration:
        """The same on the other side of the pier."""
        north = (-self.north[0], -self.north[1]) if reverse_dec else self.north
        sides: dict[PierSide, PierSide] = {"east": "west", "west": "east"}
        east = (-self.east[0], -self.east[1])
        return replace(self, east=east, north=north, pier_side=sides.get(self.pier_side, ""))

    def check(self) -> Calibration:
        """Itself, where it can be guided with.

        Raises
        ------
        EquipmentError
            An axis does not answer, the axes are alike, or their speeds differ too much.
        """
        numbers = (*self.east, *self.north)
        if not all(map(math.isfinite, numbers)):
            raise EquipmentError(f"calibration: speeds {numbers}; calibrate again")
        for name, speed in zip(("right ascension", "declination"), self.rates):
            if speed < SLOWEST:
                raise EquipmentError(
                    f"calibration: in {name} pulses move the stars by {speed:.4f} px/s; at least {SLOWEST:g} px/s is "
                    "needed: check the guide cable, that guide pulses are on, that the mount tracks and is unparked"
                )
        east, north = self.rates
        if not 1 / MOST_UNEQUAL <= east / north <= MOST_UNEQUAL:
            raise EquipmentError(
                f"calibration: pulses move the stars by {east:.3f} px/s in right ascension and {north:.3f} px/s in "
                f"declination; they may differ by a factor of {MOST_UNEQUAL:g}: give both axes the same guide speed, "
                "away from the pole"
            )
        alike = (self.east[0] * self.north[0] + self.east[1] * self.north[1]) / (east * north)
        if abs(alike) > MOST_ALIKE:
            raise EquipmentError(
                f"calibration: the axes are {math.degrees(math.acos(max(-1.0, min(1.0, alike)))):.0f} degrees apart on "
                f"the sensor; {math.degrees(math.acos(MOST_ALIKE)):.0f} to "
                f"{math.degrees(math.acos(-MOST_ALIKE)):.0f} is allowed: one axis hardly moves, or wind or clouds "
                "disturbed it; calibrate again"
            )
        return self
