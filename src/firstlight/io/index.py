"""The headers of a session in one SQLite file, so that a second run reads none that has not changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from firstlight import __version__
from firstlight.errors import FrameError
from firstlight.io.avi import AviSource
from firstlight.io.camera_raw import RawSource
from firstlight.io.fits import FitsSource
from firstlight.io.frame import Frame, MappedSource
from firstlight.io.raster import PillowSource, Png16Source
from firstlight.io.read import open_frames
from firstlight.io.ser import ReversedSource
from firstlight.io.tiff import TiffSource
from firstlight.model.image import PixelUnit, State
from firstlight.model.meta import Kind, Meta
from firstlight.model.plate import Plate

FORMAT = f"2 {__version__}"
"""Entries of another version are read anew: a better reading of headers must not be hidden by an old one."""
_SOURCES = {
    kind.__name__: kind
    for kind in (MappedSource, FitsSource, TiffSource, Png16Source, PillowSource, RawSource, ReversedSource, AviSource)
}


class Index:
    """What was read of each file, keyed by path, size and time of change.

    The file may be deleted at any time; a damaged one is made anew, and one that cannot be written is done without.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def open_all(
        self,
        paths: Sequence[Path],
        progress: Callable[[int, int], None] | None = None,
        executor: Executor | None = None,
    ) -> tuple[list[Frame], list[tuple[Path, str]]]:
        """Open the frames of all files, in their order.

        Parameters
        ----------
        paths : files
        progress : called with (files done, files in all)
        executor : reads headers that are not in the index yet; without one they are read in turn.

        Returns
        -------
        frames, broken
            ``broken`` holds (path, reason) of files that cannot be used.
        """
        known = self._load()
        keys = [_key(path) for path in paths]
        missing = [path for path, key in zip(paths, keys) if key not in known]
        # In the order of the paths, one after the other as they are needed: the bar moves while headers are read.
        fresh = iter((executor.map if executor else map)(_open, missing))  # type: ignore[operator]
        frames: list[Frame] = []
        broken: list[tuple[Path, str]] = []
        new: list[tuple[Any, ...]] = []
        for done, (path, key) in enumerate(zip(paths, keys), 1):
            is_known = key in known
            found = _known(path, known[key]) if is_known else next(fresh)  # type: ignore[index]
            if isinstance(found, str):
                broken.append((path, found))
            else:
                frames += found
                if not is_known and key is not None and (text := encode_frames(found)) is not None:
                    new.append((*key, text))
            if progress is not None:
                progress(done, len(paths))
        if new:
            self._store(new)
        return frames, broken

    def _load(self) -> dict[tuple[str, int, int], str]:
        if not self.path.exists():
            return {}
        try:
            with _connected(self.path) as base:
                version = base.execute("SELECT value FROM about WHERE name = 'format'").fetchone()
                if version is None or version[0] != FORMAT:
                    raise sqlite3.DatabaseError("another version")
                return {
                    (p, s, t): text for p, s, t, text in base.execute("SELECT path, size, mtime, frames FROM headers")
                }
        except sqlite3.OperationalError:
            # Locked by another run, or half made: read anew, leave the file.
            return {}
        except sqlite3.DatabaseError:
            self._remove()
            return {}

    def _store(self, rows: Iterable[tuple[Any, ...]]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _connected(self.path) as base:
                base.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT)")
                base.execute(
                    "CREATE TABLE IF NOT EXISTS headers "
                    "(path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, frames TEXT)"
                )
                base.execute("INSERT OR REPLACE INTO about VALUES ('format', ?)", (FORMAT,))
                base.executemany("INSERT OR REPLACE INTO headers VALUES (?, ?, ?, ?)", rows)
        except (sqlite3.Error, OSError):
            # An index only saves time: a disk that is full or read-only is told of where results are written.
            return

    def _remove(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return


class _connected:
    """A connection that commits on success and is always closed."""

    def __init__(self, path: Path) -> None:
        self.base = sqlite3.connect(path, timeout=10)

    def __enter__(self) -> sqlite3.Connection:
        return self.base

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if kind is None:
                self.base.commit()
        finally:
            self.base.close()


def _key(path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_size, status.st_mtime_ns


def _open(path: Path) -> list[Frame] | str:
    from firstlight.errors import InputError

    try:
        return open_frames(path)
    except (FrameError, InputError) as error:
        return str(error)


def encode_frames(frames: list[Frame]) -> str | None:
    """Frames as JSON, or None where their source is of a kind that is not kept."""
    if any(type(frame.source).__name__ not in _SOURCES for frame in frames):
        return None
    return json.dumps([_encode(frame) for frame in frames])


def _encode(frame: Frame) -> dict[str, Any]:
    source = {f.name: getattr(frame.source, f.name) for f in fields(frame.source) if f.name != "path"}  # type: ignore[arg-type]
    meta = {f.name: getattr(frame.meta, f.name) for f in fields(Meta)}
    for name, value in meta.items():
        if isinstance(value, datetime):
            meta[name] = value.isoformat()
    meta["calibrated"] = sorted(meta["calibrated"])
    return {
        "shape": frame.shape,
        "dtype": frame.dtype.str,
        "zero": frame.zero,
        "scale": frame.scale,
        "seekable": frame.seekable,
        "unit": frame.unit,
        "state": frame.state,
        "history": frame.history,
        "number": frame.number,
        "plate": None if frame.plate is None else dict(frame.plate.cards),
        "meta": {name: value for name, value in meta.items() if value is not None},
        "kind": type(frame.source).__name__,
        "source": source,
    }


def decode_frames(path: Path, text: str) -> list[Frame]:
    """Frames of a file from what `encode_frames` made of them; KeyError, TypeError or ValueError if it is damaged."""
    return [_decode(path, entry) for entry in json.loads(text)]


def _known(path: Path, text: str) -> list[Frame] | str:
    try:
        return decode_frames(path, text)
    except (KeyError, TypeError, ValueError):
        return _open(path)


def _decode(path: Path, entry: dict[str, Any]) -> Frame:
    meta = entry["meta"]
    for name in ("start", "end", "middle"):
        if name in meta:
            meta[name] = datetime.fromisoformat(meta[name])
    meta["kind"] = Kind(meta["kind"])
    meta["calibrated"] = frozenset(meta["calibrated"])
    meta["cards"] = tuple(map(tuple, meta["cards"]))
    for name in ("binning", "origin", "notes"):
        meta[name] = tuple(meta[name])
    source = {name: tuple(value) if isinstance(value, list) else value for name, value in entry["source"].items()}
    return Frame(
        path=path,
        shape=tuple(entry["shape"]),
        dtype=np.dtype(entry["dtype"]),
        meta=Meta(**meta),
        source=_SOURCES[entry["kind"]](path=path, **source),
        zero=entry["zero"],
        scale=entry["scale"],
        seekable=entry["seekable"],
        plate=None if entry["plate"] is None else Plate(entry["plate"]),
        unit=PixelUnit(entry["unit"]),
        state=State(entry["state"]),
        history=tuple(entry["history"]),
        number=entry["number"],
    )
