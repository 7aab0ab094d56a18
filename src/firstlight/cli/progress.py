"""Progress on a terminal: a bar per stage with rate and time left; plain lines where there is no terminal."""

from __future__ import annotations

import sys
import time

from firstlight.pipeline.progress import Progress

PLAIN_EVERY = 10.0
"""s between lines where the output is not a terminal."""
SHORT_UNITS = {"px": 1e6, "rows": 1.0}


class TerminalProgress(Progress):
    """Draws with rich on a terminal; otherwise prints one line at the start of a long stage and every 10 s."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._bar = None
        self._task = None
        self._stage, self._total, self._unit, self._done = "", 0, "", 0
        self._started = self._spoken = 0.0
        self._first: tuple[float, int] | None = None

    def begin(self, stage: str, total: int, unit: str) -> None:
        self._stage, self._total, self._done = stage, total, 0
        self._scale, self._unit = (1e-6, "Mpx") if unit == "px" else (1.0, unit)
        self._started = self._spoken = time.monotonic()
        self._first = None
        if self._live and total:
            from rich import progress
            from rich.console import Console

            self._bar = progress.Progress(
                progress.TextColumn("{task.description:>16s}"),
                progress.BarColumn(bar_width=32),
                progress.TaskProgressColumn(),
                progress.TextColumn("{task.fields[rate]}"),
                progress.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task(stage, total=total, rate="")

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(
                self._task, completed=self._done, rate=self._rate(self._done / max(now - self._started, 1e-3))
            )
        elif not self._quiet and self._total and now - self._spoken > PLAIN_EVERY:
            self._spoken = now
            print(f"{self._stage}: {100 * self._done / self._total:.0f} %{self._ahead(now)}", file=sys.stderr)
        if self._first is None:
            self._first = now, self._done

    def _ahead(self, now: float) -> str:
        """Time left by what came after the first piece, which may have waited for the compiler; or nothing."""
        if self._first is None or self._done == self._first[1]:
            return ""
        each = (now - self._first[0]) / (self._done - self._first[1])
        return f", {self._rate(1 / max(each, 1e-6))}, {each * (self._total - self._done):.0f} s left"

    def _rate(self, per_second: float) -> str:
        rate = per_second * self._scale
        return f"{rate:.{0 if rate >= 10 else 1}f} {self._unit}/s"

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._total = 0

    def say(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr)
