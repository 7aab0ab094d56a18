"""The masters of a run: built when needed, reused when nothing they were made of has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.errors import FrameError
from firstlight.io.content import known_hash
from firstlight.io.frame import Frame
from firstlight.io.read import read
from firstlight.io.scratch import decoded
from firstlight.io.shared_array import share, take_piece, write_piece
from firstlight.io.write import write
from firstlight.library.build import Band, Bands, Master, Room, build_master, new_array
from firstlight.library.check import facts_of
from firstlight.library.mixture import mix
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.library.store import INTERPOLATED, input_of
from firstlight.model.buffers import Buffers
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.at_hand import needed_masters
from firstlight.pipeline.crew import Crew
from firstlight.pipeline.graph_session import SessionSteps
from firstlight.pipeline.plan import Plan

if TYPE_CHECKING:
    from firstlight.pipeline.graph import Finished, Graph, Step

MOST_ROWS = 128
FEWEST_ROWS = 8


@dataclass(eq=False)
class MasterShelf:
    """Masters by plan; files in ``masters/`` of the run folder. Those of a library are read where they lie."""

    plan: Plan
    graph: Graph | None = None
    """What is finished already, and where it is noted; None: everything is made anew."""
    made: list[Master] = field(default_factory=list)
    files: dict[int, Path] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    """Of the steps that made them (`firstlight.pipeline.graph`)."""
    failed: dict[int, str] = field(default_factory=dict)
    _writing: list[Future[None]] = field(default_factory=list)
    _buffers: Buffers = field(default_factory=Buffers)
    _by_plan: dict[int, Master] = field(default_factory=dict)

    def finish(self) -> None:
        """Wait until every master is written, and let go of the memory that only making them needs."""
        for future in self._writing:
            future.result()
        self._writing.clear()
        self._buffers = Buffers()

    def wanted(self) -> list[MasterPlan]:
        """Masters that the lights need (without lights: all), those first that others need."""
        return needed_masters(self.plan)

    def get(self, plan: MasterPlan) -> Master | None:
        return self._by_plan.get(id(plan))

    def own_files(self) -> list[Path]:
        """Files that this run wrote, or found from the last one."""
        folder = self.plan.output / "masters"
        return [path for key, path in self.files.items() if key not in self.failed and path.parent == folder]

    def make(
        self,
        plan: MasterPlan,
        executor: Executor,
        workers: int,
        budget: int,
        scratch: Path,
        done: Callable[[int], None],
    ) -> Master:
        """Build one master and write it, or read it: of the library, or of the last run.

        Raises
        ------
        FrameError
            None of its frames can be used, or its file is damaged.
        """
        under = self._needs(plan.subtract, plan) if plan.subtract else None
        parts = [self._needs(part, plan) for part, _ in plan.parts]
        step = self.planned(plan)
        path = self.files[id(plan)]
        held = self.graph.held(step) if self.graph and not plan.shared else None
        began = time.time()
        if plan.shared:
            master = build_master(plan, None, executor, rows=MOST_ROWS)
        elif held is not None:
            master = _as_made(plan, path, held)
        elif plan.parts:
            master = Master(plan, mix(plan, [part.image for part in parts]), notes=plan.notes)
            self._write(path, master, step, None, began)
        else:
            master = combine_frames(
                plan, under, executor, workers, budget, scratch, done,
                room=lambda shape: self._buffers.own("cube", shape),
            )  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            below = self.files.get(id(plan.subtract))
            self._writing.append(executor.submit(self._write, path, master, step, below, began))
            self._keep(plan, master)
            return master
        done(0 if plan.parts else len(plan.frames) * plan.like.shape[1])
        self._keep(plan, master)
        return master

    def names_of(self, assignment: Assignment) -> list[str]:
        """File names of a light's masters."""
        return [self.files[id(m)].name for m in assignment.masters if id(m) in self.files]

    def planned(self, plan: MasterPlan) -> Step:
        """The step that makes a master; from then on its key and its file are known."""
        path = plan.like.path if plan.shared else self._file(plan)
        hash_of = self.graph.results.hash_of if self.graph else known_hash
        step = SessionSteps(self.plan.settings, hash_of).master(plan, path.stem, self.key)
        self.files[id(plan)], self.keys[id(plan)] = path, step.key
        return step

    def key(self, plan: MasterPlan) -> str:
        """Key of the step that made a master."""
        return self.keys[id(plan)]

    def _write(self, path: Path, master: Master, step: Step, under: Path | None, began: float) -> None:
        write(path, master.image, provenance=provenance_of(master, step.key, under))
        if self.graph is not None:
            aside = {str(frame.path): reason for frame, reason in master.set_aside}
            self.graph.finish(step, [path], {"set_aside": aside, "notes": list(master.notes)}, began)

    def _keep(self, plan: MasterPlan, master: Master) -> None:
        self._by_plan[id(plan)] = master
        self.made.append(master)

    def _needs(self, part: MasterPlan, plan: MasterPlan) -> Master:
        master = self.get(part)
        if master is None:
            raise FrameError(f"{plan.name}: {part.name} is needed for it and could not be made")
        return master

    def _file(self, plan: MasterPlan) -> Path:
        """A name of its own, also where two masters would share one."""
        name, number = plan.name, 1
        taken = {p.name for p in self.files.values()}
        while f"{name}.fits" in taken:
            number += 1
            name = f"{plan.name}_{number}"
        return self.plan.output / "masters" / f"{name}.fits"


