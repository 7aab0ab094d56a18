"""A telescope as one object: what it is, and what it can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstlight.io.deep_sky import find_object
from firstlight.io.sites import read_sites
from firstlight.model.telescope import TelescopeFacts
from firstlight.observe.connect import PARTS, equipment_of
from firstlight.observe.darks import darks_for, take_darks
from firstlight.observe.equipment import Equipment, Pointing
from firstlight.observe.flats import FlatPlan, take_flats
from firstlight.observe.focus import Focused, FocusPlan, autofocus, first_step
from firstlight.observe.frames import Session
from firstlight.observe.plan_file import parse_take
from firstlight.observe.pointing import Centred, Centring, goto_and_centre
from firstlight.observe.profile import Profile
from firstlight.observe.sequence import Plan, Result, Say, run_sequence


class Telescope:
    """Facts from the profile, commands through the equipment.

    Use `open_telescope`, or give equipment of your own, simulated or real.
    """

    def __init__(self, profile: Profile, equipment: Equipment, say: Say = print) -> None:
        self.profile, self.equipment, self.say = profile, equipment, say

    @property
    def facts(self) -> TelescopeFacts:
        """What is known of it."""
        optics, camera, wheel = self.profile.imaging, self.equipment.camera, self.equipment.wheel
        return TelescopeFacts(
            optics.telescope,
            optics.focal_length or None,
            optics.aperture or None,
            camera.name if camera else "",
            camera.pixel_size if camera else None,
            camera.size if camera else None,
            wheel.names if wheel else (),
            self.profile.observer,
            read_sites().find(self.profile.site) if self.profile.site else None,
        )

    def centre(self, target: str | Pointing, how: Centring = Centring()) -> Centred:
        """Go to an object by name, or to a place, and centre it by plates."""
        return goto_and_centre(self.equipment, self._session(Path()), _place(target), how, self.say)

    def focus(self, plan: FocusPlan | None = None) -> Focused:
        """Find the focus."""
        if plan is None and self.equipment.focuser is not None:
            plan = FocusPlan(step=first_step(self.equipment.focuser, self.profile))
        return autofocus(self.equipment, self._session(Path()), plan or FocusPlan(), self.say)

    def sequence(self, folder: str | Path, takes: Sequence[str], target: str = "", **options: Any) -> Result:
        """Take lights, as `firstlight observe sequence` does; ``options`` are those of `Plan`."""
        plan = Plan(tuple(parse_take(text) for text in takes), **options)
        return run_sequence(self.equipment, self._session(Path(folder), target), plan, self.say)

    def flats(self, folder: str | Path, plan: FlatPlan) -> Result:
        """Take flats."""
        return take_flats(self.equipment, self._session(Path(folder)), plan, self.say)

    def darks(self, folder: str | Path, count: int = 20, kind: str = "dark") -> Result:
        """Take the darks (``dark flat``: the dark flats) that the frames of a folder need."""
        session = self._session(Path(folder))
        return take_darks(self.equipment, session, darks_for(session, kind, count), self.say)

    def _session(self, folder: Path, target: str = "") -> Session:
        return Session(folder, self.profile, target, site=self.facts.site)


def _place(target: str | Pointing) -> Pointing:
    if isinstance(target, Pointing):
        return target
    found = find_object(target)
    return Pointing(found.ra, found.dec)


@contextmanager
def open_telescope(profile: Profile, say: Say = print) -> Iterator[Telescope]:
    """The telescope of a profile, connected; a guider is there where the profile has a guide camera.

    Raises
    ------
    EquipmentError
        The server or a device does not answer.
    """
    with equipment_of(profile, want=PARTS) as found:
        if found.guide_camera is not None and found.guide_port is not None:
            from firstlight.observe.guiding.build import guider_of

            found = replace(found, guider=guider_of(profile, found))
        yield Telescope(profile, found, say)
