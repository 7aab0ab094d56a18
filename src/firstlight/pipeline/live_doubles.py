"""Files of a live session that show an exposure which is there already: copies, and pictures beside frames."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.io.content import known_hash
from firstlight.io.copies import pictured
from firstlight.io.frame import Frame, file_of
from firstlight.model.image import State
from firstlight.pipeline.watch import STACKED


@dataclass
class Doubles:
    """Tells doubles from frames; each exposure counts once."""

    patience: float
    """Seconds that a picture waits for the raw frame that a camera writes after it."""
    _frames: dict[tuple[str, str], str] = field(default_factory=dict)
    """Content and number in the file to the name of the frame that is in a stack."""
    _waiting: dict[str, tuple[Frame, float]] = field(default_factory=dict)
    _raw_seen: bool = False
    _pictures_alone: bool = False
    """A picture has waited in vain, and there never was a raw frame: pictures are what is taken."""

    def remember(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """What the journal of an earlier session calls stacked."""
        for name, record in states.items():
            if record["state"] == STACKED and record.get("content"):
                self._frames[record["content"], name.partition("#")[2]] = name

    def is_due(self, name: str, frame: Frame) -> tuple[bool, Path | None]:
        """Whether it is known what a frame is; and the frame that it is a picture of. One that is not is kept."""
        if frame.state is not State.STRETCHED:
            self._raw_seen = True
            return True, None
        _, since = self._waiting.setdefault(name, (frame, time.monotonic()))
        shown = pictured(frame)
        alone = self._pictures_alone and not self._raw_seen
        if shown is None and not alone and time.monotonic() - since < self.patience:
            return False, None
        self._pictures_alone |= shown is None and not self._raw_seen
        del self._waiting[name]
        return True, shown

    def waiting(self) -> list[tuple[str, Frame]]:
        """Pictures that may yet turn out to be of a frame."""
        return [(name, frame) for name, (frame, _) in self._waiting.items()]

    def copied(self, name: str, frame: Frame) -> str:
        """The frame in a stack that is this one, byte for byte; empty where there is none."""
        other = self._frames.get((known_hash(file_of(frame)), name.partition("#")[2]), name)
        return "" if other == name else other

    def stacked(self, name: str, frame: Frame) -> str:
        """Take note of a frame that went into a stack; returns its content, for the journal."""
        content = known_hash(file_of(frame))
        self._frames[content, name.partition("#")[2]] = name
        return content

    def dropped(self, name: str) -> None:
        """A frame that is no longer in a stack."""
        self._frames = {key: each for key, each in self._frames.items() if each != name}
