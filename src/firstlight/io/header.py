"""From header cards to `Meta`: every field names the keyword that gave it, and nothing is guessed in silence."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstlight.io import convert, dialects, filenames, kinds, times
from firstlight.io.cards import Card, Header
from firstlight.io.frame import FULL_SCALE
from firstlight.model.meta import Kind, Meta

_ELECTRONS_PER_ADU = re.compile(
    r"e(lectrons?|-)?\s*(/|per)\s*(adu|dn|count|\[?adu)|electrons?/|photons?/|inverse gain", re.IGNORECASE
)
_LETTERS = {"B": "bias", "D": "dark", "F": "flat"}
_DONE = {
    "bias": ("BIASCAL", "BIASCORR", "L1STATBI", "ZEROCOR"),
    "dark": ("DARKCAL", "DARKCORR", "DARKSUB", "L1STATDA", "DARKCOR"),
    "flat": ("FLATCAL", "FLATCORR", "L1STATFL", "FLATCOR"),
}
_TOLD = {
    "bias": re.compile(r"bias[ -_]*(subtract|correct)|subtract\w*[ a-z]* bias|cal:bias", re.IGNORECASE),
    "dark": re.compile(r"dark[ -_]*(frame )?(subtract|correct)|subtract\w*[ a-z]* dark|cal:dark", re.IGNORECASE),
    "flat": re.compile(
        r"flat[ -_]*(field|frame)?[ -_]*(divi|correct|appl|calibr|\()|divid\w*[ a-z]* flat|flatfielded|cal:flat",
        re.IGNORECASE,
    ),
}
EDITED = "meta edit: "
"""Begins the HISTORY card of a keyword changed by hand: it tells of no correction, whatever words it holds."""
_EVERYTHING = frozenset({"bias", "dark", "flat"})
STRUCTURAL = re.compile(
    r"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|END|EXTNAME|EXTVER|EXTLEVEL"
    r"|INHERIT|NEXTEND|Z(IMAGE|CMPTYPE|BITPIX|NAXIS\d*|TILE\d+|NAME\d+|VAL\d+|SIMPLE|EXTEND|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|HECKSUM"
    r"|DATASUM|PCOUNT|GCOUNT|TENSION|MASKCMP)|T(FIELDS|FORM\d+|TYPE\d+|HEAP|UNIT\d+))$"
)


def meta_from_header(cards: Sequence[Card], path: Path, shape: tuple[int, int, int]) -> Meta:
    """What the cards of one frame say.

    Parameters
    ----------
    cards : sequence of (keyword, value, comment)
        Cards of the image; of a keyword given twice the first holds.
    path : Path
        Where the file lies: folder and name say the kind, and fill what the header lacks, where they do.
    shape : (channels, height, width)
        Its height decides the colour of the first row where the pattern is written top-down.

    Returns
    -------
    Meta
        ``sources`` names for each field the keyword, folder or file name that gave it.

    >>> meta = meta_from_header([("EXP (MS)", 500, ""), ("CCD-TEMP", -10, "")], Path("Darks/x.fit"), (1, 2, 2))
    >>> meta.kind.value, meta.exposure, meta.temperature, meta.sources["kind"]
    ('dark', 0.5, -10.0, "folder name 'Darks'")
    """
    header = Header(cards)
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    notes: list[str] = []

    def take(field: str, value: Any, source: str) -> None:
        if value is not None and field not in found:
            found[field], sources[field] = value, source

    for field, rules in dialects.FIELDS.items():
        for rule in rules:
            if rule.keyword in header:
                value = header.get(rule.keyword)
                given = rule.convert(value, header.comment(rule.keyword)) if rule.with_comment else rule.convert(value)
                take(field, given, rule.keyword)
    kind, source = kinds.find_kind(header, path)
    if source:
        take("kind", kind, source)
    if source in kinds.KEYWORDS and (other := kinds.contradiction(kind, path)):
        notes.append(f"{source} says {kind.value}, {other}")
    start, source, time_notes = times.start_time(header, found.get("exposure"))
    notes += time_notes
    take("start", start, source)
    for field, keyword in (("end", "DATE-END"), ("middle", "DATE-AVG")):
        take(field, times.time_in(header, keyword), keyword)
    _to_icrs(header, found, sources)
    _gains(header, take)
    _geometry(header, take)
    _colours(header, shape, take, notes)
    _combined(header, found, take)
    done, source = _calibrated(header, path)
    if done:
        take("calibrated", done, source)
    for field, value, source in filenames.facts(path):
        take(field, value, source)
    if found.get("end") and found.get("start") and found["end"] < found["start"]:
        notes.append("DATE-END lies before the start: not used")
        del found["end"], sources["end"]
    if "middle" in found:
        half_way = Meta(**{k: found[k] for k in ("start", "end", "exposure") if k in found}).mid_time
        if half_way is not None and abs((found["middle"] - half_way).total_seconds()) < 0.001:
            del found["middle"], sources["middle"]
    kept = tuple(card for card in cards if card[0] and not STRUCTURAL.match(card[0]))
    return Meta(**found, sources=sources, notes=tuple(notes), cards=kept)


def _to_icrs(header: Header, found: dict[str, Any], sources: dict[str, str]) -> None:
    """Positions of another equinox (of the date, 1950) led to that of 2000; the difference to ICRS is below 0.1"."""
    equinox = convert.number(header.get("EQUINOX", header.get("EPOCH")))
    if equinox is None or abs(equinox - 2000) < 0.01 or not 1800 <= equinox <= 2200:
        return
    if not {"ra", "dec"} <= found.keys():
        return
    import erfa

    matrix = erfa.pmat06(2451545.0, (equinox - 2000) * 365.25)
    ra, dec = erfa.c2s(matrix.T @ erfa.s2c(math.radians(found["ra"]), math.radians(found["dec"])))
    found["ra"], found["dec"] = math.degrees(ra) % 360, math.degrees(dec)
    for name in ("ra", "dec"):
        sources[name] += f", from equinox {equinox:g}"


