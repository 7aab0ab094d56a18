"""A stack of an earlier run that still stands: what `firstlight.pipeline.group` tells of one, without its planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.io.read import read

if TYPE_CHECKING:
    from firstlight.model.image import Image
    from firstlight.pipeline.group import GroupResult, Prepared


@dataclass(eq=False)
class KeptStack:
    """A stack that was not made again."""

    prepared: Prepared
    facts: Mapping[str, Any]
    """Of the journal: ``summary``, ``shares``, ``layer``."""
    path: Path
    files: list[Path] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.facts["summary"]["name"]

    @property
    def n_frames(self) -> int:
        return self.facts["summary"]["frames"]

    @property
    def layer(self) -> str:
        return self.facts["layer"]

    @property
    def notes(self) -> list[str]:
        return self.facts["summary"]["notes"]

    @property
    def shares(self) -> Mapping[str, Mapping[str, float]]:
        """Each frame's part in it."""
        return self.facts["shares"]

    @cached_property
    def image(self) -> Image:
        """Read from its file."""
        return read(self.path)

    def summary(self) -> dict[str, Any]:
        """What ``run.json`` says of this stack."""
        return {**self.facts["summary"], "files": [path.name for path in self.files]}


def facts_of(results: Sequence[GroupResult]) -> list[dict[str, Any]]:
    """What the journal keeps of finished stacks."""
    return [
        {
            "summary": {**r.summary(), "files": []},
            "shares": r.shares,
            "layer": r.layer,
            "group": [r.prepared.group.name, r.prepared.group.part_of],
        }
        for r in results
    ]


def kept_stacks(facts: Sequence[Mapping[str, Any]], ready: Sequence[Prepared], folder: Path) -> list[KeptStack]:
    """The stacks of a step that is finished, whose groups are ``ready``."""
    kept = []
    for each in facts:
        prepared = next(p for p in ready if p.group.name in each["group"])
        path = folder / "stacks" / f"{each['summary']['name']}.fits"
        kept.append(KeptStack(prepared, each, path, [path]))
    return kept
