"""A sequence of lights: filters in turn, counts that go on where they were left, dithers, frames that are whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from firstlight.errors import EquipmentError, InputError
from firstlight.observe.equipment import Equipment, SavesFrames
from firstlight.observe.focus_move import approach, check_reach, filter_shift
from firstlight.observe.frames import FOLDERS, Session, Shot, check_room, n_there, save, stem_of

Say = Callable[[str], None]
COOLING = 900.0
"""Seconds to wait for the sensor's temperature."""
WARM = 0.6
"""Degrees from the wanted temperature at which frames are taken."""


@dataclass(frozen=True)
class Take:
    """So many frames of one kind."""

    shot: Shot
    count: int


@dataclass(frozen=True)
class Plan:
    """What to take, and how."""

    takes: tuple[Take, ...]
    cycle: int = 1
    """Frames of one filter before the next; 0: all of them."""
    guide: bool = False
    """Have the guider start, and wait for it."""
    dither_every: int = 0
    """Frames between two dithers; 0: never."""
    dither_pixels: float = 20.0
    """Farthest, px of the guide camera."""
    settle: float = 60.0
    """Seconds to wait for the guider before each frame."""
    retries: int = 1
    """Times that a frame is tried again when the camera fails."""


@dataclass
class Count:
    """What became of one take."""

    shot: Shot
    wanted: int
    before: int = 0
    """Frames that were there."""
    taken: int = 0


@dataclass
class Result:
    """What a sequence came to."""

    counts: list[Count]
    files: list[Path] = field(default_factory=list)
    dithers: int = 0
    notes: list[str] = field(default_factory=list)
    started: datetime | None = None
    ended: datetime | None = None
    median: float = float("nan")
    """Of the last frame, adu."""


def order(wanted: Sequence[int], cycle: int) -> Iterator[int]:
    """Which take comes next, for numbers of frames that are still wanted.

    >>> list(order([3, 2], 1)), list(order([3, 2], 2)), list(order([2, 2], 0))
    ([0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1])
    """
    left = list(wanted)
    while any(left):
        for index, n in enumerate(left):
            now = min(n, cycle) if cycle else n
            left[index] -= now
            yield from [index] * now


def run_sequence(equipment: Equipment, session: Session, plan: Plan, say: Say = lambda _: None) -> Result:
    """Take what the plan wants and the folder does not hold yet.

    Whatever happens, the exposure is ended, a guider that was started here is stopped, and finished frames stand. The
    mount is left as it is: it tracks on, and is never parked.

    Raises
    ------
    InputError
        The plan cannot be carried out with this equipment; nothing has been moved then.
    EquipmentError
        A device failed.
    """
    _check(equipment, session, plan)
    clock = equipment.clock
    counts = [Count(take.shot, take.count, min(n_there(session, take.shot), take.count)) for take in plan.takes]
    result = Result(counts, started=clock.now())
    for count in counts:
        if count.before:
            say(f"{count.shot.about}: {count.before} of {count.wanted} are there already")
    todo = list(order([count.wanted - count.before for count in counts], plan.cycle))
    if not todo:
        result.ended = clock.now()
        return result
    cool(equipment, session, say)
    guiding = plan.guide and equipment.guider is not None
    try:
        if guiding:
            say("guider: starting")
            equipment.guider.start()  # type: ignore[union-attr]
        for number, index in enumerate(todo):
            _one(equipment, session, plan, result, counts[index], number, len(todo), say)
    finally:
        if guiding:
            equipment.guider.stop()  # type: ignore[union-attr]
        result.ended = clock.now()
    return result


def _check(equipment: Equipment, session: Session, plan: Plan) -> None:
    check_room(session.folder / FOLDERS["light"])
    if (plan.dither_every or plan.guide) and equipment.guider is None:
        raise InputError("sequence: to dither or guide, a guider is needed; none is there")
    for take in plan.takes:
        name = take.shot.filter
        if name and equipment.wheel is not None and name not in equipment.wheel.names:
            raise InputError(f"sequence: there is no filter {name!r}; the wheel has {', '.join(equipment.wheel.names)}")
        if take.count < 1 or (take.shot.seconds <= 0 and take.shot.kind != "bias"):
            what = f"{take.count} x {take.shot.about}"
            raise InputError(f"sequence: {what}; counts from 1 and exposures above 0 s are allowed")


