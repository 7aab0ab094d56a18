"""How a run tells what it is doing; faces draw it, the pipeline only counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Progress:
    """Silent progress; a face overrides `begin`, `advance`, `end` and `say`."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """A stage of ``total`` units starts."""

    def advance(self, n: int = 1) -> None:
        """So many units more are done."""

    def end(self) -> None:
        """The stage is over."""

    def say(self, text: str) -> None:
        """A sentence for the user, at once."""


@dataclass
class Clock:
    """Wall and CPU seconds of each stage of a run."""

    progress: Progress
    timings: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, total: int = 0, unit: str = "") -> Iterator[Progress]:
        """Time a stage and show its progress; the same name twice adds up."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.progress.begin(name, total, unit)
        try:
            yield self.progress
        finally:
            self.progress.end()
            spent = self.timings.setdefault(name, {"wall_s": 0.0, "cpu_s": 0.0})
            spent["wall_s"] = round(spent["wall_s"] + time.perf_counter() - wall, 3)
            spent["cpu_s"] = round(spent["cpu_s"] + time.process_time() - cpu, 3)
