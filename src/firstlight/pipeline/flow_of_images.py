"""The images of a run as they go through the steps of a recipe; each step is looked up in the graph first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from firstlight.errors import InputError, nearest
from firstlight.pipeline.graph import Graph, Step, key_of
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.record import RUN_FILE
from firstlight.pipeline.settings import Settings


@dataclass(eq=False)
class Images:
    """What the steps of a recipe work on."""

    session: Path
    folder: Path
    """Of the run."""
    settings: Settings
    graph: Graph
    executor: Executor
    progress: Progress
    paths: dict[str, Path] = field(default_factory=dict)
    """Name of each image to its latest file."""
    dry: bool = False
    """Nothing is done: the steps are only looked up."""
    step: str = ""
    """Name of the recipe's step that is at work."""
    made: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ahead: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, name, and why it would be done."""
    _fresh: set[Path] = field(default_factory=set)

    def chosen(self, pattern: str = "*") -> dict[str, Path]:
        """The images whose names a pattern (or one of several, separated by blanks) fits.

        Raises
        ------
        InputError
            None.
        """
        patterns = pattern.split()
        found = {name: path for name, path in self.paths.items() if any(fnmatch(name, each) for each in patterns)}
        if not found and not self.dry:
            there = ", ".join(self.paths) or "none"
            raise InputError(f"{self.step}: no image {pattern!r}{nearest(pattern, self.paths)}; there are: {there}")
        return found

    def session_key(self) -> str:
        """The inputs and settings of the session, as one word."""
        record = self.folder / RUN_FILE
        return json.loads(record.read_text(encoding="utf-8"))["fingerprint"] if record.is_file() else "new"

    def expect(self, paths: Iterable[Path]) -> None:
        """Looking ahead: these files are going to be made anew."""
        self._fresh |= set(paths)

    def do(
        self,
        name: str,
        inputs: Sequence[Path],
        asked: Any,
        make: Callable[[], Any],
        targets: Sequence[Path] | None = None,
        facts: Callable[[Any], Any] = lambda result: None,
    ) -> list[Path]:
        """The files of one piece of work: as they stand, or made.

        Parameters
        ----------
        name : what is made, in words
        inputs : files it is made of
        asked : all else it depends on, as JSON can hold it
        make : makes the files; where ``targets`` are not known before, it returns them
        targets : the files
        """
        began = time.time()
        present = [path for path in inputs if path.exists() and path not in self._fresh]
        hashes = {str(path): self.graph.results.hash_of(path) for path in present}
        step = Step(self.step, name, key_of("recipe", self.step, name, hashes, asked), (), hashes, asked)
        held = self.graph.held(step) if len(present) == len(inputs) else None
        if held is not None:
            paths = [self.folder / each for each in held.products]
            self.made += paths
            if self.dry:
                self.ahead.append((self.step, name, ""))
            return paths
        if self.dry:
            self.ahead.append((self.step, name, "what it is made of is new" if len(present) < len(inputs) else "to do"))
            self._fresh |= set(targets or ())
            return list(targets or ())
        result = make()
        paths = list(targets) if targets is not None else list(result)
        self.graph.finish(step, paths, facts(result), began)
        self.made += paths
        return paths
