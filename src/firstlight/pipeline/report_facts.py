"""What the folder of a run tells: read for its report, from ``run.json``, ``frames.csv`` and the products."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from firstlight.errors import FirstlightError, InputError
from firstlight.io.frame import Frame
from firstlight.io.read import open_frame
from firstlight.io.write import read_provenance
from firstlight.pipeline.record import FORMAT, RUN_FILE

NUMBERS = (
    "exposure", "weight", "scale", "stars", "fwhm", "eccentricity", "background", "noise", "snr", "m00", "m01", "m02",
    "m10", "m11", "m12", "rejected", "airmass", "altitude", "moon_distance", "moon_illumination", "moon_altitude",
    "sun_altitude",
)  # fmt: skip
UNNAMED = "no filter"


@dataclass(frozen=True)
class Row:
    """One line of ``frames.csv``."""

    file: str
    kind: str
    filter: str
    accepted: bool
    reason: str
    stack: str
    middle: datetime | None
    numbers: dict[str, float]

    @property
    def name(self) -> str:
        return self.file.rpartition("/")[2]

    def get(self, name: str) -> float | None:
        return self.numbers.get(name)


@dataclass(eq=False)
class StackFacts:
    """One stack: what the record says, and what its own file adds."""

    record: dict[str, Any]
    path: Path
    picture: Path | None
    story: dict[str, Any]
    frame: Frame | None

    @property
    def name(self) -> str:
        return str(self.record["name"])


@dataclass(eq=False)
class RunFacts:
    """All that a report shows."""

    folder: Path
    record: dict[str, Any]
    rows: list[Row]
    stacks: list[StackFacts] = field(default_factory=list)

    @property
    def session(self) -> Path:
        return Path(self.record.get("session", self.folder.parent))

    @property
    def lights(self) -> list[Row]:
        """Lights in the order of time, those without a time in the order of their names."""
        lights = [row for row in self.rows if row.kind == "light"]
        timed = all(row.middle is not None for row in lights)
        return sorted(lights, key=lambda row: (row.middle, row.file) if timed else row.file)  # type: ignore[arg-type, return-value]

    @property
    def filters(self) -> list[str]:
        return sorted({row.filter or UNNAMED for row in self.rows if row.kind == "light"})

    @property
    def set_aside(self) -> list[Row]:
        return [row for row in self.rows if not row.accepted]

    @property
    def title(self) -> str:
        names: list[str] = []
        for stack in self.record.get("stacks", []):
            if stack["target"] and stack["target"] not in names:
                names.append(stack["target"])
        return ", ".join(names) or self.session.name

    def path_of(self, row: Row) -> Path:
        """Where a frame of the session lies."""
        root = self.session if self.session.is_dir() else self.session.parent
        return root / row.file


def read_run(folder: Path) -> RunFacts:
    """Read the folder of a run; a session's folder stands for the run inside it.

    Raises
    ------
    InputError
        There is no run in it, or one that did not end.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give the folder of a run, such as SESSION/firstlight")
    if not (folder / RUN_FILE).is_file() and (folder / "firstlight" / RUN_FILE).is_file():
        folder = folder / "firstlight"
    try:
        record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except OSError:
        raise InputError(
            f"{folder}: no {RUN_FILE} in it: no run has ended here; give the folder of a run, such as "
            "SESSION/firstlight"
        ) from None
    except ValueError as error:
        raise InputError(f"{folder / RUN_FILE}: it is damaged ({error}); run again with --again") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"{folder / RUN_FILE}: of another version of firstlight; run again with --again")
    facts = RunFacts(folder, record, _rows(folder / "frames.csv"))
    for stack in record.get("stacks", []):
        facts.stacks.append(_stack(folder, stack))
    return facts


def _rows(path: Path) -> list[Row]:
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            lines = list(csv.DictReader(file))
    except OSError:
        return []
    return [
        Row(
            line["file"], line["kind"], line.get("filter", ""), line.get("accepted") == "1", line.get("reason", ""),
            line.get("stack", ""), _time(line.get("middle", "")),
            {name: float(line[name]) for name in NUMBERS if line.get(name)},
        )
        for line in lines
    ]  # fmt: skip


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _stack(folder: Path, record: dict[str, Any]) -> StackFacts:
    path = folder / "stacks" / f"{record['name']}.fits"
    picture = folder / "pictures" / f"{record['name']}.png"
    story: dict[str, Any] = {}
    frame = None
    if path.is_file():
        try:
            story = read_provenance(path) or {}
            frame = open_frame(path)
        except FirstlightError:
            frame = None
    return StackFacts(record, path, picture if picture.is_file() else None, story, frame)


def used(rows: Sequence[Row]) -> list[Row]:
    """Lights that went into a stack."""
    return [row for row in rows if row.accepted and row.stack]