def _as_made(plan: MasterPlan, path: Path, held: Finished) -> Master:
    """A master that lies in the run folder, with what was left out of it."""
    by_path = {str(frame.path): frame for frame in plan.frames}
    aside = tuple((by_path[name], why) for name, why in held.facts["set_aside"].items() if name in by_path)
    return Master(plan, read(path), aside, tuple(held.facts["notes"]))


def combine_frames(
    plan: MasterPlan,
    under: Master | None,
    executor: Executor,
    workers: int,
    budget: int,
    scratch: Path,
    done: Callable[[int], None],
    settings: Combine | None = None,
    room: Room = new_array,
) -> Master:
    """Build one master within the memory of the budget; frames that cannot be decoded are set aside."""
    channels, _, width = plan.like.shape
    per_row = 12 * channels * width * len(plan.frames)
    rows = int(max(FEWEST_ROWS, min(MOST_ROWS, 0.7 * budget / workers / per_row)))
    frames, broken = _open_all(plan, scratch)
    crew = executor if isinstance(executor, Crew) else None
    master = build_master(
        replace(plan, frames=frames), under, executor, rows=rows, settings=settings, done=done, room=room,
        spread=None if crew is None else lambda bands, tops: _bands_elsewhere(bands, tops, crew),
    )  # fmt: skip
    return replace(master, plan=plan, set_aside=(*broken, *master.set_aside))


def _bands_elsewhere(bands: Bands, tops: Sequence[int], crew: Crew) -> Iterator[Band]:
    under = bands.under
    if under is not None:
        under = crew.once(under, lambda: share(bands.under, crew.folder, crew.name("under")))  # type: ignore[arg-type]
    sent = replace(bands, under=under)
    tasks = [(sent, top, crew.folder / f"{crew.name('band')}.npz") for top in tops]
    for path in crew.spread(band_elsewhere, tasks):
        piece = take_piece(path)
        yield piece["mean"], piece["variance"], piece["saturated"]


_BUFFERS = Buffers()


def band_elsewhere(bands: Bands, top: int, path: Path) -> Path:
    """On a worker: some rows of a master, written to a file."""
    mean, variance, saturated = bands.at(top, lambda shape: _BUFFERS.own("cube", shape))
    write_piece(path, {"mean": mean, "variance": variance, "saturated": saturated})
    return path


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


def provenance_of(
    master: Master, stamp: str, under: Path | None, inputs: Sequence[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """What a master's file says of how it was made."""
    plan = master.plan
    starts = sorted(f.meta.start for f in plan.frames if f.meta.start)
    left_out = {str(frame.path) for frame, _ in master.set_aside}
    if inputs is None:
        inputs = [] if plan.parts else [input_of(f) for f in plan.frames if str(f.path) not in left_out]
    return {
        "kind": plan.kind.value,
        "fingerprint": stamp,
        "inputs": list(inputs),
        "from": starts[0].isoformat() if starts and not plan.parts else None,
        "to": starts[-1].isoformat() if starts and not plan.parts else None,
        "set_aside": {str(f.path): reason for f, reason in master.set_aside},
        "subtracted": under.name if under is not None else None,
        "parts": {part.name: factor for part, factor in plan.parts},
        INTERPOLATED: bool(plan.parts),
        "facts": facts_of(master.image),
        "notes": [*plan.notes, *master.notes],
    }
