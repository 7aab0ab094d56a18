"""The frames that tell of a detector, sorted by what they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.copies import without_copies
from firstlight.io.frame import Frame
from firstlight.io.read import find_files, open_frames
from firstlight.library.classify import classify
from firstlight.library.group import group_alike
from firstlight.library.match import NEEDS, temperature_of
from firstlight.library.profile import KEY
from firstlight.library.raw import adu_rows
from firstlight.model.meta import Kind, Meta
from firstlight.pipeline.progress import Progress

TEMPERATURE = 1.5
"""Degrees C: darks and bias frames closer than this belong together."""


@dataclass(frozen=True, eq=False)
class DetectorFrames:
    """Bias frames, darks and flats of one detector at one setting, in groups of frames that are alike."""

    meta: Meta
    shape: tuple[int, int, int]
    biases: tuple[tuple[Frame, ...], ...] = ()
    """One group for each temperature."""
    darks: tuple[tuple[Frame, ...], ...] = ()
    """One for each temperature and exposure."""
    flats: tuple[tuple[Frame, ...], ...] = ()
    """One for each filter and exposure."""
    n_others: int = 0
    """Lights and masters, which tell nothing here."""
    broken: tuple[str, ...] = field(default=())

    @property
    def n_frames(self) -> dict[str, int]:
        return {
            "bias": sum(map(len, self.biases)), "dark": sum(map(len, self.darks)), "flat": sum(map(len, self.flats))
        }  # fmt: skip

    def bias_near(self, temperature: float | None) -> tuple[Frame, ...]:
        """The bias frames nearest in temperature; none where there are none within 1.5 degrees."""
        best = min(self.biases, key=lambda g: (abs(_apart(g[0], temperature)), -len(g)), default=())
        return best if best and abs(_apart(best[0], temperature)) <= TEMPERATURE else ()


def _apart(frame: Frame, temperature: float | None) -> float:
    own = temperature_of(frame.meta)
    return 0.0 if own is None or temperature is None else own - temperature


def gather(sources: Sequence[Path], progress: Progress) -> list[DetectorFrames]:
    """Open files and folders, and sort what they hold by detector and setting.

    Raises
    ------
    InputError
        Nothing to measure: no bias frames, darks or flats among them.
    """
    files = list(dict.fromkeys(file for source in sources for file in find_files(source)))
    progress.begin("reading headers", len(files), "files")
    frames: list[Frame] = []
    broken: list[str] = []
    for path in files:
        try:
            frames += open_frames(path)
        except FrameError as error:
            broken.append(str(error))
        progress.advance(1)
    progress.end()
    frames, copies = without_copies(frames)
    broken += [reason for _, reason in copies]
    settings: dict[tuple[object, ...], dict[Kind, list[Frame]]] = {}
    for frame in frames:
        try:
            sighting = classify(frame)
        except FrameError as error:
            broken.append(str(error))
            continue
        meta = sighting.frame.meta
        key = (*(getattr(meta, name) for name in KEY), frame.shape, meta.cfa, meta.origin)
        settings.setdefault(key, {}).setdefault(sighting.kind, []).append(sighting.frame)
    found = [_sorted(kinds, broken) for _, kinds in sorted(settings.items(), key=lambda item: str(item[0]))]
    found = [each for each in found if any(each.n_frames.values())]
    if not found:
        what = f"{len(frames)} frames, none of them a bias frame, dark or flat" if frames else "no frames"
        raise InputError(
            f"{', '.join(map(str, sources))}: {what}; give bias frames, darks and flats of one detector, by file or "
            "folder (`firstlight info` says what a frame is taken for)"
        )
    return found


def _sorted(kinds: dict[Kind, list[Frame]], broken: list[str]) -> DetectorFrames:
    biases = group_alike(kinds.get(Kind.BIAS, []), NEEDS[Kind.BIAS])
    darks = group_alike([*kinds.get(Kind.DARK, []), *kinds.get(Kind.DARK_FLAT, [])], NEEDS[Kind.DARK])
    flats = group_alike(kinds.get(Kind.FLAT, []), replace(NEEDS[Kind.FLAT], exposure=True, optics=False))
    first = next((g[0] for g in (*biases, *flats, *darks)), next(iter(kinds.values()))[0])
    measured = {Kind.BIAS, Kind.DARK, Kind.DARK_FLAT, Kind.FLAT}
    others = sum(len(group) for kind, group in kinds.items() if kind not in measured)
    return DetectorFrames(
        first.meta, first.shape, _tuples(biases), _tuples(darks), _tuples(flats), others, tuple(broken)
    )


def _tuples(groups: Iterable[Sequence[Frame]]) -> tuple[tuple[Frame, ...], ...]:
    return tuple(
        tuple(sorted(g, key=lambda f: (f.meta.start.timestamp() if f.meta.start else 0, str(f.path)))) for g in groups
    )


def colours_of(cfa: str | None, channels: int) -> dict[str, list[tuple[object, ...]]]:
    """Where the pixels of each colour are: indices into (channels, y, x).

    >>> list(colours_of("RGGB", 1)), list(colours_of(None, 1)), list(colours_of(None, 3))
    (['R', 'G', 'B'], ['mono'], ['R', 'G', 'B'])
    """
    if cfa:
        cells = {(j, i): cfa[2 * j + i] for j in (0, 1) for i in (0, 1)}
        return {
            colour: [(0, slice(j, None, 2), slice(i, None, 2)) for (j, i), c in cells.items() if c == colour]
            for colour in "RGB"
            if colour in cfa
        }
    names = "RGB" if channels == 3 else [f"plane {n + 1}" for n in range(channels)] if channels > 1 else ["mono"]
    return {name: [(n, slice(None), slice(None))] for n, name in enumerate(names)}


@lru_cache(maxsize=4)
def _cached(frame: Frame) -> np.ndarray:
    frame.check()
    return adu_rows(frame, 0, frame.shape[1])


def pixels(frame: Frame) -> np.ndarray:
    """All pixels in adu, float32 (channels, y, x); the last few frames are kept, for pairs overlap."""
    return _cached(frame)


def forget_pixels() -> None:
    """Give the memory of the kept frames back."""
    _cached.cache_clear()
