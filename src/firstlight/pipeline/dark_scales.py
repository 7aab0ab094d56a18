"""The scale of the dark in each light, where the run is asked to look for it."""

from __future__ import annotations

from dataclasses import replace

from firstlight.errors import FrameError
from firstlight.library.dark_scale import central, find_dark_scale
from firstlight.library.plans import Assignment
from firstlight.library.raw import adu_rows
from firstlight.pipeline.masters import MasterShelf

DIGITS = 3


def find_scale(assignment: Assignment, shelf: MasterShelf) -> Assignment:
    """The assignment of a light with the scale that its pixels tell; the reasons say what was found.

    A light whose pixels cannot be read keeps the scale of its exposure: it is set aside when it is measured.
    """
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
