"""XISF, PixInsight's format: an XML header and blocks of pixels.

Read here by the XISF 1.0 specification (pixinsight.com/doc/docs/XISF-1.0-spec): the first image of a file; attached,
inline or embedded blocks; zlib, LZ4 (where the lz4 package is installed) and byte shuffling; FITS keywords.
"""

from __future__ import annotations

import base64
import struct
import xml.etree.ElementTree as xml
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import Card, Header, parse_value
from firstlight.io.frame import Frame, MappedSource
from firstlight.io.header import meta_from_header, of_parts
from firstlight.io.open_fits import history_of, plate_of
from firstlight.model.image import PixelUnit

_TYPES = {"UInt8": "u1", "UInt16": "u2", "UInt32": "u4", "UInt64": "u8", "Float32": "f4", "Float64": "f8"}
_MAX_HEADER = 256 * 2**20


def open_xisf(path: Path) -> list[Frame]:
    """The first image of an XISF file as a list of one frame; FrameError where it cannot be used."""
    name = path.name
    root = _header(path)
    image = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Image"), None)
    if image is None:
        raise FrameError(f"{name}: holds no image; the XML header has no Image element")
    n_images = sum(e.tag.rpartition("}")[2] == "Image" for e in root.iter())
    sample = image.get("sampleFormat", "")
    if sample not in _TYPES:
        raise FrameError(f"{name}: its pixels are {sample or 'of no stated format'}; {', '.join(_TYPES)} are read")
    try:
        width, height, channels = (int(n) for n in image.get("geometry", "").split(":"))
    except ValueError:
        raise FrameError(f"{name}: geometry is '{image.get('geometry')}'; width:height:channels is read") from None
    if channels == 2 or channels > 4 or min(width, height, channels) < 1:
        raise FrameError(f"{name}: an image of {width} x {height} x {channels}; one or three colours are read")
    order = ">" if image.get("byteOrder", "little") == "big" else "<"
    dtype = np.dtype(order + _TYPES[sample])
    notes = [f"the file holds {n_images} images; only the first is used"] if n_images > 1 else []
    shape = (3 if channels == 4 else channels, height, width)
    interleaved = image.get("pixelStorage", "Planar").lower() == "normal" and channels > 1
    block = _block(path, image, dtype.itemsize * width * height * channels)
    source: MappedSource | XisfSource
    if block.is_plain and channels != 4:
        source = MappedSource(path, block.offset, dtype.str, shape, interleaved)
    else:
        source = XisfSource(path, block, dtype.str, (channels, height, width), interleaved)
    cards = _cards(image)
    meta = meta_from_header(cards, path, shape)
    sources = dict(meta.sources)
    cfa = next((e for e in image if e.tag.rpartition("}")[2] == "ColorFilterArray"), None)
    if cfa is not None and meta.cfa is None and shape[0] == 1 and len(cfa.get("pattern", "")) == 4:
        meta, sources["cfa"] = meta.replace(cfa=cfa.get("pattern")), "ColorFilterArray"
    saturation = meta.saturation
    if saturation is None:
        _, _, high = image.get("bounds", "").partition(":")
        if dtype.kind == "u" and dtype.itemsize <= 2:
            saturation, sources["saturation"] = float(2 ** (8 * dtype.itemsize) - 1), "bit depth"
        elif dtype.kind == "f" and isinstance(parse_value(high), (int, float)):
            saturation, sources["saturation"] = float(parse_value(high)), "bounds"
    meta = meta.replace(saturation=saturation, sources=sources, notes=(*meta.notes, *notes))
    in_parts = dtype.kind == "f" and image.get("bounds") == "0:1"
    return [
        Frame(
            path=path,
            shape=shape,
            dtype=dtype,
            meta=of_parts(meta) if in_parts else meta,
            source=source,
            seekable=isinstance(source, MappedSource),
            plate=plate_of(cards),
            unit=PixelUnit.NORMALISED if in_parts else PixelUnit.ADU,
            history=history_of(Header(cards)),
        )
    ]


def _header(path: Path) -> xml.Element:
    with open(path, "rb") as file:
        start = file.read(16)
        if len(start) < 16 or start[:8] != b"XISF0100":
            raise FrameError(f"{path.name}: does not begin as an XISF 1.0 file; it is broken or something else")
        (length,) = struct.unpack("<I", start[8:12])
        text = file.read(min(length, _MAX_HEADER))
    if len(text) < length:
        raise FrameError(f"{path.name}: cut short within its header; copy it again")
    try:
        if b"<!ENTITY" in text:
            raise FrameError(f"{path.name}: its XML header defines entities, which XISF does not know; not read")
        return xml.fromstring(text.rstrip(b"\0").decode("utf-8"))
    except (xml.ParseError, UnicodeDecodeError) as error:
        raise FrameError(f"{path.name}: its XML header cannot be read: {error}; the file is broken") from error


