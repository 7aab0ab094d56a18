"""A plan in words: what is what, which master each light gets and why, what is missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from firstlight.io.frame import Frame
from firstlight.library.explain import missing_words, names_words
from firstlight.library.plans import Assignment
from firstlight.pipeline.at_hand import needed_masters
from firstlight.pipeline.plan import Plan, n_stacks


def describe_plan(plan: Plan) -> str:
    """The plan as text: what is what, which master each light gets and why, what is missing."""
    lines = [f"Session {plan.session}: {len(plan.sightings)} frames"]
    # Each file has a name of its own: those that its name tells are one line.
    how: dict[tuple[str, str], int] = Counter(
        (s.kind.value, re.sub(r"^file name '.*?'", "file name", s.how)) for s in plan.sightings
    )
    for (kind, reason), number in sorted(how.items()):
        by = "" if reason.startswith("nothing says") else "by "
        lines.append(f"  {number:5d} {kind:<10s} {by}{reason}")
    if plan.broken:
        lines.append(f"Set aside, cannot be used ({len(plan.broken)}):")
        lines += [f"  {reason}" for _, reason in plan.broken]
    if plan.calibrations.masters:
        lines.append("Masters:")
        needed = {id(master) for master in needed_masters(plan)}
        for master in plan.calibrations.masters:
            under = f", minus {master.subtract.name}" if master.subtract else ""
            kind = "ready" if master.ready else "a sum of others" if master.parts else _frames(len(master.frames))
            idle = "" if id(master) in needed else "; no light needs it: not made"
            lines.append(f"  {master.name}: {kind}{under}{idle}")
            lines += [f"      {note}" for note in master.notes]
    lines += _library_words(plan)
    for group in plan.groups:
        many = f" in {n_stacks(group, plan.settings)} stacks" if plan.settings.group.wanted else ""
        n = len(group.assignments)
        lines.append(f"Stack {group.name}: {n} light{'s' if n != 1 else ''}{many}, {_what(group.like)}")
        for reasons, names in _by_reasons(group.assignments):
            lines.append(f"  {names_words(names)}")
            lines += [f"      {reason}" for reason in reasons]
    if plan.noise:
        lines.append("Noise model (asked for, detector profile, header, in this order):")
        lines += [f"  {words}" for words in plan.noise]
    lines += missing_words(plan.calibrations.assignments)
    if plan.notes:
        lines.append("Notes:")
        lines += [f"  {note}" for note in plan.notes]
    if not plan.sightings:
        lines.append("No frame can be used: nothing will be made.")
    elif not plan.groups:
        lines.append("No lights: the masters will be made, and nothing stacked.")
    if plan.memory_bytes:
        lines.append(f"Memory: about {plan.memory_bytes / 1e6:.0f} MB for the drizzled stack")
    lines.append(f"Products: about {plan.disk_bytes / 1e6:.0f} MB in {plan.output}")
    return "\n".join(lines)


def _what(frame: Frame) -> str:
    channels, height, width = frame.shape
    kind = f"{frame.meta.cfa} mosaic" if frame.meta.cfa else "mono" if channels == 1 else f"{channels} channels"
    return f"{width} x {height} px, {kind}"


def _by_reasons(assignments: Sequence[Assignment]) -> list[tuple[tuple[str, ...], list[str]]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for assignment in assignments:
        groups.setdefault(assignment.reasons, []).append(assignment.light.path.name)
    return list(groups.items())


def _library_words(plan: Plan) -> list[str]:
    """The masters of libraries that lights get."""
    if not plan.calibrations.shelf:
        return []
    taken = [m for m in needed_masters(plan) if m.shared]
    where = ", ".join(str(path) for path in plan.libraries)
    lines = [f"Library {where}: {len(taken)} of {len(plan.calibrations.shelf)} masters are used"]
    return lines + [f"  {m.name}: {_frames(m.n_frames)}" for m in taken]


def _frames(number: int) -> str:
    return "1 frame" if number == 1 else f"{number} frames"
