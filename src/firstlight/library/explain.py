"""Choices in words: why this master, what would have fitted better, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firstlight.io.frame import Frame
from firstlight.library.match import Fit
from firstlight.library.plans import FEW, Assignment, MasterPlan, temperature_of, wanted
from firstlight.model.meta import Kind, Meta

_KINDS = {"bias": Kind.BIAS, "dark": Kind.DARK, "flat": Kind.FLAT}
NAMED = 2
"""So many of the masters that do not fit are named."""


def chosen_words(kind: str, light: Frame, master: MasterPlan, fit: Fit) -> str:
    """Why a light gets this master, on one line."""
    origin = f"of {master.like.meta.start:%Y-%m-%d}, library" if master.shared and master.like.meta.start else (
        "library" if master.shared else "")  # fmt: skip
    facts = ("1 frame" if master.n_frames == 1 else f"{master.n_frames} frames") + (
        f" {origin}" if origin.startswith("of") else f", {origin}" if origin else ""
    )
    words = f"{kind}: {master.name} ({facts})"
    if fit.warnings:
        words += f"; {', '.join(fit.warnings)}; {wanted(_KINDS[kind], light.meta)} would fit better"
    if fit.unknown:
        words += f"; not told by the headers: {', '.join(fit.unknown)}"
    return words


def passed_over(kind: str, master: MasterPlan, fit: Fit, fits: Sequence[tuple[MasterPlan, Fit]]) -> str:
    """A master that was not taken although one would expect it; empty where there is none."""
    if not master.shared:
        nearer = [m for m, f in fits if m.shared and f.usable and not f.warnings and f.distance + 0.5 < fit.distance]
        if nearer:
            return f"{kind}: the library's {nearer[0].name} is nearer; the session's own goes first"
        return ""
    own = [(m, f) for m, f in fits if not m.shared]
    warned = next(((m, f) for m, f in own if f.usable and f.warnings), None)
    if warned is not None and not fit.warnings:
        return f"{kind}: the session's {warned[0].name} fits worse: {', '.join(warned[1].warnings)}"
    return ""


def why_not(kind: str, fits: Sequence[tuple[MasterPlan, Fit]]) -> str:
    """Why none of the masters fits: the nearest, and what contradicts."""
    if not fits:
        return "there is none"
    nearest = sorted(fits, key=lambda pair: (len(pair[1].refusals), pair[1].distance, pair[0].name))
    words = [f"{master.name}: {', '.join(fit.refusals) or 'it has lost its bias'}" for master, fit in nearest[:NAMED]]
    more = f"; and {len(fits) - NAMED} more" if len(fits) > NAMED else ""
    return f"none fits ({'; '.join(words)}{more})"


def missing_words(assignments: Iterable[Assignment]) -> list[str]:
    """Lights without dark, bias or flat, counted and named, and the frames to take that would close the gap.

    Lights of a camera without cooling that differ in temperature alone share a line: nobody takes darks for each tenth
    of a degree.
    """
    gaps: dict[tuple[str, str], list[Frame]] = {}
    for assignment in assignments:
        meta = assignment.light.meta
        lacks = [Kind.FLAT] if assignment.flat is None and "flat" not in meta.calibrated else []
        if assignment.dark is None and "dark" not in meta.calibrated:
            lacks.append(Kind.DARK)
            if assignment.bias is None and "bias" not in meta.calibrated:
                lacks.append(Kind.BIAS)
        for kind in lacks:
            alike = wanted(kind, meta if meta.set_temperature is not None else meta.replace(temperature=None))
            gaps.setdefault((kind.value, alike), []).append(assignment.light)
    return [
        f"{_LESS[kind]}: {names_words([light.path.name for light in gaps[kind, alike]])}; "
        f"{_take(kind, [light.meta for light in gaps[kind, alike]])}"
        for kind, alike in sorted(gaps, key=lambda key: (list(_LESS).index(key[0]), key[1]))
    ]


_LESS = {"dark": "Darkless", "bias": "Biasless (neither dark nor bias)", "flat": "Flatless"}


def _take(kind: str, metas: Sequence[Meta]) -> str:
    which = _KINDS[kind]
    temperatures = {t for t in map(temperature_of, metas) if t is not None} if which is not Kind.FLAT else ()
    words = f"take {FEW[which]} or more {wanted(which, metas[0], temperatures)}"
    return words + {"dark": "", "bias": ", if not those darks", "flat": ", with the same focus and rotation"}[kind]


def names_words(names: Sequence[str]) -> str:
    """Up to three names, or the first, the last and how many."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} ... {names[-1]} ({len(names)} lights)"
