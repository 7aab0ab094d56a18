"""Whether the pixels of a colour mosaic bear out the pattern that its header names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.frame import Frame

DIFFERENT = 0.01
"""Of the level: two greens of one sensor differ by some thousandths."""
ALIKE = 0.2
"""Of the difference of the two that should be green: so little apart are those that are."""
ROWS = 512


def contradicts_pattern(frame: Frame) -> str:
    """What is wrong with the pattern, in words; empty where the pixels say nothing against it.

    The two greens of a cell see the same sky. Where the two pixels that the pattern calls green differ, and the other
    two, red and blue, do not, the pattern is shifted by a row or a column: of another origin, or of rows the other way.
    """
    cfa = frame.meta.cfa
    if cfa is None or frame.shape[0] != 1 or min(frame.shape[1:]) < 64:
        return ""
    height = frame.shape[1]
    top = max(height - ROWS, 0) // 4 * 2
    pixels = frame.rows(top, min(top + ROWS, height))[0].astype(np.float32) * frame.scale + frame.zero
    levels = np.array([[np.nanmedian(pixels[j::2, i::2]) for i in (0, 1)] for j in (0, 1)])
    main, other = abs(levels[0, 0] - levels[1, 1]), abs(levels[0, 1] - levels[1, 0])
    greens, rest = (other, main) if cfa[1] == "G" else (main, other)
    if greens <= DIFFERENT * abs(levels.mean()) or rest >= ALIKE * greens:
        return ""
    likely = "GRBG or GBRG" if cfa[1] == "G" else "RGGB or BGGR"
    return (
        f"the pixels contradict the colour pattern {cfa}: the two that it calls green differ by {greens:.3g} adu, red "
        f"and blue by {rest:.3g}; colours will be wrong; try {likely} (firstlight meta edit --set BAYERPAT=...)"
    )


def pattern_notes(lights: Sequence[Frame]) -> list[str]:
    """One note for each camera, pattern and size whose first light contradicts its pattern."""
    alike: dict[tuple[object, ...], Frame] = {}
    for light in lights:
        alike.setdefault((light.meta.camera, light.meta.cfa, light.shape), light)
    notes = []
    for light in alike.values():
        try:
            said = contradicts_pattern(light)
        except FrameError:
            # A file whose pixels cannot be read is told of, and set aside, where it is measured.
            continue
        notes += [f"{light.path.name}: {said}"] if said else []
    return notes
