"""Darks, dark flats and bias frames: as they are asked for, or as the frames of a folder need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firstlight.errors import FrameError, InputError
from firstlight.io.read import open_frame
from firstlight.observe.equipment import Equipment
from firstlight.observe.frames import FOLDERS, Session, Shot, check_room, n_there
from firstlight.observe.sequence import Count, Result, Take, cool, order, take

Say = Callable[[str], None]


def darks_for(session: Session, kind: str, count: int) -> tuple[Take, ...]:
    """Darks for the lights that a session's folder holds, or dark flats for its flats: one take for each setting.

    Raises
    ------
    InputError
        It holds no such frames.
    """
    folder = session.folder / FOLDERS["light" if kind == "dark" else "flat"]
    shots: dict[Shot, None] = {}
    for path in sorted(folder.glob("*.fits")) if folder.is_dir() else ():
        shots.setdefault(_dark_of(path, kind))
    if not shots:
        raise InputError(f"{folder}: holds no frames that need {kind}s; say which to take, such as 300x20")
    return tuple(Take(shot, count) for shot in sorted(shots, key=lambda shot: shot.seconds))


def _dark_of(path: Path, kind: str) -> Shot:
    try:
        meta = open_frame(path).meta
    except FrameError as error:
        raise InputError(f"{path}: {error}") from error
    if meta.exposure is None:
        raise InputError(f"{path}: its header has no exposure; take its darks by hand, such as 300x20")
    # The settings stand in the header, whether they were asked for or not.
    return Shot(kind, meta.exposure, "", meta.gain_setting, meta.offset, meta.binning[0])  # type: ignore[arg-type]


def take_darks(equipment: Equipment, session: Session, takes: tuple[Take, ...], say: Say = lambda _: None) -> Result:
    """Take what the folder does not hold yet, each kind in a folder of its own.

    Raises
    ------
    EquipmentError
        The camera failed, or does not reach its temperature.
    """
    counts = [Count(each.shot, each.count, min(n_there(session, each.shot), each.count)) for each in takes]
    for folder in {FOLDERS[each.shot.kind] for each in takes}:
        check_room(session.folder / folder)
    result = Result(counts, started=equipment.clock.now())
    todo = list(order([count.wanted - count.before for count in counts], 0))
    if todo:
        cool(equipment, session, say)
    for number, index in enumerate(todo, 1):
        count = counts[index]
        path, result.median = take(equipment, session, count.shot, 1, result.notes, say)
        count.taken += 1
        result.files.append(path)
        say(f"{number}/{len(todo)}: {path.name}, median {result.median:.0f} adu")
    result.ended = equipment.clock.now()
    return result
