"""FITS files: where the image is, and whether all of it is there.

Headers are scanned here rather than by astropy: a header costs 0.3 ms instead of 3, whatever real programs wrote is
forgiven, and a file is known to be cut short before its pixels are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from firstlight.errors import FrameError
from firstlight.io.cards import BLOCK, CARD, Card, Header, parse_cards
from firstlight.io.packed import is_packed, unpack

DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_MAX_HEADER = 4000 * BLOCK
_EXTRA_NAMES = {
    "DQ",
    "MASK",
    "FLAGS",
    "BPM",
    "VAR",
    "VARIANCE",
    "ERR",
    "UNCERT",
    "UNCERTAINTY",
    "COVERAGE",
    "WEIGHT",
    "REJECTION",
    "REJECTED_LOW",
    "REJECTED_HIGH",
    "SCATTER",
}
COLOURS = {"R": 0, "RED": 0, "G": 1, "GREEN": 1, "B": 2, "BLUE": 2}
"""Names of the images that are red, green and blue of one."""


@dataclass(frozen=True)
class Unit:
    """One header and where its data lie."""

    header: Header
    header_start: int
    data_start: int
    data_size: int

    @property
    def name(self) -> str:
        return str(self.header.get("EXTNAME", "")).strip().upper()

    @property
    def axes(self) -> tuple[int, ...]:
        """NAXIS1, NAXIS2 ... of the image, of a compressed one too."""
        prefix = "Z" if self.compressed else ""
        count = self.header.integer(prefix + "NAXIS", 0) or 0
        return tuple(self.header.integer(f"{prefix}NAXIS{n}", 0) or 0 for n in range(1, min(count, 9) + 1))

    @property
    def compressed(self) -> bool:
        return self.header.get("ZIMAGE") is True

    @property
    def bitpix(self) -> int:
        return self.header.integer("ZBITPIX" if self.compressed else "BITPIX", 0) or 0

    @property
    def is_image(self) -> bool:
        kind = str(self.header.get("XTENSION", "IMAGE")).strip().upper()
        if not self.compressed and kind not in ("IMAGE", "IUEIMAGE"):
            return False
        axes = self.axes
        return len(axes) >= 2 and all(axes) and sum(axis > 1 for axis in axes) >= 1 and "GROUPS" not in self.header


class FitsBytes:
    """A file, or a decompressed file in memory, read at offsets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = unpack(path) if is_packed(path) else None
        self.size = len(self.content) if self.content is not None else path.stat().st_size

    def read(self, offset: int, count: int) -> bytes:
        if self.content is not None:
            return self.content[offset : offset + count]
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(count)


