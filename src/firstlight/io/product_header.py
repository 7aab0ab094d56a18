"""The header of a product: standard keywords from `Meta`, the plate, the history, and the cards that came along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from firstlight import __version__
from firstlight.io import dialects, kinds
from firstlight.io.cards import Card
from firstlight.io.header import STRUCTURAL, cfa_in_array_order
from firstlight.io.open_fits import HISTORY_MARK, HISTORY_MORE, WCS
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind, Meta, julian_date

_OTHERS = re.compile(
    r"(DATE(-(OBS|BEG|AVG|END|UTC|LOC|STA))?|TIME-OBS|TIME-END|UT|UTSTART|UT-OBS|MJD(-(OBS|AVG|BEG|END))?|JD(_UTC)?|JULIAN|TIMESYS"
    r"|PEDESTAL|CBLACK|CWHITE|DATAM(AX|IN)|CSTRETCH|BUNIT|PIXUNIT|STATE|CALSTAT|RLEVEL|ROWORDER|[XY]BAYROFF|[XY]BINNING|[XY]ORGSUBF"
    r"|[XY]PIXSZ|PIXSIZE\d?|PIXELSZ|CCDSUM|BINNING|CCD[XY]BIN|CCDBIN\d|BIN[XY]|[XY]BIN|FRAME[XY]|SUBFRM[XY]|(BIAS|DARK|FLAT)(CAL|CORR)"
    r"|SWCREATE|CREATOR|FLFORMAT|OBJCT(RA|DEC)|NEXTEND|L1STAT..|ZEROCOR|DARKCOR|FLATCOR|DARKSUB|HISTORY)$"
)
_REWRITTEN = frozenset(
    [rule.keyword for rules in dialects.FIELDS.values() for rule in rules]
    + [
        *dialects.CFA_KEYWORDS,
        *dialects.GAIN_KEYWORDS,
        *dialects.SETTING_KEYWORDS,
        *dialects.COMBINED_KEYWORDS,
        *kinds.KEYWORDS,
    ]
)
"""Keywords that say again, in another dialect, what the standard ones say: carried along they would contradict them."""


def product_cards(image: Image, format_version: int) -> list[Card]:
    """All cards of a product's primary header but the structural ones."""
    meta = image.meta
    cards = [card for card in _facts(image) if card[1] is not None]
    cards.append(("CREATOR", f"firstlight {__version__}", "the program that wrote this file"))
    cards.append(("FLFORMAT", format_version, "layout of firstlight's products"))
    if image.plate is not None:
        cards += [(keyword, value, "") for keyword, value in image.plate.cards.items()]
    written = {card[0] for card in cards}
    cards += [card for card in meta.cards if card[0] not in written and _is_carried(card[0])]
    cards += [card for card in meta.cards if card[0] == "HISTORY" and not _is_ours(str(card[1]))]
    return cards + [("HISTORY", line, "") for line in history_lines(image.history)]


def _is_carried(keyword: str) -> bool:
    return not (keyword in _REWRITTEN or _OTHERS.match(keyword) or STRUCTURAL.match(keyword) or WCS.match(keyword))


def _is_ours(line: str) -> bool:
    return line.lstrip().startswith((HISTORY_MARK, HISTORY_MORE))


def history_lines(steps: tuple[str, ...]) -> Iterator[str]:
    """Steps as HISTORY texts of at most 72 characters; a long one goes on in lines with a mark of their own."""
    for step in steps:
        mark, rest = HISTORY_MARK, step
        while rest:
            # A card loses its trailing blanks: none may stand at the end of a piece.
            piece = rest[: 72 - len(mark)].rstrip() or rest[: 72 - len(mark)]
            yield mark + piece
            mark, rest = HISTORY_MORE, rest[len(piece) :]


