"""The masters of a plan: what libraries hold, which of them are needed, and what to do without."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.errors import InputError
from firstlight.library.assign import Chooser
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.library.store import Library, default_folder
from firstlight.model.meta import Kind

if TYPE_CHECKING:
    from firstlight.pipeline.plan import Plan

LOCAL_INDEX = ".masters.sqlite"


def masters_at_hand(
    library: str, local: Path, own: Container[str] = ()
) -> tuple[list[MasterPlan], tuple[Path, ...], list[str]]:
    """Masters of a library and of the run folder, the folders, and what is odd in them.

    ``library``: a folder, ``none``, or empty for the user's own where there is one. Masters in the run folder that were
    made of frames ``own`` to the session are not among them: the run makes those itself.
    """
    if library.casefold() == "none":
        return [], (), []
    folder = Path(library).expanduser() if library else default_folder()
    if library and not folder.is_dir():
        raise InputError(
            f"library {folder}: there is no such folder; `firstlight library build` makes one, `none` does without"
        )
    shelf: list[MasterPlan] = []
    used: list[Path] = []
    remarks: list[str] = []
    if local.is_dir() and local.resolve() != folder.resolve():
        store = Library(local, local.parent / LOCAL_INDEX)
        shelf = [m for m, entry in store.shelf() if not all(str(i["file"]) in own for i in entry.inputs.values())]
        used += [local] if shelf else []
    if folder.is_dir():
        store = Library(folder)
        shelf += [m for m, _ in store.shelf()]
        used.append(folder)
        remarks += [f"library: {reason}" for _, reason in store.damaged]
    return shelf, tuple(used), remarks


def needed_masters(plan: Plan) -> list[MasterPlan]:
    """Masters that a light of the plan gets, those first that others are made of; without lights all of the session."""
    wanted = [m for group in plan.groups for a in group.assignments for m in a.masters]
    if not plan.groups:
        wanted = list(plan.calibrations.masters)
    needed: dict[int, MasterPlan] = {}

    def add(master: MasterPlan) -> None:
        for other in (master.subtract, *(part for part, _ in master.parts)):
            if other is not None:
                add(other)
        needed.setdefault(id(master), master)

    for master in wanted:
        add(master)
    return list(needed.values())


def without(plan: Plan, failed: set[int]) -> Plan:
    """The plan without masters that could not be made (by id): flats and lights get what fits next."""
    left = [m for m in (*plan.calibrations.masters, *plan.calibrations.shelf) if id(m) not in failed and not m.parts]
    rules = plan.settings.calibrate.rules
    chooser = Chooser([m for m in left if m.kind is not Kind.FLAT], rules)
    flats = {id(m): m for m in left if m.kind is Kind.FLAT}
    for key, flat in flats.items():
        if flat.subtract is not None and id(flat.subtract) in failed:
            flats[key] = chooser.with_under(replace(flat, subtract=None))
    chooser.add(list(flats.values()))

    def again(a: Assignment) -> Assignment:
        touched = [m for m in a.masters if _rests_on(m, failed)]
        return chooser.assign(a.light) if touched else a

    groups = tuple(replace(g, assignments=tuple(map(again, g.assignments))) for g in plan.groups)
    by_light = {id(a.light): a for group in groups for a in group.assignments}
    assignments = tuple(by_light.get(id(a.light), a) for a in plan.calibrations.assignments)
    own = tuple(flats.get(id(m), m) for m in plan.calibrations.masters if id(m) not in failed and not m.parts)
    kept = tuple(m for m in plan.calibrations.masters if m.parts and not _rests_on(m, failed))
    calibrations = replace(
        plan.calibrations,
        masters=(*own, *kept, *chooser.mixed),
        assignments=assignments,
        shelf=tuple(m for m in plan.calibrations.shelf if id(m) not in failed),
    )
    return replace(plan, calibrations=calibrations, groups=groups)


def _rests_on(master: MasterPlan, failed: set[int]) -> bool:
    others = (master.subtract, *(part for part, _ in master.parts))
    return id(master) in failed or any(m is not None and _rests_on(m, failed) for m in others)
