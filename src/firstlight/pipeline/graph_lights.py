"""The lights of a session: those that were measured before are taken as they were, the others are looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from firstlight.io.scratch import decoded_when_needed
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.model.buffers import Buffers
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.clean import with_noise
from firstlight.pipeline.crew import Crew
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.graph import Graph, Step
from firstlight.pipeline.graph_results import light_as_bytes, light_of_bytes
from firstlight.pipeline.graph_session import SessionSteps
from firstlight.pipeline.look import Look
from firstlight.pipeline.measure import Light

Found = tuple[Path, Light | str]


@dataclass(frozen=True)
class KnownLights:
    """`Look`, with a memory."""

    graph: Graph
    steps: SessionSteps
    keys: Callable[[MasterPlan], str]
    """Of the steps that made the masters."""
    look: Look

    def all(
        self,
        assignments: Sequence[Assignment],
        calibrations: dict[tuple[object, ...], Calibration],
        seekers: set[Path],
        executor: Executor,
        workers: int,
    ) -> Iterator[Found]:
        """Every light, in the order of the assignments."""
        if isinstance(executor, Crew):
            yield from self._elsewhere(assignments, calibrations, seekers, executor, workers)
            return
        buffers = Buffers()

        def at(assignment: Assignment) -> Found:
            path = assignment.light.path
            calibration = calibrations[(*assignment.key, assignment.light.shape)]
            step, known = self._known(assignment, calibration, path in seekers)
            if known is not None:
                return path, known
            began = time.time()
            found = self.look.at(assignment, calibration, path in seekers, buffers)
            return path, self._keep(step, found, calibration, began)

        # The file is read for its hash by the worker that measures it next: from the disk once.
        yield from ordered(executor, at, assignments, workers + 1)

    def _elsewhere(
        self,
        assignments: Sequence[Assignment],
        calibrations: dict[tuple[object, ...], Calibration],
        seekers: set[Path],
        crew: Crew,
        workers: int,
    ) -> Iterator[Found]:
        def at(assignment: Assignment) -> tuple[Step | None, Light | str | None]:
            calibration = calibrations[(*assignment.key, assignment.light.shape)]
            return self._known(assignment, calibration, assignment.light.path in seekers)

        known = list(ordered(crew, at, assignments, 2 * workers))
        todo = [a for a, (_, found) in zip(assignments, known) if found is None]
        made = self.look.all(todo, calibrations, seekers, crew, workers)
        for assignment, (step, found) in zip(assignments, known):
            if found is None:
                began = time.time()
                calibration = calibrations[(*assignment.key, assignment.light.shape)]
                found = self._keep(step, next(made)[1], calibration, began)
            yield assignment.light.path, found

    def _known(
        self, assignment: Assignment, calibration: Calibration, seeks: bool
    ) -> tuple[Step | None, Light | str | None]:
        """The step that measures a light, and what it found if it is finished; or why the light cannot be read."""
        light = assignment.light
        try:
            step = self.steps.measure(assignment, self.keys, seeks)
        except OSError as error:
            return None, f"{light.path.name}: cannot be read: {error.strerror or error}"
        content = self.graph.held_result(step)
        if content is None:
            return step, None
        frame = with_noise(decoded_when_needed(light, self.look.scratch), self.look.settings.calibrate)
        found = light_of_bytes(content, frame, replace(assignment, light=frame), calibration)
        return step, None if found is None else replace(found, key=step.key)

    def _keep(self, step: Step | None, found: Light | str, calibration: Calibration, began: float) -> Light | str:
        if isinstance(found, str) or step is None:
            return found
        self.graph.finish(step, began=began, result=light_as_bytes(found, calibration))
        return replace(found, key=step.key)
