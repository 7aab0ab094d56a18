"""Which exposures an image is made of, as far back as files tell: so that none counts twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from firstlight.errors import InputError
from firstlight.io.content import QUICK_HASH, known_hash
from firstlight.io.story import read_story
from firstlight.model.meta import Meta

RECORD = "exposures"
"""Where a combination keeps its exposures in its provenance."""

Exposures = dict[str, tuple[float | None, int]]
"""Content of a file to its exposure (s) and number of frames."""


def exposures_of(path: Path | str, meta: Meta) -> Exposures:
    """The exposures in a file: those of a combination, the frames of a stack, else the file itself."""
    own = (meta.exposure, meta.n_combined)
    path = Path(path)
    if not path.is_file():
        return {str(path): own}
    try:
        story: Mapping[str, Any] = read_story(path) or {}
    except InputError:
        story = {}
    content = known_hash(path)
    while story.get("made_by") == "apply":
        inputs = story.get("inputs") or [{}]
        content = inputs[0].get(QUICK_HASH, content)
        story = story.get("of") or {}
    if story.get(RECORD):
        return {key: (seconds, int(n)) for key, (seconds, n) in story[RECORD].items()}
    frames = [_key(row) for row in story.get("inputs", ())] if story.get("made_by") == "process" else []
    if frames and all(frames) and len(set(frames)) == meta.n_combined:
        share = None if meta.exposure is None else meta.exposure / len(frames)
        return dict.fromkeys(frames, (share, 1))
    return {content: own}


def _key(row: Mapping[str, Any]) -> str:
    # Frames of one film differ by their number.
    number = str(row.get("file", "")).rpartition("#")[2] if "#" in str(row.get("file", "")) else ""
    return f"{row[QUICK_HASH]}#{number}" if number else str(row.get(QUICK_HASH, ""))


def each_once(meta: Meta, metas: Sequence[Meta], parts: Sequence[Exposures]) -> tuple[Meta, Exposures, int]:
    """The header of a combination whose exposures were added up, with those in several images counted once.

    Returns the header, all exposures, and how many of them are in more than one image. A header that says something
    else than the sum stays.
    """
    union: Exposures = {}
    for part in parts:
        union |= part
    again = sum(map(len, parts)) - len(union)
    if again and meta.n_combined == sum(m.n_combined for m in metas):
        exposures = [seconds for seconds, _ in union.values()]
        total = None if None in exposures else round(sum(exposures), 6)  # type: ignore[arg-type]
        meta = meta.replace(n_combined=sum(n for _, n in union.values()), exposure=total)
    return meta, union, again