def _one(
    equipment: Equipment, session: Session, plan: Plan, result: Result, count: Count, number: int, total: int, say: Say
) -> None:
    shot = count.shot
    if plan.dither_every and number and number % plan.dither_every == 0:
        dither(equipment, plan, result, say)
    choose_filter(equipment, session, shot.filter, say)
    if equipment.guider is not None and plan.guide:
        _wait_for_guider(equipment, plan, result, say)
    say(f"{number + 1}/{total}: {shot.about} ({count.before + count.taken + 1} of {count.wanted})")
    path, median = take(equipment, session, shot, plan.retries, result.notes, say)
    count.taken += 1
    result.files.append(path)
    result.median = median
    say(f"  {path.name}{'' if np.isnan(median) else f', median {median:.0f} adu'}")


def take(
    equipment: Equipment, session: Session, shot: Shot, retries: int, notes: list[str], say: Say
) -> tuple[Path, float]:
    """One frame, on the disk; its path and its median. The camera may fail ``retries`` times."""
    camera = equipment.camera
    if camera is None:
        raise InputError("no camera is there; name one in the profile as imaging.camera")
    profile = session.profile.imaging
    gain = profile.gain if shot.gain is None else shot.gain
    offset = profile.offset if shot.offset is None else shot.offset
    if isinstance(camera, SavesFrames):
        camera.name_files(stem_of(shot, session.target))
        camera.describe(session.target if shot.kind == "light" else "", session.observer or session.profile.observer)
    for left in range(retries, -1, -1):
        try:
            taken = camera.expose(shot.seconds, shot.kind, gain, offset, shot.binning)
            break
        except EquipmentError as error:
            if not left:
                raise
            notes.append(f"{shot.about}: {error}; tried again")
            say(f"  {error}; trying again")
            # A driver that was started again has forgotten the cooling.
            cool(equipment, session, say)
    path = save(session, shot, taken, equipment)
    return path, float(np.median(taken.data)) if taken.data.size else float("nan")


def choose_filter(equipment: Equipment, session: Session, name: str, say: Say) -> None:
    """Turn the wheel, and move the focus by the difference of the filters' offsets."""
    wheel, focuser = equipment.wheel, equipment.focuser
    if not name or wheel is None or wheel.current == name:
        return
    part = session.profile.focuser
    shift = filter_shift(part.offsets, wheel.current, name) if focuser is not None else 0
    wheel.select(name)
    if focuser is not None and shift:
        goal = focuser.position + shift
        check_reach(focuser, goal)
        say(f"{name}: focus {shift:+d} steps")
        approach(focuser, goal, part.backlash, part.approach)


def dither(equipment: Equipment, plan: Plan, result: Result, say: Say) -> None:
    """Move a little, and wait until it stands."""
    if equipment.guider is None:
        return
    say(f"dither: up to {plan.dither_pixels:g} px")
    equipment.guider.dither(plan.dither_pixels)
    result.dithers += 1


def _wait_for_guider(equipment: Equipment, plan: Plan, result: Result, say: Say) -> None:
    waited = 0.0
    while not equipment.guider.settled():  # type: ignore[union-attr]
        if waited >= plan.settle:
            note = f"guiding had not settled after {plan.settle:g} s; the frame was taken all the same"
            result.notes.append(note)
            say(f"  {note}")
            return
        equipment.clock.sleep(1.0)
        waited += 1.0


def cool(equipment: Equipment, session: Session, say: Say, patience: float = COOLING) -> None:
    """Bring the sensor to the temperature of the profile, and wait for it.

    Raises
    ------
    EquipmentError
        It is not reached in time: darks would not fit.
    """
    wanted, camera = session.profile.imaging.temperature, equipment.camera
    if wanted is None or camera is None:
        return
    have = camera.temperature
    if have is not None and abs(have - wanted) <= WARM:
        return
    say(f"cooling to {wanted:g} C")
    camera.cool_to(wanted)
    waited = 0.0
    while (have := camera.temperature) is not None and abs(have - wanted) > WARM:
        if waited >= patience:
            raise EquipmentError(
                f"{camera.name}: {have:.1f} C after {patience:.0f} s; {wanted:g} C is wanted: set imaging.temperature "
                "of the profile to what the camera reaches"
            )
        equipment.clock.sleep(2.0)
        waited += 2.0
