"""Frames of one kind sorted into sets that may share a master."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from firstlight.io.frame import Frame
from firstlight.library.match import (
    FOCAL_TOLERANCE,
    ROTATOR_TOLERANCE,
    SENSOR_FIELDS,
    TEMPERATURE_STEP,
    TEMPERATURE_TOLERANCE,
    Need,
    equal_values,
    same_exposure,
    same_word,
    temperature_of,
    turned,
)
from firstlight.model.meta import Meta


def group_alike(
    frames: Iterable[Frame], need: Need, *, epoch: float | None = None, fewest: int = 0
) -> list[list[Frame]]:
    """Split frames of one kind into sets that may share a master: equal in all that is compared.

    Unknown equals unknown here, never a known value. Temperatures within 1 C are one set; of cameras without a set
    temperature also those within 2 C, where there are fewer than ``fewest`` frames within 1 C. With ``epoch`` a pause
    of more than so many days begins a new set. The order of the result and of the frames in it follows the names.
    """
    groups: list[list[Frame]] = []
    for frame in sorted(frames, key=lambda f: (temperature_of(f.meta) or 0.0, str(f.path))):
        for group in groups:
            if _alike(frame, group[0], need):
                group.append(frame)
                break
        else:
            groups.append([frame])
    if fewest and need.temperature:
        groups = _ladder(groups, need, fewest)
    if epoch is not None:
        groups = [part for group in groups for part in _epochs(group, epoch)]
    for group in groups:
        group.sort(key=lambda f: str(f.path))
    return sorted(groups, key=lambda g: str(g[0].path))


def _alike(a: Frame, b: Frame, need: Need) -> bool:
    if a.shape != b.shape or any(not _both(name, a.meta, b.meta) for name in SENSOR_FIELDS):
        return False
    if need.exposure and not same_exposure(a.meta.exposure, b.meta.exposure):
        return False
    if need.filter and not same_word(a.meta.filter, b.meta.filter):
        return False
    if need.optics and not all(_both(name, a.meta, b.meta) for name in ("telescope", "focal_length", "rotator")):
        return False
    if a.meta.calibrated != b.meta.calibrated:
        return False
    if need.temperature:
        ta, tb = temperature_of(a.meta), temperature_of(b.meta)
        if (ta is None) != (tb is None):
            return False
        return ta is None or tb is None or abs(ta - tb) <= TEMPERATURE_STEP
    return True


def _ladder(groups: list[list[Frame]], need: Need, fewest: int) -> list[list[Frame]]:
    """Join neighbours in temperature that are few, as far as a light would get either without a warning."""
    any_temperature = replace(need, temperature=False)
    joined: list[list[Frame]] = []
    for group in sorted(groups, key=lambda g: temperature_of(g[0].meta) or 0.0):
        ends = [temperature_of(f.meta) for f in group]
        for earlier in joined:
            first = temperature_of(earlier[0].meta)
            if (
                first is not None
                and None not in ends
                and max(ends) - first <= TEMPERATURE_TOLERANCE  # type: ignore[type-var, operator]
                and min(len(earlier), len(group)) < fewest
                and not any(f.meta.set_temperature is not None for f in (*earlier, *group))
                and _alike(earlier[0], group[0], any_temperature)
            ):
                earlier.extend(group)
                break
        else:
            joined.append(list(group))
    return joined


def _both(name: str, a: Meta, b: Meta) -> bool:
    mine, theirs = getattr(a, name), getattr(b, name)
    if mine is None or theirs is None:
        return mine is theirs
    if name == "focal_length":
        return abs(mine - theirs) <= FOCAL_TOLERANCE * mine
    if name == "rotator":
        return turned(mine, theirs) <= ROTATOR_TOLERANCE
    return equal_values(name, mine, theirs)


def _epochs(group: list[Frame], days: float) -> list[list[Frame]]:
    """Cut where nothing was taken for so long; frames without a time are a set of their own."""
    dated = sorted((f for f in group if f.meta.start), key=lambda f: (f.meta.start, str(f.path)))
    parts: list[list[Frame]] = [[f for f in group if not f.meta.start]]
    for frame in dated:
        before = parts[-1][-1].meta.start if parts[-1] else None
        if before is None or frame.meta.start - before > timedelta(days=days):  # type: ignore[operator]
            parts.append([])
        parts[-1].append(frame)
    return [part for part in parts if part]
