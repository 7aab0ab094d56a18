"""PNG: written quickly; with 16 bits a sample, read in full depth (Pillow cuts 16-bit colour to 8).

Portable Network Graphics specification, third edition (https://www.w3.org/TR/png-3/).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.atomic import atomic_path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LINES = 32
"""Lines filtered at once: they stay in the cache."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class PngHeader:
    width: int
    height: int
    bits: int
    color: int
    """0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha."""
    interlaced: bool
    text: str = ""
    """The Description, where the file has one."""

    @property
    def samples(self) -> int:
        return _SAMPLES[self.color]


def _chunks(path: Path, *, with_pixels: bool) -> Iterator[tuple[bytes, bytes]]:
    with open(path, "rb") as file:
        if file.read(8) != SIGNATURE:
            raise FrameError(f"{path.name}: does not begin as a PNG file; it is something else")
        while True:
            head = file.read(8)
            if len(head) < 8:
                raise FrameError(f"{path.name}: cut short: it ends without its IEND; copy it again")
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT" and not with_pixels:
                return
            body, check = file.read(length), file.read(4)
            if len(body) < length or len(check) < 4:
                raise FrameError(f"{path.name}: cut short within its pixels; copy it again")
            if struct.unpack(">I", check)[0] != zlib.crc32(kind + body):
                raise FrameError(f"{path.name}: damaged: a checksum of the file disagrees; copy it again")
            yield kind, body
            if kind == b"IEND":
                return


def read_png_header(path: Path) -> PngHeader:
    """Size, depth and colour of a PNG file; FrameError where they make no sense."""
    header, text = None, ""
    for kind, body in _chunks(path, with_pixels=False):
        if kind == b"IHDR" and len(body) == 13:
            width, height, bits, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if color not in _SAMPLES or not width or not height:
                break
            header = PngHeader(width, height, bits, color, bool(interlace))
        elif kind == b"tEXt" and body.startswith(b"Description\0"):
            text = body.partition(b"\0")[2].decode("latin-1")
    if header is None:
        raise FrameError(f"{path.name}: its header makes no sense; the file is broken")
    return PngHeader(header.width, header.height, header.bits, header.color, header.interlaced, text)


def read_png16(path: Path) -> np.ndarray:
    """Samples of a 16-bit PNG, uint16 (height, width, samples)."""
    from firstlight.kernels.codecs import unfilter_png

    header = read_png_header(path)
    if header.interlaced:
        raise FrameError(f"{path.name}: an interlaced 16-bit PNG, which is not read; save it without interlacing")
    packed = b"".join(body for kind, body in _chunks(path, with_pixels=True) if kind == b"IDAT")
    step = 2 * header.samples
    line = step * header.width
    try:
        content = zlib.decompress(packed)
    except zlib.error as error:
        raise FrameError(f"{path.name}: its pixels cannot be unpacked: {error}; copy it again") from error
    if len(content) < header.height * (line + 1):
        raise FrameError(f"{path.name}: cut short within its pixels; copy it again")
    lines = np.frombuffer(content, np.uint8, header.height * (line + 1)).reshape(header.height, line + 1)
    out = np.empty((header.height, line), np.uint8)
    wrong = unfilter_png(lines, step, out)
    if wrong:
        raise FrameError(
            f"{path.name}: damaged: a line is filtered by method {wrong}, which does not exist; copy it again"
        )
    return out.view(">u2").reshape(header.height, header.width, header.samples).astype(np.uint16)


STORY = b"firstlight"
"""Key of the text chunk that says how a picture was made."""


def read_png_story(path: Path) -> str:
    """What `write_png` was told of how the picture was made; empty where nothing."""
    for kind, body in _chunks(path, with_pixels=False):
        if kind == b"zTXt" and body.startswith(STORY + b"\0\0"):
            try:
                return zlib.decompress(body[len(STORY) + 2 :]).decode("latin-1")
            except zlib.error as error:
                raise FrameError(f"{path.name}: its provenance cannot be unpacked: {error}; copy it again") from error
    return ""


def write_png(path: Path, pixels: np.ndarray, text: str = "", story: str = "", icc: bytes = b"") -> None:
    """Write uint8 or uint16 (height, width, 1 or 3) as PNG; ``text`` becomes its Description.

    ``story`` (JSON) says how it was made; ``icc`` is a profile of its colours.

    Each byte as its difference from the mean of those to the left and above, then coded by how often it comes (and runs
    of it): noise holds no patterns to look for. Of a stack of 11.7 Mpx the file is 7 % smaller than with a search of
    patterns, and made in a seventh of the time.
    """
    height, width, samples = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    raw = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    packed = []
    for top in range(0, height, _LINES):
        packed.append(packer.compress(_filtered(raw, top, min(top + _LINES, height), samples * bits // 8).tobytes()))
    packed.append(packer.flush())
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2 if samples == 3 else 0, 0, 0, 0))]
    if icc:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if text:
        chunks.append((b"tEXt", b"Description\0" + text.encode("latin-1", "replace")))
    if story:
        chunks.append((b"zTXt", STORY + b"\0\0" + zlib.compress(story.encode("latin-1", "replace"))))
    chunks += [(b"IDAT", b"".join(packed)), (b"IEND", b"")]
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(SIGNATURE)
        for kind, body in chunks:
            file.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def _filtered(raw: np.ndarray, top: int, bottom: int, step: int) -> np.ndarray:
    """Lines top <= y < bottom with their filter (3, average) before them; ``step`` is the bytes of a pixel."""
    lines = np.empty((bottom - top, raw.shape[1] + 1), np.uint8)
    lines[:, 0] = 3
    left = np.zeros((bottom - top, raw.shape[1]), np.uint8)
    left[:, step:] = raw[top:bottom, :-step]
    above = np.zeros_like(left)
    above[max(1 - top, 0) :] = raw[max(top - 1, 0) : bottom - 1]
    # The mean without its ninth bit.
    np.subtract(raw[top:bottom], (left & above) + ((left ^ above) >> 1), out=lines[:, 1:])
    return lines
