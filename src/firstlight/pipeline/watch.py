"""Files of a folder, each when it is whole; and what has become of them, in a journal."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError, InputError
from firstlight.io.frame import Frame
from firstlight.io.read import find_files, open_frames
from firstlight.library.classify import in_adu

STACKED, SET_ASIDE, CALIBRATION, WAITING = "stacked", "set aside", "calibration frame", "waiting"


@dataclass
class Seen:
    """A file that is not whole yet."""

    size: int
    changed: int
    since: float


@dataclass
class Watch:
    """Looks into a folder again and again; a file counts once it is whole.

    Whole is a file whose size and time have stood for ``settle`` seconds and which can be opened: its header is there
    and all of its pixels. One that cannot be opened after ``patience`` seconds is given up, with the reason.
    """

    folder: Path
    leave_out: Path
    """Our own products."""
    settle: float
    patience: float
    _growing: dict[Path, Seen] = field(default_factory=dict)
    _done: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def done(self, path: Path, stamp: tuple[int, int]) -> None:
        """This file, with this size and time, needs no second look."""
        self._done[path] = stamp

    def look(self) -> list[tuple[Path, list[Frame] | str]]:
        """Files that have become whole since the last look: their frames, or why there are none.

        In order of the exposures, as far as the headers tell it, else of the files' own times.
        """
        now = time.monotonic()
        found: list[tuple[float, Path, list[Frame] | str]] = []
        for path in find_files(self.folder):
            if self.leave_out in path.parents:
                continue
            try:
                status = path.stat()
            except OSError:
                continue
            stamp = (status.st_size, status.st_mtime_ns)
            if self._done.get(path) == stamp:
                continue
            seen = self._growing.get(path)
            if seen is None or (seen.size, seen.changed) != stamp:
                seen = self._growing[path] = Seen(*stamp, now)
            if now - seen.since < self.settle:
                continue
            try:
                content: list[Frame] | str = [in_adu(frame) for frame in open_frames(path)]
            except (FrameError, InputError) as error:
                if now - seen.since < self.patience:
                    continue
                content = str(error)
            self._done[path] = stamp
            del self._growing[path]
            start = None if isinstance(content, str) else content[0].meta.start
            found.append((start.timestamp() if start else status.st_mtime, path, content))
        return [(path, content) for _, path, content in sorted(found, key=lambda f: f[:2])]

    @property
    def n_growing(self) -> int:
        """Files that are being written."""
        return len(self._growing)


class Journal:
    """What has become of every frame: one line of JSON each time that a state changes; the last line of a frame holds.

    A line that was cut short by a crash is passed over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states: dict[str, dict[str, Any]] = {}
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        for line in text.splitlines():
            try:
                record = json.loads(line)
                self.states[record["file"]] = record
            except (ValueError, KeyError, TypeError):
                continue
        if text and not text.endswith("\n"):
            self._append("\n")

    def note(self, file: str, state: str, **facts: Any) -> None:
        """Write down the state of a frame."""
        record = {"file": file, "state": state, **facts}
        # A frame keeps its place in the order.
        self.states[file] = record
        self._append(json.dumps(record, default=str) + "\n")

    def _append(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def counts(self) -> Counter[str]:
        return Counter(record["state"] for record in self.states.values())
