"""Frames that must be decoded whole are decoded once, into a scratch file, so that rows are cheap to read again."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from firstlight.io.atomic import atomic_path
from firstlight.io.frame import Frame, MappedSource, Source
from firstlight.io.packed import forget


class Scratch:
    """A folder for scratch files, removed with all it holds when the block ends.

    >>> with Scratch() as folder:
    ...     folder.is_dir()
    True
    >>> folder.exists()
    False
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent

    def __enter__(self) -> Path:
        if self._parent is not None:
            self._parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=".scratch-", dir=self._parent))
        return self.folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class DecodedSource:
    """Pixels in a scratch file; all else comes from where they were decoded."""

    pixels: MappedSource
    origin: Source

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return self.pixels.rows(top, bottom)

    def check(self) -> None:
        self.origin.check()

    def planes(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        return self.origin.planes()


class Deferred:
    """Pixels that are decoded into a scratch file when the first row is asked for."""

    def __init__(self, frame: Frame, folder: Path) -> None:
        self._frame, self._folder = frame, folder
        self._lock = threading.Lock()
        self._pixels: MappedSource | None = None
        self.origin = frame.source

    def __reduce__(self) -> tuple[Any, ...]:
        return DecodedSource, (self.pixels, self.origin)

    @property
    def pixels(self) -> MappedSource:
        """The scratch file."""
        with self._lock:
            if self._pixels is None:
                self._pixels = _decode(self._frame, self._folder)
            return self._pixels

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return self.pixels.rows(top, bottom)

    def check(self) -> None:
        self.origin.check()

    def planes(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        return self.origin.planes()


def decoded_when_needed(frame: Frame, folder: Path) -> Frame:
    """As `decoded`, but nothing is done before the first row is asked for."""
    return frame if frame.seekable else frame.replace(source=Deferred(frame, folder), seekable=True)


def decoded(frame: Frame, folder: Path) -> Frame:
    """The same frame with cheap rows: itself where they are already, else a copy whose pixels lie in the folder.

    Pixels keep their own type and scaling. The caller owns the folder (`Scratch`).

    Raises
    ------
    FrameError
        The pixels cannot be decoded.
    InputError
        The scratch folder's disk is full.
    """
    if frame.seekable:
        return frame
    pixels = _decode(frame, folder)
    return frame.replace(source=DecodedSource(pixels, frame.source), seekable=True, dtype=np.dtype(pixels.dtype))


def _decode(frame: Frame, folder: Path) -> MappedSource:
    raw = np.ascontiguousarray(frame.rows(0, frame.shape[1]))
    dtype = raw.dtype
    path = Path(folder) / f"{frame.path.stem[:40]}.{secrets.token_hex(6)}.raw"
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(raw.data)
    del raw
    forget()
    return MappedSource(path, 0, dtype.str, frame.shape)
