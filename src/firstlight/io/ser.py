"""SER files: a series of frames of a planetary or guide camera (SER format description, version 3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import Card
from firstlight.io.frame import Frame, MappedSource
from firstlight.io.header import meta_from_header
from firstlight.io.times import YEARS

_HEADER = struct.Struct("<14s7i40s40s40s2q")
_COLOURS = {8: "RGGB", 9: "GRBG", 10: "GBRG", 11: "BGGR"}
_RGB, _BGR = 100, 101


def open_ser(path: Path) -> list[Frame]:
    """Every exposure of a SER file as one frame.

    Pixels deeper than 8 bits are little-endian, whatever the header's flag says: the programs that write 0 there write
    little-endian too. A file whose capture was cut off gives the exposures that are whole, with a note.

    Raises
    ------
    FrameError
        The header makes no sense, or not one exposure is whole.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(_HEADER.size)
    if len(start) < _HEADER.size:
        raise FrameError(f"{path.name}: cut short within its header ({size} bytes); copy it again")
    _, _, color, _, width, height, depth, count, observer, camera, telescope, _, _ = _HEADER.unpack(start)
    if not (0 < width < 100_000 and 0 < height < 100_000 and 1 <= depth <= 16 and count >= 0):
        raise FrameError(
            f"{path.name}: its header says {width} x {height} pixels of {depth} bits, {count} frames; it is broken"
        )
    if color not in (0, _RGB, _BGR, *_COLOURS):
        raise FrameError(
            f"{path.name}: ColorID is {color}; mono (0), RGGB..BGGR (8-11), RGB and BGR (100, 101) are read"
        )
    channels = 3 if color >= _RGB else 1
    dtype = np.dtype("<u2" if depth > 8 else "u1")
    frame_size = width * height * channels * dtype.itemsize
    whole = min(count, (size - _HEADER.size) // frame_size) if count else (size - _HEADER.size) // frame_size
    if whole == 0:
        raise FrameError(f"{path.name}: cut short: not one of its {count} frames is whole; copy it again")
    notes = [f"the file is cut short: {whole} of {count} frames are whole"] if whole < count else []
    cards: list[Card] = []
    for keyword, value in (("OBSERVER", observer), ("INSTRUME", camera), ("TELESCOP", telescope)):
        text = value.split(b"\0")[0].decode("latin-1").strip()
        if text:
            cards.append((keyword, text, "SER header"))
    if color in _COLOURS:
        cards.append(("BAYERPAT", _COLOURS[color], "SER ColorID"))
    shape = (channels, height, width)
    meta = meta_from_header(cards, path, shape)
    times = _times(path, _HEADER.size + count * frame_size, whole)
    white = float(2**depth - 1)
    frames = []
    for number in range(whole):
        kind = ReversedSource if color == _BGR else MappedSource
        source = kind(path, _HEADER.size + number * frame_size, dtype.str, shape, interleaved=channels == 3)
        sources = {**meta.sources, "saturation": "bit depth"}
        start_time = times[number] if times else None
        if start_time is not None:
            sources["start"] = "SER trailer"
        frames.append(
            Frame(
                path=path,
                shape=shape,
                dtype=dtype,
                meta=meta.replace(saturation=white, start=start_time, sources=sources, notes=(*meta.notes, *notes)),
                source=source,
                seekable=True,
                number=number + 1,
            )
        )
    return frames


@dataclass(frozen=True)
class ReversedSource(MappedSource):
    """Blue, green, red in the file; red, green, blue to us."""

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return super().rows(top, bottom)[::-1]


def _times(path: Path, offset: int, count: int) -> list[datetime] | None:
    """UTC of each exposure from the trailer (100 ns since the year 1), or None."""
    with open(path, "rb") as file:
        file.seek(offset)
        trailer = file.read(8 * count)
    if len(trailer) < 8 * count:
        return None
    ticks = np.frombuffer(trailer, "<i8")
    zero = datetime(1, 1, 1, tzinfo=UTC)
    first, last = (
        (datetime(year, 1, 1, tzinfo=UTC) - zero) // timedelta(microseconds=1) * 10 for year in (YEARS[0], YEARS[-1])
    )
    if (ticks < first).any() or (ticks > last).any():
        return None
    return [zero + timedelta(microseconds=int(tick) // 10) for tick in ticks]
