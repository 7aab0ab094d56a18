"""Autofocus: samples on both sides of the focus, a fit, a check; and offsets between filters."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from firstlight.errors import EquipmentError, InputError
from firstlight.observe.equipment import Equipment, Focuser
from firstlight.observe.focus_move import SLACK, approach, check_reach
from firstlight.observe.frames import Session
from firstlight.observe.profile import Profile
from firstlight.observe.sequence import choose_filter
from firstlight.observe.vcurve import Fit, Sample, fit_focus, measure

Say = Callable[[str], None]
ACCELERATION = 1.25
"""Each step against the one before."""
BAD = 3
"""Frames in a row beyond the limit that end a side."""
WIDEST = 3.0
"""Times the best FWHM that a frame may have."""
WORSE = 1.15
"""Times the best FWHM that the final frame may have."""


@dataclass(frozen=True)
class FocusPlan:
    """How the focus is sought."""

    step: int = 100
    """First step, steps of the focuser."""
    seconds: float = 3.0
    frames: int = 1
    """At each position; their median counts."""
    least: int | None = None
    """Positions are within these bounds; None: those of the focuser."""
    greatest: int | None = None
    most: int = 20
    """Samples on each side."""
    gain: float | None = None
    offset: float | None = None
    binning: int = 1


@dataclass
class Focused:
    """Where the focus is."""

    position: int
    fwhm: float
    """px, of the final frame."""
    start: int
    fit: Fit
    samples: list[Sample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    filter: str = ""


def first_step(focuser: Focuser, profile: Profile) -> int:
    """A first step where none is given: twice the depth of focus if the profile tells it, else 1/200 of the way.

    >>> from firstlight.observe.profile import FocuserPart, ImagingTrain
    >>> from firstlight.observe.simulated import SimulatedFocuser
    >>> newton = Profile(imaging=ImagingTrain(focal_length=1000, aperture=200), focuser=FocuserPart(step=1.0))
    >>> first_step(SimulatedFocuser(), newton), first_step(SimulatedFocuser(), Profile())
    (134, 300)
    """
    optics, part = profile.imaging, profile.focuser
    if optics.focal_length and optics.aperture and part.step:
        # Depth of focus 4.88 lambda N^2, um.
        return max(round(2 * 4.88 * 0.55 * (optics.focal_length / optics.aperture) ** 2 / part.step), 1)
    least, most = focuser.limits
    return max((most - least) // 200, 1)


def autofocus(equipment: Equipment, session: Session, plan: FocusPlan, say: Say = lambda _: None) -> Focused:
    """Find the focus, and leave the focuser there; on any error it goes back to where it was.

    Raises
    ------
    InputError
        There is no camera or focuser.
    EquipmentError
        A device failed, or no stars are seen anywhere.
    """
    camera, focuser = equipment.camera, equipment.focuser
    if camera is None or focuser is None:
        raise InputError("focus: a camera and a focuser are needed; name them in the profile")
    run = _Run(equipment, session, plan, say)
    start = focuser.position
    try:
        return run.find(start)
    except BaseException:
        say(f"focuser: back to {start}")
        # What went wrong matters, not that the focuser cannot be told any more.
        with contextlib.suppress(EquipmentError):
            approach(focuser, start, run.part.backlash, run.part.approach)
        raise


class _Run:
    def __init__(self, equipment: Equipment, session: Session, plan: FocusPlan, say: Say) -> None:
        self.camera, self.focuser = equipment.camera, equipment.focuser
        self.plan, self.say = plan, say
        self.part, self.imaging = session.profile.focuser, session.profile.imaging
        least, most = self.focuser.limits  # type: ignore[union-attr]
        past = round(SLACK * self.part.backlash)
        down = self.part.approach == "down"
        # Positions are reached from beyond them: that, too, stays within the bounds.
        self.least = (least if plan.least is None else max(plan.least, least)) + (0 if down else past)
        self.greatest = (most if plan.greatest is None else min(plan.greatest, most)) - (past if down else 0)
        self.filter = equipment.wheel.current if equipment.wheel else ""
        self.samples: list[Sample] = []

    def sample(self, position: int) -> Sample:
        """Move there, expose, measure."""
        approach(self.focuser, position, self.part.backlash, self.part.approach)  # type: ignore[arg-type]
        gain = self.imaging.gain if self.plan.gain is None else self.plan.gain
        offset = self.imaging.offset if self.plan.offset is None else self.plan.offset
        found = []
        for _ in range(self.plan.frames):
            taken = self.camera.expose(self.plan.seconds, "light", gain, offset, self.plan.binning)  # type: ignore[union-attr]
            if not taken.data.size:
                raise EquipmentError(
                    "focus: frames stay on the camera's computer; leave imaging.save_in out of the profile"
                )
            found.append(measure(taken.data, position))
        widths = [each.fwhm for each in found if math.isfinite(each.fwhm)]
        middle = sorted(found, key=lambda each: each.contrast)[len(found) // 2]
        result = replace(middle, fwhm=float(np.median(widths)) if widths else math.nan)
        shown = f"FWHM {result.fwhm:.2f} px" if widths else "no stars"
        self.say(f"{position}: {shown}, {result.stars} stars")
        return result

    def side(self, start: Sample, sign: int) -> None:
        """Samples away from the start with growing steps, until three in a row are far from the best."""
        step, position, bad = float(self.plan.step), float(start.position), 0
        for _ in range(self.plan.most):
            position += sign * step
            step *= ACCELERATION
            if not self.least <= round(position) <= self.greatest:
                self.say(f"{position:.0f}: is out of bounds ({self.least} to {self.greatest})")
                return
            found = self.sample(round(position))
            self.samples.append(found)
            bad = bad + 1 if self.is_far(found, start) else 0
            if bad >= BAD:
                return

    def is_far(self, found: Sample, start: Sample) -> bool:
        """Beyond the smaller of the best FWHM and that of the start together, and three times the best."""
        if not math.isfinite(found.fwhm):
            return True
        best = min(each.fwhm for each in self.samples if math.isfinite(each.fwhm))
        first = start.fwhm if math.isfinite(start.fwhm) else math.inf
        return found.fwhm > min(best + first, WIDEST * best)

    def find(self, start: int) -> Focused:
        check_reach(self.focuser, start)  # type: ignore[arg-type]
        first = self.sample(start)
        self.samples.append(first)
        # Against the way of approach first: the longer part of the run needs no turning of the gears.
        sign = 1 if self.part.approach == "down" else -1
        self.side(first, sign)
        self.side(first, -sign)
        seen = [each for each in self.samples if math.isfinite(each.fwhm)]
        if not seen:
            raise EquipmentError(
                "focus: no stars are seen at any position; go nearer by hand, expose longer, or look at the sky"
            )
        fit = fit_focus(sorted(self.samples, key=lambda each: each.position))
        goal = min(max(round(fit.position), self.least), self.greatest)
        self.say(f"focus at {goal}, by {fit.by}")
        last = self.sample(goal)
        notes: list[str] = []
        best = min(seen, key=lambda each: each.fwhm)
        if not last.fwhm <= WORSE * best.fwhm:
            again = self.sample(goal)
            last = again if again.fwhm <= last.fwhm or math.isnan(last.fwhm) else last
        if not last.fwhm <= WORSE * best.fwhm:
            notes.append(
                f"FWHM {last.fwhm:.2f} px at {goal}, where the curve has its lowest point; {best.fwhm:.2f} px were "
                f"seen at {best.position}: the focuser stands there now; look at the plot, and at the backlash"
            )
            last = self.sample(best.position)
            goal = best.position
        return Focused(goal, last.fwhm, start, fit, sorted(self.samples, key=lambda s: s.position), notes, self.filter)


@dataclass(frozen=True)
class Offset:
    """Steps from the focus of the first filter to that of another."""

    filter: str
    median: int
    std: float
    runs: tuple[int, ...]


def train_offsets(
    equipment: Equipment,
    session: Session,
    plan: FocusPlan,
    filters: Sequence[str],
    runs: int,
    say: Say = lambda _: None,
) -> list[Offset]:
    """Focus every filter several times; each run is compared with its own first filter, so that drift drops out.

    Raises
    ------
    InputError
        Fewer than two filters, or no wheel.
    EquipmentError
        A device failed.
    """
    if equipment.wheel is None or len(filters) < 2:
        raise InputError("focus: offsets need a wheel and two filters or more")
    # Offsets of earlier nights must not move the focus between two filters that are compared.
    part = session.profile.focuser.model_copy(update={"offsets": {}})
    plain = replace(session, profile=session.profile.model_copy(update={"focuser": part}))
    shifts: dict[str, list[int]] = {name: [] for name in filters}
    for number in range(runs):
        first = 0
        for name in filters:
            choose_filter(equipment, plain, name, say)
            say(f"run {number + 1} of {runs}, {name}")
            found = autofocus(equipment, plain, plan, say).position
            first = found if name == filters[0] else first
            shifts[name].append(found - first)
    return [Offset(name, round(np.median(each)), float(np.std(each)), tuple(each)) for name, each in shifts.items()]