def _cards(image: xml.Element) -> tuple[Card, ...]:
    cards: list[Card] = []
    for element in image:
        if element.tag.rpartition("}")[2] != "FITSKeyword":
            continue
        keyword, text = element.get("name", "").strip().upper(), element.get("value", "").strip()
        comment = element.get("comment", "")
        if keyword in ("HISTORY", "COMMENT"):
            cards.append((keyword, comment or text.strip("'"), ""))
        elif text.startswith("'"):
            cards.append((keyword, text.strip("'").replace("''", "'").strip(), comment))
        else:
            cards.append((keyword, parse_value(text), comment))
    return tuple(cards)


@dataclass(frozen=True)
class Block:
    """Where the bytes of an image are and how they are packed."""

    offset: int
    size: int
    """Bytes as stored."""
    inline: str
    codec: str
    unpacked: int
    item: int
    """Item size of the byte shuffling; 0 without."""

    @property
    def is_plain(self) -> bool:
        return not self.codec and not self.inline


def _block(path: Path, image: xml.Element, needed: int) -> Block:
    name = path.name
    kind, _, rest = image.get("location", "").partition(":")
    codec, unpacked, item = "", needed, 0
    if image.get("compression"):
        parts = image.get("compression", "").split(":")
        codec = parts[0].lower()
        unpacked = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else needed
        if codec.endswith("+sh"):
            codec, item = codec[:-3], int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else 1
        if codec not in ("zlib", "lz4", "lz4hc"):
            raise FrameError(
                f"{name}: compressed by '{codec}'; zlib and lz4 are read; save it anew without compression"
            )
        if image.get("subblocks"):
            raise FrameError(
                f"{name}: its pixels lie in sub-blocks, which are not read; save it anew without compression"
            )
    if unpacked != needed:
        raise FrameError(
            f"{name}: its pixels take {unpacked} bytes by one entry and {needed} by another; the file is broken"
        )
    if kind == "attachment":
        try:
            offset, size = (int(n) for n in rest.split(":"))
        except ValueError:
            raise FrameError(f"{name}: the place of its pixels is '{rest}'; the file is broken") from None
        there = path.stat().st_size
        if there < offset + size:
            raise FrameError(f"{name}: cut short: {offset + size - there} bytes of pixels are missing; copy it again")
        if not codec and size < needed:
            raise FrameError(f"{name}: {size} bytes of pixels for an image that takes {needed}; the file is broken")
        return Block(offset, size, "", codec, needed, item)
    if kind in ("inline", "embedded"):
        coding, text = rest, image.text or ""
        if kind == "embedded":
            data = next((e for e in image if e.tag.rpartition("}")[2] == "Data"), None)
            coding, text = ("", "") if data is None else (data.get("encoding", "base64"), data.text or "")
        try:
            content = bytes.fromhex(text) if coding == "hex" else base64.b64decode(text)
        except ValueError as error:
            raise FrameError(
                f"{name}: its pixels inside the header cannot be read: {error}; the file is broken"
            ) from error
        return Block(0, len(content), content.hex(), codec, needed, item)
    raise FrameError(
        f"{name}: its pixels are in another file ({kind or 'no location'}), which is not read; save it as one file"
    )


@dataclass(frozen=True)
class XisfSource:
    """Pixels that must be unpacked whole."""

    path: Path
    block: Block
    dtype: str
    shape: tuple[int, int, int]
    interleaved: bool

    def rows(self, top: int, bottom: int) -> np.ndarray:
        block = self.block
        if block.inline:
            content = bytes.fromhex(block.inline)
        else:
            with open(self.path, "rb") as file:
                file.seek(block.offset)
                content = file.read(block.size)
        content = _unpack(self.path.name, content, block)
        channels, height, width = self.shape
        if block.item > 1:
            whole = len(content) // block.item * block.item
            shuffled = np.frombuffer(content, np.uint8, whole).reshape(block.item, -1)
            content = shuffled.T.tobytes() + content[whole:]
        pixels = np.frombuffer(content, self.dtype, channels * height * width)
        shaped = (
            pixels.reshape(height, width, channels).transpose(2, 0, 1)
            if self.interleaved
            else pixels.reshape(self.shape)
        )
        return shaped[: 3 if channels == 4 else channels, top:bottom]

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None


def _unpack(name: str, content: bytes, block: Block) -> bytes:
    try:
        if block.codec == "zlib":
            content = zlib.decompress(content)
        elif block.codec:
            content = _lz4(name).decompress(content, uncompressed_size=block.unpacked)
    except (zlib.error, RuntimeError, ValueError) as error:
        raise FrameError(f"{name}: its compressed pixels cannot be unpacked: {error}; copy it again") from error
    if len(content) < block.unpacked:
        raise FrameError(f"{name}: {len(content)} bytes of pixels, {block.unpacked} are needed; the file is broken")
    return content


def _lz4(name: str):  # type: ignore[no-untyped-def]
    try:
        import lz4.block
    except ImportError as error:
        raise FrameError(
            f"{name}: compressed by LZ4, for which the package lz4 is needed; install it (pip install lz4), or save "
            "the file with zlib or without compression"
        ) from error
    return lz4.block
