"""Can the mount be guided, and is what was found on a guide frame the guide star?"""

from __future__ import annotations

import math

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Mount
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.settings import Track
from firstlight.observe.guiding.step import GuideStep
from firstlight.observe.guiding.track import StarsLost

NEAR = 0.5
"""Share of the search distance within which a star is believed."""


def refuse_unlikely(
    now: GuideStep, before: GuideStep | None, track: Track, axes: Calibration, scale: float | None
) -> None:
    """Refuse a star that is too far from its place, or came there faster than a mount moves.

    Parameters
    ----------
    now, before : this frame and the last one on which the star was found; the pulses of the last are allowed for.
    scale : arcsec/px; None: speeds are not judged.

    Raises
    ------
    StarsLost
        It is another star, or something else.

    >>> axes = Calibration((4.0, 0.0), (0.0, 4.0))
    >>> refuse_unlikely(GuideStep(2, 4.0, 30.0), GuideStep(1, 2.0), Track(), axes, 2.0)
    Traceback (most recent call last):
    ...
    firstlight.observe.guiding.track.StarsLost: the star moved by 30 arcsec/s; 20 arcsec/s are believed
    """
    limit, distance = NEAR * track.distance, math.hypot(now.dx, now.dy)
    if distance > limit:
        raise StarsLost(f"the star is {distance:.0f} px from its place; {limit:g} px are believed")
    if before is None or not scale:
        return
    east, north = axes.rates
    pushed = axes.on_sensor(east * before.ra_pulse, north * before.dec_pulse)
    moved = math.hypot(now.dx - before.dx - pushed[0], now.dy - before.dy - pushed[1])
    speed = moved * scale / max(now.time - before.time, 0.1)
    if speed > track.max_speed:
        raise StarsLost(f"the star moved by {speed:.0f} arcsec/s; {track.max_speed:g} arcsec/s are believed")


def refuse_unready(mount: Mount | None) -> None:
    """Refuse a mount that is parked or stands still.

    Raises
    ------
    EquipmentError
        It says so; what to do stands in the message.
    """
    if mount is None:
        return
    if mount.parked:
        raise EquipmentError(f"{mount.name}: is parked; unpark it, and go to the target (`firstlight observe goto`)")
    if not mount.tracking:
        raise EquipmentError(f"{mount.name}: does not track; go to the target first (`firstlight observe goto`)")
