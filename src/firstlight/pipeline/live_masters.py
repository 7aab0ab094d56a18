"""Calibration of a live session: masters made at the start, those of libraries read when the first light needs them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from firstlight.errors import FrameError
from firstlight.io.frame import Frame
from firstlight.library.assign import Chooser, plan_calibrations
from firstlight.library.classify import Sighting
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.pipeline.at_hand import masters_at_hand
from firstlight.pipeline.calibration import Calibration, compile_calibration
from firstlight.pipeline.masters import MasterShelf
from firstlight.pipeline.plan import Plan
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.settings import Settings


@dataclass(eq=False)
class LiveMasters:
    """Masters and calibrations of one live session; may be asked by many threads."""

    settings: Settings
    executor: Executor
    workers: int
    budget: int
    scratch: Path
    progress: Progress
    shelf: MasterShelf | None = None
    masters: list[MasterPlan] = field(default_factory=list)
    _chooser: Chooser | None = None
    _ready: dict[tuple[object, ...], Calibration] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def prepare(self, folder: Path, output: Path, sightings: Sequence[Sighting]) -> None:
        """Make every master that the calibration frames at hand give."""
        at_hand, libraries, remarks = masters_at_hand(self.settings.library, output / "no local library")
        planned = plan_calibrations(sightings, self.settings.calibrate.rules, at_hand)
        plan = Plan(folder, output, self.settings, tuple(sightings), planned, (), (), (), libraries=libraries)
        self.shelf = MasterShelf(plan)
        for remark in remarks:
            self.progress.say(remark)
        for master in self.shelf.wanted():
            try:
                self._make(master)
                self.progress.say(f"{master.name}: {master.n_frames} frames")
            except FrameError as error:
                self.shelf.failed[id(master)] = str(error)
                self.progress.say(str(error))
        self.shelf.finish()
        self.masters = [m for m in (*planned.masters, *at_hand) if id(m) not in self.shelf.failed]
        self._chooser = Chooser(self.masters, self.settings.calibrate.rules)

    def calibration_of(self, light: Frame) -> tuple[Assignment, Calibration]:
        """The masters of a light and what they come to. A master that proves damaged is left out from then on."""
        with self._lock:
            while True:
                assignment = self._chooser.assign(light)  # type: ignore[union-attr]
                key = (*assignment.key, light.shape, light.meta.cfa)
                if key in self._ready:
                    return assignment, self._ready[key]
                try:
                    for master in assignment.masters:
                        self._make(master)
                except FrameError as error:
                    self.progress.say(str(error))
                    self.masters = [m for m in self.masters if m is not self._broken]
                    self._chooser = Chooser(self.masters, self.settings.calibrate.rules)
                    continue
                self._ready[key] = compile_calibration(assignment, self.shelf.get)  # type: ignore[union-attr]
                return assignment, self._ready[key]

    def _make(self, master: MasterPlan) -> None:
        if self.shelf.get(master) is not None:  # type: ignore[union-attr]
            return
        for part, _ in master.parts:
            self._make(part)
        self._broken = master
        self.shelf.make(  # type: ignore[union-attr]
            master, self.executor, self.workers, self.budget, self.scratch, lambda n: None
        )
