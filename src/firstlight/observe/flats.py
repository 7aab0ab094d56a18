"""Flats of a wanted level: the exposure is found, and follows light that changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from firstlight.errors import EquipmentError, InputError
from firstlight.observe.equipment import Equipment
from firstlight.observe.frames import FOLDERS, Session, Shot, check_room, n_there, save
from firstlight.observe.sequence import Count, Result, choose_filter, cool

STANDARD = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5,
            2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0)  # fmt: skip
"""Exposures that flats have, s: few, so that few dark flats serve them all."""
TRIES = 12
WHITE = 0.97
"""Share of the largest number at which a frame tells nothing of the light."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class FlatPlan:
    """Flats of each filter."""

    filters: tuple[str, ...] = ("",)
    count: int = 20
    target: float = 25000.0
    """Wanted median, adu."""
    tolerance: float = 0.25
    """Share of the target (above the bias) that a median may be off: more, and the frame is not kept."""
    shortest: float = 0.1
    """s."""
    longest: float = 30.0
    start: float = 1.0
    """First exposure that is tried, s."""
    gain: float | None = None
    offset: float | None = None
    binning: int = 1
    white: float = 65535.0
    """Largest number of the camera, adu."""


def next_exposure(seconds: float, level: float, target: float, white: float) -> float:
    """The exposure that should give the target, after one that gave ``level``; both above the bias.

    >>> next_exposure(1.0, 5000, 25000, 64000), next_exposure(1.0, 63000, 25000, 64000)
    (5.0, 0.25)
    """
    if level >= WHITE * white:
        return seconds / 4.0
    # A frame of almost nothing says only that more is needed.
    return seconds * min(max(target / max(level, 1.0), 0.05), 20.0)


def standard(seconds: float, shortest: float, longest: float) -> float:
    """The standard exposure next to this one, within bounds that it may lie on.

    >>> standard(1.07, 0.1, 30), standard(100, 0.1, 30), standard(0.01, 0.1, 30)
    (1.0, 30.0, 0.1)
    """
    allowed = [each for each in STANDARD if shortest <= each <= longest] or [shortest]
    return min(allowed, key=lambda each: abs(math.log(each / max(seconds, 1e-9))))


def take_flats(equipment: Equipment, session: Session, plan: FlatPlan, say: Say = lambda _: None) -> Result:
    """Take the flats that the folder does not hold yet; every frame corrects the exposure of the next.

    Where the light runs out of what the exposures can follow, the filter is left with what it has, and noted.

    Raises
    ------
    InputError
        There is no camera, or the target cannot be reached by any exposure.
    EquipmentError
        A device failed.
    """
    camera = equipment.camera
    if camera is None:
        raise InputError("flats: no camera is there; name one in the profile as imaging.camera")
    if not 0 < plan.target < WHITE * plan.white:
        most = f"{WHITE * plan.white:.0f}"
        raise InputError(f"flats: target {plan.target:g} adu; 1 to {most} is allowed (--white: the camera's largest)")
    if plan.shortest > plan.longest:
        between = f"{plan.shortest:g} to {plan.longest:g} s"
        raise InputError(f"flats: exposures from {between}; the first must be the shorter")
    check_room(session.folder / FOLDERS["flat"])
    cool(equipment, session, say)
    bias = _bias(equipment, session, plan)
    say(f"bias: {bias:.0f} adu")
    shots = [Shot("flat", 0.0, name, plan.gain, plan.offset, plan.binning) for name in plan.filters]
    result = Result([Count(shot, plan.count, min(n_there(session, shot), plan.count)) for shot in shots])
    result.started = equipment.clock.now()
    seconds = plan.start
    for count in result.counts:
        if count.before < count.wanted:
            choose_filter(equipment, session, count.shot.filter, say)
            seconds = _of_filter(equipment, session, plan, result, count, seconds, bias, say)
    result.ended = equipment.clock.now()
    return result


def _bias(equipment: Equipment, session: Session, plan: FlatPlan) -> float:
    camera, part = equipment.camera, session.profile.imaging
    gain, offset = _first(plan.gain, part.gain), _first(plan.offset, part.offset)
    return float(np.median(camera.expose(0.0, "bias", gain, offset, plan.binning).data))  # type: ignore[union-attr]


def _of_filter(
    equipment: Equipment,
    session: Session,
    plan: FlatPlan,
    result: Result,
    count: Count,
    seconds: float,
    bias: float,
    say: Say,
) -> float:
    camera, part = equipment.camera, session.profile.imaging
    gain, offset = _first(plan.gain, part.gain), _first(plan.offset, part.offset)
    target, white = plan.target - bias, plan.white - bias
    seconds = standard(seconds, plan.shortest, plan.longest)
    misses = 0
    while count.before + count.taken < count.wanted:
        taken = camera.expose(seconds, "flat", gain, offset, plan.binning)  # type: ignore[union-attr]
        if not taken.data.size:
            raise EquipmentError(
                "flats: frames stay on the camera's computer and cannot be seen here; leave imaging.save_in out"
            )
        level = float(np.median(taken.data)) - bias
        result.median = level + bias
        wanted = next_exposure(seconds, level, target, white)
        best = standard(wanted, plan.shortest, plan.longest) == seconds
        bound = seconds in (standard(1e-9, plan.shortest, plan.longest), standard(1e9, plan.shortest, plan.longest))
        # Between two standard exposures none may be nearer.
        if abs(level - target) <= plan.tolerance * target or (best and not bound):
            misses = 0
            path = save(session, replace(count.shot, seconds=seconds), taken, equipment)
            count.taken += 1
            result.files.append(path)
            done = f"{count.before + count.taken}/{count.wanted}"
            say(f"{done}: {path.name}, {seconds:g} s, median {level + bias:.0f} adu")
        else:
            misses += 1
            say(f"{count.shot.filter or 'flat'}: {seconds:g} s gives {level + bias:.0f} adu")
            if best or misses >= TRIES:
                why = "too bright" if level > target else "too dark"
                note = (
                    f"{count.shot.filter or 'flat'}: {why}: {seconds:g} s gives {level + bias:.0f} adu, "
                    f"{plan.target:.0f} is wanted; {count.before + count.taken} of {count.wanted} were taken"
                )
                result.notes.append(note)
                say(note)
                break
        seconds = standard(wanted, plan.shortest, plan.longest)
    return seconds


def _first(given: float | None, usual: float | None) -> float | None:
    return usual if given is None else given