def _gains(header: Header, take: Any) -> None:
    """GAIN is the camera's setting to amateur programs, e-/adu to observatories: EGAIN, comment or value tells."""
    for keyword in dialects.GAIN_KEYWORDS:
        take("gain", convert.positive(header.get(keyword)), keyword)
    for keyword in dialects.SETTING_KEYWORDS:
        value = convert.number(header.get(keyword))
        if value is None or value < 0:
            continue
        if keyword == "GAIN":
            by_comment = _ELECTRONS_PER_ADU.search(header.comment(keyword))
            of_observatory = str(header.get("ORIGIN", "")).upper().startswith("LCOGT")
            if by_comment or of_observatory:
                take("gain", value or None, "GAIN")
                continue
            if not float(value).is_integer() and value < 20:
                # No camera has a fractional setting; every detector has a fractional gain.
                take("gain", value, "GAIN (a fraction, so e-/adu)")
                continue
        take("gain_setting", value, keyword)


def _geometry(header: Header, take: Any) -> None:
    for x_key, y_key in (
        ("XBINNING", "YBINNING"),
        ("CCDXBIN", "CCDYBIN"),
        ("CCDBIN1", "CCDBIN2"),
        ("BINX", "BINY"),
        ("XBIN", "YBIN"),
    ):
        x, y = convert.number(header.get(x_key)), convert.number(header.get(y_key))
        if x and y and 1 <= x <= 64 and 1 <= y <= 64:
            take("binning", (int(x), int(y)), x_key)
    for keyword in ("BINNING", "CCDSUM", "CCDBIN"):
        match = re.match(r"\s*(\d+)\s*(?:[x, ]\s*(\d+))?\s*$", str(header.get(keyword, "")))
        if match and 1 <= int(match[1]) <= 64:
            take("binning", (int(match[1]), int(match[2] or match[1])), keyword)
    for x_key, y_key in (("XORGSUBF", "YORGSUBF"), ("FRAMEX", "FRAMEY"), ("SUBFRMX", "SUBFRMY")):
        x, y = convert.number(header.get(x_key)), convert.number(header.get(y_key))
        if x is not None and y is not None and x >= 0 and y >= 0:
            take("origin", (int(x), int(y)), x_key)
    take("pixel_size", convert.positive(header.get("XPIXSZ")), "XPIXSZ")
    for keyword in ("PIXSIZE1", "PIXSIZE", "PIXELSZ"):
        size = convert.positive(header.get(keyword))
        if size is not None and size < 200:
            binning = convert.number(header.get("XBINNING")) or 1
            take("pixel_size", size * binning, keyword)


_OTHER_CELL = re.compile(r"(?!GR[EA]Y)(?=.*[RCYM])[RGBCMYWE]{4,36}")
"""Patterns that are no Bayer cell: X-Trans, complementary colours, a white pixel; not words such as GREY or NONE."""


