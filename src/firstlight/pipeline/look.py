"""The lights of a session looked at, one after another, here or by workers elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from firstlight.errors import FrameError
from firstlight.io.scratch import decoded
from firstlight.io.shared_array import share
from firstlight.library.plans import Assignment
from firstlight.model.buffers import Buffers
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.clean import Clean, with_noise
from firstlight.pipeline.crew import Crew
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.measure import Light, measure_light
from firstlight.pipeline.settings import Settings


@dataclass(frozen=True)
class Look:
    """How lights are looked at; small enough to be sent."""

    settings: Settings
    scratch: Path
    """Where frames that must be decoded whole are put; workers elsewhere see it too."""

    def at(self, assignment: Assignment, calibration: Calibration, seek: bool, buffers: Buffers) -> Light | str:
        """The light, measured; or why it cannot be used."""
        settings = self.settings
        try:
            assignment.light.source.check()
            light = with_noise(decoded(assignment.light, self.scratch), settings.calibrate)
            return measure_light(
                replace(assignment, light=light), calibration, settings.stars, seek_spikes=seek,
                keep_cells=settings.normalize.mode == "local", buffers=buffers, clean=Clean.of(settings.calibrate),
            )  # fmt: skip
        except FrameError as error:
            return str(error)

    def all(
        self,
        assignments: Sequence[Assignment],
        calibrations: dict[tuple[object, ...], Calibration],
        seekers: set[Path],
        executor: Executor,
        workers: int,
    ) -> Iterator[tuple[Path, Light | str]]:
        """Every light, in the order of the assignments."""
        if isinstance(executor, Crew):
            yield from self._elsewhere(assignments, calibrations, seekers, executor)
            return
        buffers = Buffers()

        def look(assignment: Assignment) -> tuple[Path, Light | str]:
            path = assignment.light.path
            calibration = calibrations[(*assignment.key, assignment.light.shape)]
            return path, self.at(assignment, calibration, path in seekers, buffers)

        # Frames in flight hold their calibrated pixels: as many as there are workers, no more.
        yield from ordered(executor, look, assignments, workers + 1)

    def _elsewhere(
        self,
        assignments: Sequence[Assignment],
        calibrations: dict[tuple[object, ...], Calibration],
        seekers: set[Path],
        crew: Crew,
    ) -> Iterator[tuple[Path, Light | str]]:
        mine = [calibrations[(*a.key, a.light.shape)] for a in assignments]
        # The masters' frames stay here: a light's own file is all that the work needs.
        tasks = [
            (self, Assignment(a.light), shared_calibration(calibration, crew), a.light.path in seekers)
            for a, calibration in zip(assignments, mine)
        ]
        for assignment, calibration, found in zip(assignments, mine, crew.spread(look_elsewhere, tasks)):
            if isinstance(found, Light):
                own = found.calibration
                known = replace(
                    calibration, defects=own.defects, row_offsets=own.row_offsets,
                    column_offsets=own.column_offsets, single=True,
                ) if own.single else calibration  # fmt: skip
                found = replace(found, assignment=replace(assignment, light=found.frame), calibration=known)
            yield assignment.light.path, found


_BUFFERS = Buffers()


def look_elsewhere(look: Look, assignment: Assignment, calibration: Calibration, seek: bool) -> Light | str:
    """`Look.at` on a worker; the planes of the calibration do not travel back."""
    found = look.at(assignment, calibration, seek, _BUFFERS)
    if isinstance(found, Light):
        found = replace(found, calibration=replace(found.calibration, offset=None, thermal=None, gain=None))
        if not found.calibration.single:
            found = replace(found, calibration=Calibration())
    return found


def shared_calibration(calibration: Calibration, crew: Crew) -> Calibration:
    """The same, its planes in files that every worker sees."""

    def make() -> Calibration:
        planes = {
            name: share(plane, crew.folder, crew.name(name))
            for name in ("offset", "thermal", "gain", "row_offsets", "column_offsets")
            if (plane := getattr(calibration, name)) is not None
        }
        defects = tuple(
            Defects(*(share(a, crew.folder, crew.name("bad")) for a in (d.ys, d.xs, d.rows)), d.width)
            for d in calibration.defects
        )
        return replace(calibration, defects=defects, **planes)

    return crew.once(calibration, make)
