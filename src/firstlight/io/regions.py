"""Regions for ds9: an ellipse for each star."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstlight.io.atomic import atomic_path


@dataclass(frozen=True)
class Ellipse:
    """One star; x and y are 0-based px, as everywhere but in the file."""

    x: float
    y: float
    long: float
    """Half of the long axis, px."""
    short: float
    angle: float
    """Of the long axis, degrees from x towards y."""
    colour: str = ""
    text: str = ""


def write_regions(path: str | os.PathLike[str], ellipses: Iterable[Ellipse], heading: str = "") -> Path:
    """Write a region file, whole or not at all, in image coordinates (1-based, as ds9 counts).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_regions(Path(folder, "a.reg"), [Ellipse(9.0, 4.5, 3.0, 2.0, 45.0, "red", "full")])
    ...     print(file.read_text().splitlines()[-1])
    ellipse(10.000,5.500,3.00,2.00,45.0) # color=red text={full}
    """
    lines = ["# Region file format: DS9 version 4.1", *(f"# {line}" for line in heading.splitlines())]
    lines += ["global color=green width=1", "image"]
    for e in ellipses:
        line = f"ellipse({e.x + 1:.3f},{e.y + 1:.3f},{e.long:.2f},{e.short:.2f},{e.angle:.1f})"
        marks = [f"color={e.colour}"] if e.colour else []
        marks += [f"text={{{e.text}}}"] if e.text else []
        lines.append(line + (f" # {' '.join(marks)}" if marks else ""))
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(path)