def read_header(source: FitsBytes, offset: int) -> tuple[tuple[Card, ...], int]:
    """Cards of the header at an offset, and where its data start. FrameError where END is missing."""
    chunk, header = 4 * BLOCK, b""
    while True:
        more = source.read(offset + len(header), chunk)
        checked = max(0, len(header) - CARD) // CARD * CARD
        header += more
        end = _find_end(header, checked)
        if end >= 0:
            blocks = -(-(end + CARD) // BLOCK)
            return parse_cards(header[: end + CARD]), offset + blocks * BLOCK
        if len(more) < chunk or len(header) > _MAX_HEADER:
            raise FrameError(
                f"{source.path.name}: the header has no END card within {len(header)} bytes: the file is cut short or "
                "not a FITS file; copy it again from the camera's computer"
            )
        chunk *= 4


def _find_end(header: bytes, start: int) -> int:
    while True:
        found = header.find(b"END", start)
        if found < 0 or found + CARD > len(header) + CARD:
            return -1
        # A card of its own: at a multiple of 80 and followed by blanks (or zero bytes, which some programs write).
        if found % CARD == 0 and not header[found + 3 : found + 8].strip(b" \0"):
            return found
        start = found + 1


def data_size(header: Header) -> int:
    """Bytes of data that follow a header, without padding."""
    count = header.integer("NAXIS", 0) or 0
    if count <= 0:
        return 0
    axes = [header.integer(f"NAXIS{n}", 0) or 0 for n in range(1, min(count, 999) + 1)]
    if header.get("GROUPS") is True and axes and axes[0] == 0:
        axes = axes[1:]
    bitpix = abs(header.integer("BITPIX", 0) or 0)
    groups = header.integer("GCOUNT", 1)
    return bitpix // 8 * (groups if groups is not None else 1) * ((header.integer("PCOUNT", 0) or 0) + math.prod(axes))


def scan(source: FitsBytes) -> list[Unit]:
    """All units of a file; stops in silence at trailing bytes that are no header."""
    units: list[Unit] = []
    offset = 0
    while offset + CARD <= source.size:
        if units and source.read(offset, 8) != b"XTENSION":
            break
        if not units and not _is_fits(source.read(0, BLOCK)):
            raise FrameError(f"{source.path.name}: does not begin with a FITS header (no SIMPLE card); not a FITS file")
        try:
            cards, start = read_header(source, offset)
        except FrameError:
            if not units:
                raise
            break
        header = Header(cards)
        size = data_size(header)
        if size < 0:
            raise FrameError(f"{source.path.name}: its header gives a negative size of the data; the file is broken")
        units.append(Unit(header, offset, start, size))
        offset = start + -(-size // BLOCK) * BLOCK
    if not units:
        what = f"is cut short: only {source.size} bytes, no header" if source.size else "is empty"
        raise FrameError(f"{source.path.name}: the file {what}; copy it again from the camera's computer")
    return units


def _is_fits(start: bytes) -> bool:
    # Some programs write SIMPLE, or XTENSION, after other cards.
    return any(start[i : i + 9] in (b"SIMPLE  =", b"XTENSION=") for i in range(0, len(start), CARD))


@dataclass(frozen=True)
class Found:
    """The image of a FITS file and what lies beside it."""

    unit: Unit
    index: int
    cards: tuple[Card, ...]
    """The image's own cards, then those of the primary header that it does not repeat."""
    flags_index: int | None
    variance_index: int | None
    notes: tuple[str, ...]
    colours: tuple[int, ...] = ()
    """Red, green and blue, where these are three images of the file; the unit is red then."""


def find_image(source: FitsBytes) -> Found:
    """The first image with data, with the primary keywords inherited; FrameError where there is none or it is cut."""
    name = source.path.name
    units = scan(source)
    images = [i for i, unit in enumerate(units) if unit.is_image]
    if not images:
        raise FrameError(f"{name}: holds no image: {_what_it_holds(units)}; a 2-D image or a colour cube is needed")
    colours = _colours(units, images)
    index = next((i for i in images if units[i].name not in _EXTRA_NAMES), images[0])
    index = colours[0] if colours else index
    unit = units[index]
    if unit.bitpix not in DTYPES:
        raise FrameError(
            f"{name}: BITPIX is {unit.bitpix}; 8, 16, 32, 64, -32 and -64 are allowed; the header is broken"
        )
    notes = []
    for each in [units[i] for i in colours] or [unit]:
        lost = min(each.data_start + each.data_size - source.size, each.data_size)
        if lost > 0:
            raise FrameError(
                f"{name}: cut short: {lost} of {each.data_size} bytes of pixels are missing "
                f"({100 * lost / max(each.data_size, 1):.0f} %); copy it again from the camera's computer"
            )
    if source.size < unit.data_start + -(-unit.data_size // BLOCK) * BLOCK:
        notes.append("the padding after the pixels is cut short; all pixels are there")
    sizes = {units[i].axes for i in images if units[i].name not in _EXTRA_NAMES}
    others = [i for i in images if i != index and units[i].name not in _EXTRA_NAMES]
    if colours:
        notes.append("three images of the file, named red, green and blue, are taken as one in colour")
    elif others:
        what = "of other sizes" if len(sizes) > 1 else "of the same size"
        notes.append(f"the file holds {len(others) + 1} images, some {what}; only the first (HDU {index}) is used")
    own = {card[0] for card in unit.header.cards}
    inherited = tuple(c for c in units[0].header.cards if index and c[0] not in own) if index else ()
    beside = {units[i].name: i for i in images if i != index and _squeezed(units[i].axes) == _squeezed(unit.axes)}
    flags = next((beside[n] for n in ("DQ", "FLAGS", "MASK", "BPM") if n in beside), None)
    noise = [n for n in ("VAR", "VARIANCE", "ERR", "UNCERT", "UNCERTAINTY") if n in beside]
    # The third kind of uncertainty that astropy writes, the inverse variance, is left alone.
    noise = [n for n in noise if units[beside[n]].header.get("UTYPE") != "InverseVariance"]
    variance = beside[noise[0]] if noise else None
    if colours:
        # What lies beside three images is not said to be of which.
        flags = variance = None
    return Found(unit, index, unit.header.cards + inherited, flags, variance, tuple(notes), colours)


def _colours(units: list[Unit], images: list[int]) -> tuple[int, ...]:
    """Three images that are all of the file, alike, and named red, green and blue (EXTNAME, else FILTER), in this
    order; or none."""
    found: dict[int, int] = {}
    mains = [i for i in images if units[i].name not in _EXTRA_NAMES]
    for i in mains:
        words = (units[i].name, str(units[i].header.get("FILTER", "")).strip().upper())
        place = next((COLOURS[word] for word in words if word in COLOURS), None)
        if place is not None and len(_squeezed(units[i].axes)) == 2:
            found[place] = i
    if len(mains) != 3 or len(found) != 3:
        return ()
    stored = [
        (_squeezed(u.axes), u.bitpix, u.compressed, *(u.header.get(k) for k in ("BSCALE", "BZERO", "BLANK", "BUNIT")))
        for u in (units[i] for i in found.values())
    ]
    return tuple(found[place] for place in range(3)) if all(each == stored[0] for each in stored) else ()


def _squeezed(axes: tuple[int, ...]) -> tuple[int, ...]:
    while len(axes) > 2 and axes[-1] == 1:
        axes = axes[:-1]
    return axes


def _what_it_holds(units: list[Unit]) -> str:
    words = []
    for unit in units:
        if unit.header.get("GROUPS") is True:
            words.append("random groups")
        elif unit.axes and all(axis == 1 for axis in unit.axes):
            words.append("a single pixel")
        elif len(unit.axes) == 1 and unit.axes[0]:
            words.append("a 1-D array")
        elif str(unit.header.get("XTENSION", "")).strip().upper() in ("BINTABLE", "TABLE", "A3DTABLE"):
            words.append("a table")
    return "only " + ", ".join(dict.fromkeys(words)) if words else "no data at all, only a header"


def layout(name: str, axes: tuple[int, ...]) -> tuple[tuple[int, int, int], bool]:
    """((channels, height, width), interleaved) of FITS axes; FrameError for shapes that are no picture."""
    axes = _squeezed(axes)
    if len(axes) == 2:
        return (1, axes[1], axes[0]), False
    if len(axes) == 3 and axes[2] in (3, 4):
        return (axes[2], axes[1], axes[0]), False
    if len(axes) == 3 and axes[0] == 3 and axes[2] > 4:
        return (3, axes[2], axes[1]), True
    given = " x ".join(map(str, axes))
    raise FrameError(f"{name}: an image of {given}; width x height, or width x height x 3 colours, is allowed")


def open_bytes(path: Path) -> FitsBytes:
    """The file's bytes, decompressed in memory where the whole file is packed."""
    try:
        return FitsBytes(path)
    except OSError as error:
        raise FrameError(
            f"{path.name}: cannot be read: {error.strerror or error}; look at the file's permissions"
        ) from error
