"""The masters of a run: built when needed, reused when nothing they were made of has changed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.errors import FrameError
from firstlight.io.frame import Frame
from firstlight.io.read import read
from firstlight.io.scratch import decoded
from firstlight.io.write import write
from firstlight.library.assign import MasterPlan
from firstlight.library.build import Master, build_master
from firstlight.pipeline.plan import Plan, needed_masters
from firstlight.pipeline.record import fingerprint_of, frame_stamp

if TYPE_CHECKING:
    from firstlight.pipeline.record import Earlier

MOST_ROWS = 128
FEWEST_ROWS = 8


@dataclass(eq=False)
class MasterShelf:
    """Masters by plan; files in ``masters/`` of the run folder."""

    plan: Plan
    earlier: Earlier | None
    made: list[Master] = field(default_factory=list)
    files: dict[int, Path] = field(default_factory=dict)
    fingerprints: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    _by_plan: dict[int, Master] = field(default_factory=dict)

    def wanted(self) -> list[MasterPlan]:
        """Masters that the lights need (without lights: all), those first that others need."""
        masters = needed_masters(self.plan)
        return sorted(masters, key=lambda m: m.subtract is not None)

    def get(self, plan: MasterPlan) -> Master | None:
        return self._by_plan.get(id(plan))

    def make(
        self,
        plan: MasterPlan,
        executor: Executor,
        workers: int,
        budget: int,
        scratch: Path,
        done: Callable[[int], None],
    ) -> Master:
        """Build one master and write it, or read back the one of the last run."""
        under = self.get(plan.subtract) if plan.subtract else None
        stamp = fingerprint_of(
            plan.kind.value,
            [frame_stamp(f) for f in plan.frames],
            self.fingerprints.get(id(plan.subtract)) if plan.subtract else "",
        )
        path = self._file(plan)
        self.files[id(plan)], self.fingerprints[id(plan)] = path, stamp
        if self.earlier and self.earlier.has_master(path.name, stamp) and path.exists():
            master = Master(plan, read(path), notes=("from the last run",))
            done(len(plan.frames) * plan.like.shape[1])
        else:
            channels, _, width = plan.like.shape
            per_row = 12 * channels * width * len(plan.frames)
            rows = int(max(FEWEST_ROWS, min(MOST_ROWS, 0.7 * budget / workers / per_row)))
            frames, broken = _open_all(plan, scratch)
            master = build_master(replace(plan, frames=frames), under, executor, rows=rows, done=done)
            master = replace(master, plan=plan, set_aside=(*broken, *master.set_aside))
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, master.image, provenance=_provenance(master, stamp, under, self))
        self._by_plan[id(plan)] = master
        self.made.append(master)
        return master

    def _file(self, plan: MasterPlan) -> Path:
        """A name of its own, also where two masters would share one."""
        name, number = plan.name, 1
        taken = {p.name for p in self.files.values()}
        while f"{name}.fits" in taken:
            number += 1
            name = f"{plan.name}_{number}"
        return self.plan.output / "masters" / f"{name}.fits"


def _open_all(plan: MasterPlan, scratch: Path) -> tuple[tuple[Frame, ...], tuple[tuple[Frame, str], ...]]:
    """Frames whose rows are cheap to read, and those that cannot be decoded or fail their checksum."""
    frames, broken = [], []
    for frame in plan.frames:
        try:
            frame.source.check()
            frames.append(decoded(frame, scratch))
        except FrameError as error:
            broken.append((frame, str(error)))
    if not frames:
        raise FrameError(f"{plan.name}: none of its {len(broken)} frames can be read; the first: {broken[0][1]}")
    return tuple(frames), tuple(broken)


def _provenance(master: Master, stamp: str, under: Master | None, shelf: MasterShelf) -> dict[str, object]:
    plan = master.plan
    return {
        "kind": plan.kind.value,
        "fingerprint": stamp,
        "inputs": [str(f.path) for f in plan.frames],
        "set_aside": {str(f.path): reason for f, reason in master.set_aside},
        "subtracted": shelf.files[id(under.plan)].name if under is not None else None,
        "notes": [*plan.notes, *master.notes],
    }
