"""TIFF: pages and tags by tifffile, strips and tiles decoded here where tifffile would need a further package."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.exif import cards_of_tiff
from firstlight.io.frame import Frame, MappedSource
from firstlight.io.raster import picture_frame

_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 1, 5, 8, 32946, 32773
_READ = {_PLAIN: "none", _LZW: "LZW", _DEFLATE: "deflate", _OLD_DEFLATE: "deflate", _PACKBITS: "PackBits"}


def open_tiff(path: Path) -> list[Frame]:
    """Every full-size page of a TIFF file as one frame; FrameError where it cannot be used."""
    import tifffile

    # What tifffile has to say of odd tags is said here by notes and errors.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    name = path.name
    size = path.stat().st_size
    try:
        with tifffile.TiffFile(path) as file:
            pages = [page for page in file.pages if _is_picture(page)]
            if not pages:
                raise FrameError(f"{name}: holds no image; the file is broken")
            first = pages[0]
            alike = [p for p in pages if p.shape == first.shape and p.dtype == first.dtype]
            notes = [f"{len(pages) - len(alike)} pages of other sizes are not used"] if len(alike) < len(pages) else []
            cards = cards_of_tiff(first)
            frames = []
            for index, page in enumerate(alike):
                _check(name, page, size)
                channels, height, width, interleaved = _layout(name, page)
                source: Any = TiffSource(path, int(page.index), (channels, height, width), interleaved)
                if page.is_contiguous and page.compression == _PLAIN and channels in (1, 3) and page.fillorder == 1:
                    dtype = page.parent.byteorder + page.dtype.str[1:]
                    source = MappedSource(path, page.dataoffsets[0], dtype, (channels, height, width), interleaved)
                number = index + 1 if len(alike) > 1 else None
                frames.append(picture_frame(path, (channels, height, width), page.dtype, source, cards, notes, number))
            return frames
    except FrameError:
        raise
    except Exception as error:
        # Damaged tags make tifffile fail in a dozen ways.
        raise FrameError(f"{name}: cannot be read as TIFF: {error}; the file is broken or cut short") from error


def _is_picture(page: Any) -> bool:
    return (
        page.dtype is not None
        and len(page.shape) >= 2
        and not page.is_reduced
        and page.imagewidth * page.imagelength > 0
    )


def _check(name: str, page: Any, size: int) -> None:
    if page.compression not in _READ:
        known = ", ".join(dict.fromkeys(_READ.values()))
        raise FrameError(
            f"{name}: compressed by {page.compression.name}; {known} are read; save it anew with one of them"
        )
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts)]
    if not ends or max(ends) > size:
        lost = max(ends, default=0) - size
        raise FrameError(f"{name}: cut short: {lost} bytes of pixels are missing; copy it again")
    if page.dtype.kind not in "uif" or page.dtype.itemsize > 8 or page.bitspersample not in (8, 16, 32, 64):
        raise FrameError(f"{name}: its pixels are {page.bitspersample} bit {page.dtype}; 8, 16, 32 and 64 bit are read")


def _layout(name: str, page: Any) -> tuple[int, int, int, bool]:
    samples = page.samplesperpixel
    channels = {1: 1, 2: 1, 3: 3, 4: 3}.get(samples)
    if channels is None:
        raise FrameError(f"{name}: {samples} samples a pixel; one (mono) or three (colour) are read")
    if page.photometric.name == "PALETTE":
        raise FrameError(f"{name}: a picture of palette colours; save it as grey or as full colour")
    return channels, page.imagelength, page.imagewidth, page.planarconfig == 1 and samples > 1


@dataclass(frozen=True)
class TiffSource:
    """Pixels of one page in strips or tiles that must be decoded."""

    path: Path
    page: int
    shape: tuple[int, int, int]
    interleaved: bool

    def rows(self, top: int, bottom: int) -> np.ndarray:
        import tifffile

        try:
            with tifffile.TiffFile(self.path) as file:
                pixels = _decode(file.pages[self.page], file.filehandle, self.path.name)
        except FrameError:
            raise
        except Exception as error:
            raise FrameError(f"{self.path.name}: its pixels cannot be decoded: {error}; copy it again") from error
        return pixels[: self.shape[0], top:bottom]

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None


def _decode(page: Any, handle: Any, name: str) -> np.ndarray:
    """All samples of a page, (samples, height, width)."""
    height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    planes = 1 if page.planarconfig == 1 else samples
    inside = samples // planes
    tall, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    across, down = -(-width // wide), -(-height // tall)
    out = np.empty((planes, height, width, inside), dtype)
    for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts)):
        plane, rest = divmod(number, across * down)
        y, x = tall * (rest // across), wide * (rest % across)
        if plane >= planes:
            break
        lines = tall if page.is_tiled else min(tall, height - y)
        handle.seek(offset)
        size = lines * wide * inside * dtype.itemsize
        content = _unpack(handle.read(count), page.compression, size, name)
        block = _undo_predictor(np.frombuffer(content, np.uint8, size), page.predictor, (lines, wide, inside), dtype)
        out[plane, y : y + lines, x : x + wide] = block[: height - y, : width - x]
    return out.transpose(0, 3, 1, 2).reshape(samples, height, width)


def _unpack(content: bytes, how: int, size: int, name: str) -> bytes | np.ndarray:
    if how == _PLAIN:
        found: bytes | np.ndarray = content
    elif how in (_DEFLATE, _OLD_DEFLATE):
        found = zlib.decompress(content)
    elif how == _LZW:
        from firstlight.kernels.codecs import decode_lzw

        found = np.zeros(size, np.uint8)
        if decode_lzw(np.frombuffer(content, np.uint8), found) != size:
            raise FrameError(f"{name}: damaged: its LZW-compressed pixels make no sense; copy it again")
    else:
        found = _unpack_bits(content)
    if len(found) < size:
        raise FrameError(f"{name}: {len(found)} bytes in a strip that needs {size}; the file is broken")
    return found


def _unpack_bits(content: bytes) -> bytes:
    """PackBits (TIFF 6.0, section 9): runs of literal and of repeated bytes."""
    out, place = bytearray(), 0
    while place < len(content):
        head = content[place]
        if head < 128:
            out += content[place + 1 : place + 2 + head]
            place += 2 + head
        else:
            if head > 128:
                out += content[place + 1 : place + 2] * (257 - head)
            place += 1 if head == 128 else 2
    return bytes(out)


def _undo_predictor(content: np.ndarray, predictor: int, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    lines, wide, inside = shape
    if predictor == 3:
        # Floats: the bytes of a row stand apart by significance, most significant first, and as differences (Adobe
        # Photoshop TIFF technical note 3).
        rows = content.reshape(lines, wide * dtype.itemsize, inside) if inside > 1 else content.reshape(lines, -1, 1)
        summed = np.cumsum(rows, axis=1, dtype=np.uint8).reshape(lines, dtype.itemsize, wide * inside)
        return np.ascontiguousarray(summed.transpose(0, 2, 1)).view(dtype.newbyteorder(">")).reshape(shape)
    block = content.view(dtype).reshape(shape)
    if predictor == 2:
        native = block.astype(dtype.newbyteorder("="))
        return np.cumsum(native, axis=1, dtype=native.dtype)
    return block
