"""To a place on the sky, and onto it: slew, take a frame, solve its plate, correct, until it is in the middle."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import EquipmentError, FrameError, InputError
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.read import open_frame
from firstlight.model.catalog import separation
from firstlight.observe.equipment import Equipment, Exposure, Pointing
from firstlight.observe.frames import Session, Shot, cards_of
from firstlight.ops.align.plate_solve import SolvePlate
from firstlight.ops.align.plates import scale_of, sky_of
from firstlight.ops.meta.sky_at import circumstances
from firstlight.pipeline.solve import solve_plate

FAR = 15.0
"""Degrees: a mount that is farther off has lost its bearings, and is not sent on."""
Say = Callable[[str], None]
Solver = Callable[[Exposure], Pointing]


@dataclass(frozen=True)
class Centring:
    """How near, and how hard to try."""

    tolerance: float = 30.0
    """arcsec."""
    tries: int = 5
    """Frames that are taken at most."""
    seconds: float = 5.0
    """Exposure of each; twice as long once where a plate is not found."""
    gain: float | None = None
    offset: float | None = None
    binning: int = 1
    lowest: float = 10.0
    """Degrees above the horizon below which nothing is slewed to, where the profile names the site."""
    sync: bool = True
    """Tell the mount where it points; without it the goal is moved by what the mount is off."""


@dataclass
class Centred:
    """Where the telescope points in the end."""

    place: Pointing
    wanted: Pointing
    away: float
    """arcsec."""
    within: bool
    steps: list[float] = field(default_factory=list)
    """Distances after each slew, arcsec."""

    def as_record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "ra": self.place.ra,
            "dec": self.place.dec,
            "away_arcsec": self.away,
            "within": self.within,
            "steps": self.steps,
        }


def solve_exposure(equipment: Equipment, session: Session, taken: Exposure, shot: Shot) -> tuple[Pointing, float]:
    """Where the middle of a frame is, and its scale in arcsec/px; the mount's belief and the optics are hints.

    Raises
    ------
    FrameError
        Its plate is not found.
    """
    if not taken.data.size:
        raise EquipmentError(
            "solve: the frame stays on the camera's computer; leave imaging.save_in out of the profile"
        )
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        path = Path(folder, "frame.fits")
        write_units(path, [Unit(cards_of(session, shot, taken, equipment), taken.data)], checksum=False)
        image = open_frame(path).read()
    plate = solve_plate(image, SolvePlate()).plate
    shape = image.shape[1], image.shape[2]
    middle = np.array([[(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0]])
    ra, dec = map(float, sky_of(plate, middle)[0])
    return Pointing(ra, dec), scale_of(plate, shape)


def goto_and_centre(
    equipment: Equipment,
    session: Session,
    target: Pointing,
    how: Centring = Centring(),
    say: Say = lambda _: None,
    solver: Solver | None = None,
) -> Centred:
    """Slew to a place and correct by the stars until it is in the middle of the frame.

    When it fails, the mount tracks where it is.

    Raises
    ------
    InputError
        There is no mount or no camera.
    EquipmentError
        A device failed, or two frames in a row could not be solved.
    """
    mount, camera = equipment.mount, equipment.camera
    if mount is None or camera is None:
        raise InputError("goto: a mount and a camera are needed; name them in the profile")
    check_place(target)
    check_height(target, session, equipment.clock.now(), how.lowest)
    say(f"slewing to {words(target)}")
    goal = target
    mount.goto(*goal)
    found: Centred | None = None
    for _ in range(max(how.tries, 1)):
        place = _where(equipment, session, how, say, solver)
        away = 3600.0 * separation(*place, *target)
        found = Centred(place, target, away, away <= how.tolerance, [*(found.steps if found else []), away])
        say(f"points to {words(place)}: {_arc(away)} off")
        if found.within or len(found.steps) == how.tries:
            break
        if away > FAR * 3600.0:
            raise EquipmentError(
                f"goto: the frame shows {words(place)}, {away / 3600:.0f} degrees from where the mount was sent; "
                f"up to {FAR:g} are corrected: look where the telescope points, and at the mount's clock and site"
            )
        if how.sync:
            mount.sync(*place)
        else:
            goal = _moved(goal, place, target)
        mount.goto(*goal)
    if found is None:
        raise EquipmentError("goto: no frame was taken")
    return found


def _where(equipment: Equipment, session: Session, how: Centring, say: Say, solver: Solver | None) -> Pointing:
    """The place that a frame shows; a frame that is not solved is taken once more, twice as long."""
    reason = ""
    for factor in (1.0, 2.0):
        seconds = how.seconds * factor
        shot = Shot("light", seconds, "", how.gain, how.offset, how.binning)
        taken = equipment.camera.expose(seconds, "light", how.gain, how.offset, how.binning)  # type: ignore[union-attr]
        try:
            if solver is not None:
                return solver(taken)
            return solve_exposure(equipment, session, taken, shot)[0]
        except FrameError as error:
            reason = str(error)
            say(f"  not solved: {reason}")
    raise EquipmentError(
        f"goto: two frames could not be solved ({reason}); look at one (`firstlight observe snap`), at the focus, and "
        "at imaging.focal_length of the profile"
    )


def _moved(goal: Pointing, place: Pointing, target: Pointing) -> Pointing:
    """The goal, moved by what the mount missed the target."""
    ra = goal.ra + (target.ra - place.ra + 180.0) % 360.0 - 180.0
    return Pointing(ra % 360.0, min(max(goal.dec + target.dec - place.dec, -90.0), 90.0))


def check_place(place: Pointing) -> None:
    """Refuse what is no place on the sky.

    Raises
    ------
    InputError
        A number is out of bounds.
    """
    if not (math.isfinite(place.ra) and 0.0 <= place.ra < 360.0 and -90.0 <= place.dec <= 90.0):
        raise InputError(f"place {place.ra:g}, {place.dec:g}: RA 0 to 360 and Dec -90 to 90 degrees are allowed")


def check_height(place: Pointing, session: Session, when: datetime, lowest: float) -> None:
    """Refuse a place that stands too low; nothing is known where the profile names no site.

    Raises
    ------
    InputError
        It is lower than ``lowest``.
    """
    if session.site is None:
        return
    height = circumstances([when], [place.ra], [place.dec], session.site)[0].altitude
    if height is not None and height < lowest:
        raise InputError(
            f"{words(place)}: stands {height:.0f} degrees above the horizon of {session.site.name} now; from "
            f"{lowest:g} on is allowed (--lowest)"
        )


def words(place: Pointing) -> str:
    """A place as people write it.

    >>> words(Pointing(299.9015, 22.7212))
    '19h59m36.4s +22d43m16s'
    """
    tenths = round(place.ra / 15.0 * 36000) % 864000
    arcsec = round(abs(place.dec) * 3600)
    hours = f"{tenths // 36000:02d}h{tenths // 600 % 60:02d}m{tenths % 600 / 10:04.1f}s"
    sign = "-" if place.dec < 0 else "+"
    return f"{hours} {sign}{arcsec // 3600:02d}d{arcsec // 60 % 60:02d}m{arcsec % 60:02d}s"


def _arc(arcsec: float) -> str:
    return f"{arcsec:.0f} arcsec" if arcsec < 300 else f"{arcsec / 60:.1f} arcmin"
