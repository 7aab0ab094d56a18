"""One frame of a file: what its header says, and its rows when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from io import RawIOBase
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.mapping import Piece
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate


class Source(Protocol):
    """Where a frame's pixels come from; small, frozen and picklable, holding no open file."""

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """Rows top <= y < bottom as (channels, rows, width), as stored."""
        ...

    def check(self) -> None:
        """Compare the pixels with the file's own checksum, where it has one; FrameError if they differ."""
        ...

    def planes(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """(flags, variance) that the file carries beside the pixels, each (channels, height, width) or None."""
        ...


FULL_SCALE = 65535.0
"""adu that 1 stands for where programs keep pixels as parts of it: they divide by this, whatever bits a camera has."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame that was opened by its header only.

    ``rows(y0, y1) * scale + zero`` are its pixels in adu: ``zero`` holds BZERO and the pedestal together, so that
    nobody applies one twice.
    """

    path: Path
    shape: tuple[int, int, int]
    """(channels, height, width)."""
    dtype: np.dtype
    """What `rows` returns; may be big-endian."""
    meta: Meta
    source: Source
    zero: float = 0.0
    scale: float = 1.0
    seekable: bool = False
    """`rows` costs only the rows asked for."""
    plate: Plate | None = None
    unit: PixelUnit = PixelUnit.ADU
    state: State = State.LINEAR
    history: tuple[str, ...] = field(default=())
    number: int | None = None
    """Which of a file's exposures, from 1; None where the file holds one."""

    @property
    def name(self) -> str:
        """The file's name, with the number of the exposure where the file holds several (``jupiter.ser#0001``)."""
        return self.path.name if self.number is None else f"{self.path.name}#{self.number:04d}"

    def check(self) -> None:
        """Compare the pixels with the checksum in the file, where there is one.

        `read` does so by itself; who reads by `rows` asks once. Raises FrameError where they differ.
        """
        self.source.check()

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """Rows top <= y < bottom, (channels, bottom - top, width), as stored: not scaled; not to be written to."""
        return self.source.rows(top, bottom)

    def pieces(self, top: int, bottom: int) -> list[Piece] | None:
        """Where rows top <= y < bottom of each channel lie on the disk, as `rows` gives them; None where they are
        stored in another way."""
        source = getattr(self.source, "pixels", self.source)
        where = getattr(source, "pieces", None)
        return None if where is None else where(top, bottom)

    def replace(self, **changes: Any) -> Frame:
        """A copy with these fields changed."""
        return replace(self, **changes)

    def in_adu(self) -> Frame:
        """The frame with pixels that are parts of 1 turned into those of a camera of 16 bits; any other as it is.

        So it goes together with frames, masters and facts of the camera that count in adu.
        """
        meta = self.meta
        if self.unit is not PixelUnit.NORMALISED or self.state is not State.LINEAR or meta.saturation != 1.0:
            return self
        gain = None if meta.gain is None else meta.gain / FULL_SCALE
        note = f"pixels are parts of 1: taken as parts of {FULL_SCALE:g} adu"
        return self.replace(
            zero=self.zero * FULL_SCALE, scale=self.scale * FULL_SCALE, unit=PixelUnit.ADU,
            meta=meta.replace(gain=gain, saturation=FULL_SCALE, notes=(*meta.notes, note)),
        )  # fmt: skip

    def read(self) -> Image:
        """The whole frame in adu, with the flags and the variance that the file carries.

        Values that are not finite are flagged NOT_FINITE; zero is a number like any other.

        Raises
        ------
        FrameError
            The pixels cannot be decoded, or the file's checksum says that they have changed.
        """
        self.source.check()
        raw = self.rows(0, self.shape[1])
        data = np.empty(self.shape, np.float32)
        # What no float32 can hold becomes infinite, and is flagged.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.scale == 1 and self.zero == 0:
                data[...] = raw
            elif self.scale == 1 and raw.dtype.kind in "iu" and raw.dtype.itemsize <= 2 and self.zero % 1 == 0:
                # Exact in float32, and three times faster.
                np.add(raw, np.float32(self.zero), out=data, dtype=np.float32)
            else:
                for channel in range(self.shape[0]):
                    scaled = np.multiply(raw[channel], np.float64(self.scale), dtype=np.float64)
                    scaled += self.zero
                    data[channel] = scaled
        flags, variance = self.source.planes()
        return Image(
            data,
            flags=flags,
            variance=variance,
            unit=self.unit,
            state=self.state,
            plate=self.plate,
            meta=self.meta,
            history=self.history,
        )


SMALL = 4 * 2**20
"""Bytes up to which rows are read rather than mapped: a mapping costs page faults, and its undoing flushes
address tables. Bands of 64 rows of 20 frames of 11.7 Mpx: read 0.07 s, mapped 0.12 s; whole frames: 10 and 7 ms."""


@dataclass(frozen=True)
class MappedSource:
    """Pixels that lie in a file as they are; the file is open only while rows are being asked for.

    A band of rows is read, a whole frame is a view of a read-only memory map (which holds the file open as long as the
    array lives). Either may not be written to.
    """

    path: Path
    offset: int
    dtype: str
    shape: tuple[int, int, int]
    """(channels, height, width), whatever the order in the file."""
    interleaved: bool = False
    """The file holds (height, width, channels)."""

    def rows(self, top: int, bottom: int) -> np.ndarray:
        try:
            return self._rows(top, max(top, bottom))
        except (OSError, ValueError) as error:
            raise FrameError(f"{self.path.name}: cannot be read any more: {error}; was it moved or cut?") from error

    def _rows(self, top: int, bottom: int) -> np.ndarray:
        channels, height, width = self.shape
        dtype = np.dtype(self.dtype)
        # Planes one after the other, or one plane of interleaved pixels.
        planes, wide = (1, width * channels) if self.interleaved else (channels, width)
        if planes * (bottom - top) * wide * dtype.itemsize > SMALL:
            pixels = np.memmap(self.path, dtype, "r", self.offset, (planes, height, wide))[:, top:bottom]
        else:
            pixels = np.empty((planes, bottom - top, wide), dtype)
            self._read(top, pixels)
            pixels.flags.writeable = False
        if self.interleaved:
            return pixels.reshape(bottom - top, width, channels).transpose(2, 0, 1)
        return pixels

    def pieces(self, top: int, bottom: int) -> list[Piece] | None:
        """Where rows of each channel lie; None if the file holds its channels interleaved."""
        channels, height, width = self.shape
        if self.interleaved:
            return None
        row = width * np.dtype(self.dtype).itemsize
        starts = (self.offset + (channel * height + top) * row for channel in range(channels))
        return [Piece(self.path, start, (bottom - top) * row) for start in starts]

    def _read(self, top: int, out: np.ndarray) -> None:
        wide = out.shape[-1]
        height = self.shape[1]
        with open(self.path, "rb", buffering=0) as file:
            for plane in range(len(out)):
                file.seek(self.offset + (plane * height + top) * wide * out.itemsize)
                _fill(file, out[plane])

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None


def _fill(file: RawIOBase, array: np.ndarray) -> None:
    if not array.size:
        return
    rest = memoryview(array.view(np.uint8).reshape(-1))
    while rest:
        count = file.readinto(rest)
        if not count:
            raise ValueError(f"{len(rest)} bytes of pixels are missing")
        rest = rest[count:]


def file_of(frame: Frame) -> Path:
    """The file on the disk that holds a frame."""
    path = frame.path
    return path if path.exists() else Path(str(path).partition("#")[0])
