"""A FITS file as a frame: scaling, pedestal, what is known of it, its plate and its history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from firstlight.io import convert
from firstlight.io.cards import Card, Header
from firstlight.io.fits import ColourSource, FitsSource
from firstlight.io.fits_scan import DTYPES, Unit, find_image, layout, open_bytes, scan
from firstlight.io.frame import Frame
from firstlight.io.header import meta_from_header, of_parts
from firstlight.model.image import PixelUnit, State
from firstlight.model.plate import Plate

HISTORY_MARK = "firstlight: "
"""Begins the HISTORY card of each step applied by firstlight; `HISTORY_MORE` continues a long one."""
HISTORY_MORE = "firstlight+ "

WCS = re.compile(
    r"(WCSAXES|WCSNAME|C(TYPE|RVAL|RPIX|UNIT|DELT|ROTA|RDER|SYER)\d|CD\d_\d|PC\d_\d|PV\d_\d+|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX"
    r"|EPOCH|[AB]P?_(ORDER|DMAX|\d+_\d+))$"
)


def open_fits(path: Path) -> list[Frame]:
    """The image of a FITS file as a list of one frame; FrameError where it cannot be used."""
    content = open_bytes(path)
    found = find_image(content)
    unit, header = found.unit, Header(found.cards)
    shape, interleaved = layout(path.name, unit.axes)
    notes = list(found.notes)
    if shape[0] == 4 and "CFAPLANE" not in header:
        shape = (3, *shape[1:])
        notes.append("the fourth plane is taken as transparency and not used")
    bitpix = unit.bitpix
    dtype = np.dtype(DTYPES[bitpix])
    if unit.compressed:
        dtype = dtype.newbyteorder("=")
    scale = convert.number(header.get("BSCALE"))
    scale = 1.0 if scale is None or scale == 0 else scale
    zero = convert.number(header.get("BZERO")) or 0.0
    blank = header.integer("BLANK" if not unit.compressed else "ZBLANK") if bitpix > 0 else None
    if unit.compressed and bitpix < 0:
        # Compressed floats are decoded as floats: their own scaling is inside the tiles.
        scale, zero = 1.0, 0.0
    # The convention for unsigned integers of 64 bits; BLANK speaks of what is stored.
    unsigned = (bitpix, scale, zero, blank) == (64, 1.0, 2.0**63, None)
    if unsigned:
        zero, dtype = 0.0, np.dtype(np.uint64)
    packed = content.content is not None
    source: FitsSource | ColourSource = FitsSource(
        path,
        found.index,
        shape,
        DTYPES[bitpix] if not unit.compressed else dtype.str,
        unit.data_start,
        unit.data_size,
        unit.compressed,
        packed,
        interleaved,
        blank,
        unit.header_start,
        found.flags_index,
        found.variance_index,
        unsigned,
    )
    cards = found.cards
    if found.colours:
        units = scan(content)
        source = ColourSource(tuple(_source_of(source, units[i], i) for i in found.colours))
        shape, cards = (3, *shape[1:]), _of_all_colours(cards, [units[i] for i in found.colours])
    meta = meta_from_header(cards, path, shape)
    notes += meta.notes
    sources = dict(meta.sources)
    saturation = meta.saturation
    white = _full_scale(bitpix, zero, scale)
    if saturation is None and white is not None:
        saturation, sources["saturation"] = white, "bit depth"
    pedestal = _pedestal(header)
    if pedestal:
        notes.append(f"PEDESTAL {header.get('PEDESTAL')}: {pedestal:+g} adu is added to every pixel on reading")
        zero += pedestal
        saturation = None if saturation is None else saturation + pedestal
    unit_word, state = unit_of(header)
    if bitpix < 0 and "BUNIT" not in header and any(name in _makers(header) for name in OF_ONE):
        unit_word = PixelUnit.NORMALISED
        meta, saturation = of_parts(meta), 1.0
        sources = dict(meta.sources)
    return [
        Frame(
            path=path,
            shape=shape,
            dtype=np.dtype(np.float32) if blank is not None else dtype,
            meta=meta.replace(saturation=saturation, notes=tuple(notes), sources=sources),
            source=source,
            zero=zero,
            scale=scale,
            seekable=not (unit.compressed or packed),
            plate=plate_of(found.cards),
            unit=unit_word,
            state=state,
            history=history_of(header),
        )
    ]


def _source_of(red: FitsSource, unit: Unit, index: int) -> FitsSource:
    return replace(red, index=index, offset=unit.data_start, size=unit.data_size, header_start=unit.header_start)


def _of_all_colours(cards: Sequence[Card], units: Sequence[Unit]) -> tuple[Card, ...]:
    """The cards of red without what is its own: its name, and its filter, which becomes that of all."""
    filters = [str(unit.header.get("FILTER", "")).strip() for unit in units]
    joined: tuple[Card, ...] = (("FILTER", "+".join(filters), ""),) if all(filters) else ()
    return (*(card for card in cards if card[0] not in ("FILTER", "EXTNAME")), *joined)


def _full_scale(bitpix: int, zero: float, scale: float) -> float | None:
    if bitpix == 8:
        return 255 * scale + zero
    if bitpix == 16:
        return 32767 * scale + zero
    return None


OF_ONE = ("siril", "pixinsight")
"""Programs whose floating-point numbers are 1 at white, which their headers do not say."""


def _makers(header: Header) -> str:
    return " ".join(str(header.get(key, "")) for key in ("CREATOR", "SWCREATE", "PROGRAM")).lower()


def _pedestal(header: Header) -> float:
    """What is to be added to the pixels: the value, by SBFITSEXT 1.0; PixInsight writes what it has added itself."""
    value = convert.number(header.get("PEDESTAL")) or 0.0
    by_pixinsight = "pixinsight" in _makers(header) or any(
        "pixinsight" in line.lower() for line in header.commentary("HISTORY")
    )
    return -value if by_pixinsight and value > 0 else value


def unit_of(header: Header) -> tuple[PixelUnit, State]:
    """Unit and state that a header names; adu and linear where it names none."""
    word = str(header.get("BUNIT", "")).strip().lower()
    unit = PixelUnit.ADU
    if word in ("electron", "electrons", "e-", "e"):
        unit = PixelUnit.ELECTRON
    elif str(header.get("PIXUNIT", "")).strip().lower() == "normalised":
        unit = PixelUnit.NORMALISED
    stretched = str(header.get("STATE", "")).strip().lower() == "stretched"
    return unit, State.STRETCHED if stretched else State.LINEAR


def plate_of(cards: Sequence[Card]) -> Plate | None:
    """The plate in a header, or None where there is no full celestial one."""
    wcs = {card[0]: card[1] for card in reversed(cards) if WCS.match(card[0]) and card[1] is not None}
    types = (str(wcs.get("CTYPE1", "")), str(wcs.get("CTYPE2", "")))
    if not any(t.startswith(("RA-", "GLON")) for t in types) or not any(t.startswith(("DEC", "GLAT")) for t in types):
        return None
    if "CRVAL1" not in wcs or "CRPIX1" not in wcs or not any(k.startswith(("CD", "PC")) for k in wcs):
        return None
    return Plate({card[0]: wcs[card[0]] for card in cards if card[0] in wcs})


def history_of(header: Header) -> tuple[str, ...]:
    """Steps that firstlight applied, from its HISTORY cards."""
    steps: list[str] = []
    for line in header.commentary("HISTORY"):
        line = line.lstrip()
        if line.startswith(HISTORY_MARK):
            steps.append(line.removeprefix(HISTORY_MARK))
        elif line.startswith(HISTORY_MORE) and steps:
            steps[-1] += line.removeprefix(HISTORY_MORE)
    return tuple(steps)
