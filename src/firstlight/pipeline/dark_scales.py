"""The scale of the dark in each light, where the run is asked to look for it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from firstlight.errors import FrameError
from firstlight.library.dark_scale import central, find_dark_scale
from firstlight.library.plans import Assignment
from firstlight.library.raw import adu_rows
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.masters import MasterShelf

DIGITS = 3


def find_scales(
    assignments: Sequence[Assignment], shelf: MasterShelf, executor: Executor, workers: int
) -> dict[int, Assignment]:
    """Assignments with the scale that the pixels tell, by the id of the old one; the reasons say what was found.

    A light whose pixels cannot be read keeps the scale of its exposure: it is set aside when it is measured.
    """
    wanted = [a for a in assignments if a.find_scale != "no" and a.dark is not None and a.bias is not None]
    return dict(ordered(executor, lambda a: (id(a), _found(a, shelf)), wanted, workers + 1))


def _found(assignment: Assignment, shelf: MasterShelf) -> Assignment:
    bias, dark = (shelf.get(m) if m is not None else None for m in (assignment.bias, assignment.dark))
    if bias is None or dark is None or assignment.find_scale == "no":
        return replace(assignment, find_scale="no")
    rows, columns = central(assignment.light.shape)
    try:
        light = adu_rows(assignment.light, rows.start, rows.stop)[:, :, columns]
    except FrameError:
        return replace(assignment, find_scale="no")
    level = bias.image.data[:, rows, columns]
    thermal = dark.image.data[:, rows, columns]
    if "bias" not in dark.image.meta.calibrated:
        thermal = thermal - level
    step = 2 if assignment.light.meta.cfa else 1
    scale = round(find_dark_scale(light - level, thermal, assignment.dark_scale, step, assignment.find_scale), DIGITS)
    words = f"dark: scale {scale:.3f} found by {assignment.find_scale}; the exposures give {assignment.dark_scale:.3f}"
    return replace(assignment, dark_scale=scale, find_scale="no", reasons=(*assignment.reasons, words))