def _facts(image: Image) -> Iterator[Card]:
    meta = image.meta
    yield "IMAGETYP", None if meta.kind is Kind.UNKNOWN else meta.kind.value, "what the frame was taken for"
    if image.unit is PixelUnit.NORMALISED:
        yield "PIXUNIT", "normalised", "1 is the mean level, or white"
    else:
        yield "BUNIT", image.unit.value, "unit of the pixels"
    yield "STATE", image.state.value, "linear: proportional to light"
    yield "OBJECT", meta.target, "target"
    yield "FILTER", meta.filter, ""
    yield "EXPTIME", meta.exposure, "[s] exposure" if meta.n_combined == 1 else "[s] total exposure"
    yield "NCOMBINE", meta.n_combined if meta.n_combined > 1 else None, "frames combined"
    yield from _times(meta)
    yield "INSTRUME", meta.camera, "camera"
    yield "CAMSER", meta.serial, "serial number of the camera"
    yield "TELESCOP", meta.telescope, ""
    yield "OBSERVER", meta.observer, ""
    yield "OBSCODE", meta.observer_code, "code of the observer"
    yield "SITENAME", meta.site, ""
    yield "SITELAT", meta.latitude, "[deg] latitude of the site, north positive"
    yield "SITELONG", meta.longitude, "[deg] longitude of the site, east positive"
    yield "SITEELEV", meta.elevation, "[m] elevation of the site"
    yield "SWCREATE", meta.software, "program that took the exposure"
    yield "GAIN", meta.gain, "[e-/adu] electrons per adu"
    yield "RDNOISE", meta.read_noise, "[e-] read noise"
    yield "SATURATE", meta.saturation, "[adu] saturation"
    yield "GAINSET", meta.gain_setting, "gain or ISO setting of the camera"
    yield "OFFSET", meta.offset, "offset setting of the camera"
    yield "PEDESTAL", None if meta.pedestal is None else -meta.pedestal, "[adu] add this to every pixel"
    yield "READOUTM", meta.readout_mode, "readout mode"
    yield "CCD-TEMP", meta.temperature, "[deg C] sensor"
    yield "SET-TEMP", meta.set_temperature, "[deg C] sensor, as set"
    yield "XBINNING", meta.binning[0], ""
    yield "YBINNING", meta.binning[1], ""
    if meta.origin != (0, 0) or "origin" in meta.sources:
        yield "XORGSUBF", meta.origin[0], "[px] first column on the sensor"
        yield "YORGSUBF", meta.origin[1], "[px] first row on the sensor"
    yield "XPIXSZ", meta.pixel_size, "[um] binned pixel"
    yield "YPIXSZ", meta.pixel_size, "[um] binned pixel"
    yield "FOCALLEN", meta.focal_length, "[mm]"
    if meta.bottom_up or "bottom_up" in meta.sources:
        yield "ROWORDER", "BOTTOM-UP" if meta.bottom_up else "TOP-DOWN", "first row of the file is the picture's"
    if meta.cfa is not None:
        # BAYERPAT is read from the top of the picture; turning it over twice gives it back.
        yield "BAYERPAT", cfa_in_array_order(meta.cfa, 0, 0, meta.bottom_up, image.shape[1]), "from the picture's top"
    yield "RA", meta.ra, "[deg] pointing, ICRS"
    yield "DEC", meta.dec, "[deg] pointing, ICRS"
    yield "PIERSIDE", meta.pier_side, ""
    yield "AIRMASS", meta.airmass, "" if meta.n_combined == 1 else "weighted mean of the frames"
    yield "ROTATANG", meta.rotator, "[deg] rotator"
    letters = "".join(name[0].upper() for name in ("bias", "dark", "flat") if name in meta.calibrated)
    yield "CALSTAT", letters or None, "corrected for bias, dark, flat"
    for name in ("bias", "dark", "flat"):
        yield f"{name.upper()}CAL", name in meta.calibrated, f"{name} corrected"


def _times(meta: Meta) -> Iterator[Card]:
    if meta.start is None and meta.middle is None:
        return
    end = meta.end
    if end is None and meta.start is not None and meta.exposure is not None and meta.n_combined == 1:
        end = meta.start + timedelta(seconds=meta.exposure)
    middle = meta.mid_time
    yield "TIMESYS", "UTC", ""
    yield "DATE-OBS", _iso(meta.start), "start of the (first) exposure"
    yield "DATE-BEG", _iso(meta.start), ""
    yield "DATE-AVG", _iso(middle), "middle of the exposure"
    yield "DATE-END", _iso(end), "end of the (last) exposure"
    if meta.start is not None:
        yield "JD", julian_date(meta.start), "start, UTC"
    if middle is not None:
        yield "MJD-AVG", julian_date(middle) - 2400000.5, "middle, UTC"


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%S.%f")
