"""AVI files: a series of frames of a planetary or guide camera (RIFF; OpenDML 1.02 for those beyond 2 GB)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import Card
from firstlight.io.frame import Frame
from firstlight.io.header import meta_from_header
from firstlight.model.image import PixelUnit, State

_BITMAP = struct.Struct("<IiiHH4s")
_GREY = {b"Y800": 1, b"Y8  ": 1, b"GREY": 1, b"Y16 ": 2, b"Y16\0": 2}
"""Bytes of a pixel; rows from the top."""
_BITMAPS = (b"\0\0\0\0", b"DIB ", b"RGB ", b"RAW ")
"""Windows' bitmaps: rows from the bottom, unless the height is negative."""
_JPEGS = (b"MJPG", b"JPEG", b"DMB1")
_ADVICE = "without compression: ffmpeg -i IN.avi -c:v rawvideo -pix_fmt bgr24 OUT.avi (gray for a mono camera)"


def open_avi(path: Path) -> list[Frame]:
    """Every exposure of an AVI file as one frame.

    Pixels without compression, of 8 or 16 bits grey or 24 or 32 bits colour, count as linear, as in SER; Motion
    JPEG is decoded and counts as stretched. A file whose capture was cut off gives the exposures that are whole, with
    a note. No exposure has a time: the format holds none.

    Raises
    ------
    FrameError
        The header makes no sense, the pixels are compressed in another way, or not one exposure is whole.
    """
    with open(path, "rb") as file:
        content = _Content(file, path.stat().st_size)
        pixels = content.format
    if pixels is None or len(pixels) < _BITMAP.size:
        raise FrameError(f"{path.name}: no video in it, or cut short within its header; copy it again")
    _, width, height, _, bits, codec = _BITMAP.unpack_from(pixels)
    bottom_up = codec in _BITMAPS and height > 0
    height = abs(height)
    depth = _GREY.get(codec, bits // 8 if codec in _BITMAPS and bits in (8, 16, 24, 32) else 0)
    if codec in _JPEGS:
        depth = 1
    if not depth:
        name = codec.decode("latin-1").strip("\0 ") or f"{bits} bits"
        raise FrameError(f"{path.name}: its pixels are coded as {name}, which is not read; write it {_ADVICE}")
    if not (0 < width < 100_000 and 0 < height < 100_000):
        raise FrameError(f"{path.name}: its header says {width} x {height} pixels; it is broken")
    is_jpeg = codec in _JPEGS
    channels = 3 if is_jpeg or depth >= 3 else 1
    shape = (channels, height, width)
    least = 1 if is_jpeg else width * height * depth
    whole = [(start, size) for start, size in content.frames if size >= least and start + size <= content.size]
    if not whole:
        raise FrameError(f"{path.name}: cut short: not one frame of its video is whole; copy it again")
    notes = []
    if len(whole) < len(content.frames):
        notes.append(f"{len(whole)} of {len(content.frames)} frames are whole")
    if is_jpeg:
        notes.append("Motion JPEG: taken as stretched (coded for the eye), not linear")
    cards: list[Card] = [("ROWORDER", "BOTTOM-UP", "AVI bitmap")] if bottom_up else []
    meta = meta_from_header(cards, path, shape)
    white = 1.0 if is_jpeg else 255.0 if depth != 2 else 65535.0
    meta = meta.replace(
        saturation=white, sources={**meta.sources, "saturation": "bit depth"}, notes=(*meta.notes, *notes)
    )
    return [
        Frame(
            path=path,
            shape=shape,
            dtype=np.dtype("<u2" if depth == 2 else "u1"),
            meta=meta,
            source=AviSource(path, start, size, shape, 0 if is_jpeg else depth),
            seekable=not is_jpeg,
            scale=1 / 255 if is_jpeg else 1.0,
            unit=PixelUnit.NORMALISED if is_jpeg else PixelUnit.ADU,
            state=State.STRETCHED if is_jpeg else State.LINEAR,
            number=number,
        )
        for number, (start, size) in enumerate(whole, 1)
    ]


class _Content:
    """What the chunks of a file hold: the format of its first video stream, and where its frames lie."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self.size = size
        self.format: bytes | None = None
        self.frames: list[tuple[int, int]] = []
        self._file, self._streams, self._video = file, -1, -1
        self._look(0, size)

    def _look(self, start: int, end: int) -> None:
        for name, at, length in self._chunks(start, end):
            if name in (b"RIFF", b"LIST"):
                # The kind of a list is its first word; what was never closed says 0 and goes on to the end.
                self._look(at + 4, min(at + length, end) if length else end)
                if not length:
                    return
            elif name == b"strh":
                self._streams += 1
                if self._video < 0 and self._read(at, 4) == b"vids":
                    self._video = self._streams
            elif name == b"strf" and self._streams == self._video >= 0 and self.format is None:
                self.format = self._read(at, min(length, 4096))
            elif name[2:] in (b"db", b"dc") and name[:2] == b"%02d" % max(self._video, 0) and length:
                self.frames.append((at, length))

    def _chunks(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        while start + 8 <= end:
            head = self._read(start, 8)
            if len(head) < 8:
                return
            name, length = head[:4], int.from_bytes(head[4:], "little")
            yield name, start + 8, length
            start += 8 + length + length % 2

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)


@dataclass(frozen=True)
class AviSource:
    """One frame of a video."""

    path: Path
    offset: int
    size: int
    shape: tuple[int, int, int]
    depth: int
    """Bytes of a pixel; 0: a JPEG."""

    def rows(self, top: int, bottom: int) -> np.ndarray:
        channels, height, width = self.shape
        if self.depth == 0:
            return self._decoded()[:, top:bottom]
        # Rows of bitmaps are filled up to a multiple of four bytes; the size of the frame tells.
        stride = self.size // height
        count = max(bottom - top, 0)
        raw = self._bytes(self.offset + top * stride, count * stride)
        lines = np.frombuffer(raw, np.uint8).reshape(count, stride)[:, : width * self.depth]
        if channels == 3:
            # Blue, green, red in the file; of four bytes the last means nothing.
            return lines.reshape(count, width, self.depth)[..., 2::-1].transpose(2, 0, 1)
        return np.ascontiguousarray(lines).view("<u2" if self.depth == 2 else "u1")[None]

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None

    def _bytes(self, start: int, count: int) -> bytes:
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                raw = file.read(count)
        except OSError as error:
            raise FrameError(f"{self.path.name}: cannot be read any more: {error}; was it moved or cut?") from error
        if len(raw) < count:
            raise FrameError(f"{self.path.name}: {count - len(raw)} bytes of pixels are missing; was it cut?")
        return raw

    def _decoded(self) -> np.ndarray:
        from PIL import Image as Pillow

        try:
            with Pillow.open(BytesIO(self._bytes(self.offset, self.size))) as picture:
                pixels = np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
            raise FrameError(f"{self.path.name}: a frame cannot be decoded: {error}; copy it again") from error
        if pixels.shape[:2] != self.shape[1:]:
            raise FrameError(
                f"{self.path.name}: a frame has {pixels.shape[1]} x {pixels.shape[0]} px, "
                f"the header says {self.shape[2]} x {self.shape[1]}; it is broken"
            )
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