def _colours(header: Header, shape: tuple[int, int, int], take: Any, notes: list[str]) -> None:
    order = str(header.get("ROWORDER", "")).strip().upper()
    if order in ("TOP-DOWN", "BOTTOM-UP"):
        take("bottom_up", order == "BOTTOM-UP", "ROWORDER")
    elif order:
        notes.append(f"ROWORDER is '{order}'; TOP-DOWN and BOTTOM-UP are known: not used")
    for keyword in (*dialects.CFA_KEYWORDS, "FILTER"):
        match = re.search(r"(?<![A-Z])([RGB]{4})(?![A-Z])", str(header.get(keyword, "")).upper())
        if shape[0] == 1 and match and sorted(match[1]) == ["B", "G", "G", "R"]:
            x, y = (int(convert.number(header.get(k)) or 0) for k in ("XBAYROFF", "YBAYROFF"))
            take("cfa", cfa_in_array_order(match[1], x, y, order == "BOTTOM-UP", shape[1]), keyword)
        elif (
            shape[0] == 1
            and keyword != "FILTER"
            and _OTHER_CELL.fullmatch(str(header.get(keyword, "")).strip().upper())
        ):
            notes.append(
                f"{keyword} is '{header.get(keyword)}'; cells of 2 x 2 with one red, two green and one blue are known: "
                "taken as mono"
            )


def of_parts(meta: Meta) -> Meta:
    """The record of a frame whose pixels are parts of 1, while its header speaks of adu."""
    sources = {**meta.sources, "saturation": "pixels are parts of 1"}
    gain = None
    if meta.gain is not None:
        gain, sources["gain"] = meta.gain * FULL_SCALE, f"{sources.get('gain', 'header')}, times {FULL_SCALE:g}"
    return meta.replace(gain=gain, saturation=1.0, sources=sources)


def cfa_in_array_order(pattern: str, x_offset: int, y_offset: int, bottom_up: bool, height: int) -> str:
    """The colours of the array's first two rows.

    BAYERPAT is read from the top of the picture, as the sensor is. Of a file stored bottom-up the first row is the
    picture's last, whose colours depend on the height: RGGB becomes GBRG where it is even ("the usual RGGB Bayer
    pattern becomes GBRG if the image is upside-down", Siril's documentation of ROWORDER,
    https://siril.readthedocs.io/en/latest/file-formats/FITS.html#orientation-of-fits-images). XBAYROFF and YBAYROFF
    shift the cell. Without ROWORDER the pattern is that of the first row of the file.

    >>> cfa_in_array_order("RGGB", 0, 0, True, 100), cfa_in_array_order("RGGB", 0, 0, True, 101)
    ('GBRG', 'RGGB')
    >>> cfa_in_array_order("RGGB", 1, 0, False, 100)
    'GRBG'
    """
    cell = (pattern[:2], pattern[2:])
    rows = []
    for row in (0, 1):
        from_top = height - 1 - row if bottom_up else row
        line = cell[(from_top + y_offset) % 2]
        rows.append(line[x_offset % 2] + line[(x_offset + 1) % 2])
    return "".join(rows)


def _combined(header: Header, found: dict[str, Any], take: Any) -> None:
    for keyword in dialects.COMBINED_KEYWORDS:
        count = convert.number(header.get(keyword))
        if count and count > 1:
            take("n_combined", int(count), keyword)
    if found.get("n_combined", 1) > 1 and found.get("kind") in (None, Kind.LIGHT):
        found.pop("kind", None)
        take("kind", Kind.STACK, f"a light of {found['n_combined']} exposures")


def _calibrated(header: Header, path: Path) -> tuple[frozenset[str], str]:
    """Corrections that are said to be made, by the first source that says any."""
    status = str(header.get("CALSTAT", "")).upper()
    # Letters, MaxIm's others (M: map of bad pixels, T: thermal) among them; a word such as DONE is none.
    letters = status if set(status) <= set("BDFMTCN ,-") else ""
    done = frozenset(name for letter, name in _LETTERS.items() if letter in letters)
    if done:
        return done, "CALSTAT"
    by_card = {name: next((k for k in keys if _is_done(header.get(k))), None) for name, keys in _DONE.items()}
    done = frozenset(name for name, keyword in by_card.items() if keyword)
    if done:
        return done, ", ".join(keyword for keyword in by_card.values() if keyword)
    reduction = convert.number(header.get("RLEVEL"))
    if reduction is not None and reduction >= 90:
        return _EVERYTHING, "RLEVEL"
    lines = [line for line in header.commentary("HISTORY") if EDITED not in line]
    done = frozenset(name for name, told in _TOLD.items() if any(told.search(line) for line in lines))
    if done:
        return done, "HISTORY"
    if re.match(r"calibrated[-_]", path.name, re.IGNORECASE):
        return _EVERYTHING, f"file name '{path.name}'"
    return frozenset(), ""


def _is_done(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    number = convert.number(value)
    return str(value).strip().upper() in ("COMPLETE", "DONE", "YES", "TRUE", "T") or number == 1
