"""Facts from file names: one table of the grammars that telescopes and programs use.

They fill only what the header lacks. Times in names are those of the computer's clock, whose zone no name tells (and
iTelescope's are local, with the date of UTC): none is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.model.meta import Kind

_EXPOSURE = r"(?P<exposure>\d+(?:\.\d+)?)(?P<unit>ms|us|s)"
_KIND = r"(?P<kind>Light|Dark|Flat|Bias|DarkFlat)"
_STAMP = r"\d{8}-\d{6}"
_CAMERA = r"\d{3,4}M[CM][A-Za-z+]*"


@dataclass(frozen=True)
class Grammar:
    """How a program writes its names; groups of the pattern are fields, or words that `facts` understands."""

    name: str
    pattern: re.Pattern[str]


def _grammar(name: str, pattern: str) -> Grammar:
    return Grammar(name, re.compile(pattern, re.IGNORECASE))


GRAMMARS = (
    _grammar(
        "iTelescope, light",
        r"(?:raw|calibrated|jpeg)-(?P<telescope>T\d+[a-z]?)-(?P<observer>[^-]+)-(?P<target>.+)-\d{8}-\d{6}"
        r"-(?P<filter>[^-]+)-BIN(?P<binning>\d)-(?P<pier>[EW])-(?P<exposure>\d+(?:\.\d+)?)-\d+\.",
    ),
    _grammar(
        "iTelescope, calibration frame",
        r"(?P<telescope>T\d+[a-z]?)-(?P<observer>[^-]+)-(?P<kind>Bias|Dark|Flat)-(?:(?P<filter>[A-Z]\w*)-)?"
        r"(?P<exposure>\d+(?:\.\d+)?)-LD\d{8}-LT\d{6}-BIN(?P<binning>\d)",
    ),
    _grammar(
        "iTelescope, premium",
        r"Calibrated-iTelescope-(?P<target>.+)-(?P<exposure>\d+(?:\.\d+)?)s-(?P<filter>[^-]+)-\d+\.",
    ),
    _grammar(
        "ASIAIR",
        rf"{_KIND}_(?:(?P<target>[^_]+(?:_\d+-\d+)?)_)?{_EXPOSURE}_Bin(?P<binning>\d)(?:_{_CAMERA})?(?:_(?P<filter>(?!gain\d)[A-Za-z][\w-]*?))?"
        rf"(?:_gain(?P<gain_setting>\d+))?(?:_{_STAMP})?(?:_-?\d+deg)?(?:_(?P<temperature>-?\d+(?:\.\d+)?)C)?"
        r"(?:_(?P<late_filter>[A-Za-z][\w-]*?))?_\d+\.",
    ),
    _grammar(
        "Seestar",
        rf"(?:mosaic_)?{_KIND}_(?P<target>.+?)_{_EXPOSURE}_(?P<filter>IRCUT|LP)_{_STAMP}\.",
    ),
    _grammar(
        "N.I.N.A.",
        r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_(?P<filter>[^_]*)_(?P<temperature>-?\d+(?:\.\d+)?)?_(?P<exposure>\d+(?:\.\d+)?)s_\d+\.",
    ),
    _grammar(
        "Las Cumbres",
        r"(?P<telescope>[a-z]{3}\d[a-z]\d{3})-(?P<camera>[a-z]{2}\d{2,3})-\d{8}-\d{4}-(?P<letter>[befdxs])\d\d\.",
    ),
    _grammar(
        "MaxIm DL, series",
        r"(?P<target>[A-Za-z][\w -]*?)_(?P<exposure>\d+(?:\.\d+)?)_sec_(?P<binning>\d)x\d_"
        r"(?:(?P<filter>[A-Za-z][\w-]*?)_)?(?:frame)?\d+\.",
    ),
    _grammar(
        "kind, filter, number",
        r"(?P<kind>Light|Flat)[_-](?P<filter>L|R|G|B|Lum(?:inance)?|Red|Green|Blue|Clear|Ha|H-?alpha|OIII|SII|NII|Hb|[UVI]|[ugriz]p?)"
        r"[_-]\d+\.",
    ),
)
_KINDS = {"light": Kind.LIGHT, "dark": Kind.DARK, "flat": Kind.FLAT, "bias": Kind.BIAS, "darkflat": Kind.DARK_FLAT}
_LETTERS = {"b": Kind.BIAS, "d": Kind.DARK, "f": Kind.FLAT, "e": Kind.LIGHT, "x": Kind.LIGHT, "s": Kind.LIGHT}
_TELESCOPIUS = re.compile(r"\s+x-?\d+\s+y-?\d+$", re.IGNORECASE)
_NO_TARGET = frozenset(["light", "fov", "test", "none", "unknown", "dark", "flat", "bias", "snapshot"])
_UNITS = {"ms": 1e-3, "us": 1e-6}


def facts(path: Path) -> Iterator[tuple[str, Any, str]]:
    """(field, value, source) of what a name says; only the base name is looked at.

    >>> name = "raw-T31-jdoe-NGC_253_x1_y2-20210907-131415-Ha-BIN1-W-300-001.fit"
    >>> {field: value for field, value, _ in facts(Path(name))}
    {'telescope': 'T31', 'observer': 'jdoe', 'target': 'NGC 253', 'filter': 'Ha', 'binning': (1, 1),
     'pier_side': 'west', 'exposure': 300.0}
    """
    match = next((m for grammar in GRAMMARS if (m := grammar.pattern.match(path.name))), None)
    if match is None:
        return
    said = {name: text for name, text in match.groupdict().items() if text}
    source = f"file name '{path.name}'"
    unit = _UNITS.get(said.pop("unit", "s").lower(), 1.0)
    for name, text in said.items():
        for field, value in _meaning(name, text, unit):
            yield field, value, source


def _meaning(name: str, text: str, unit: float) -> Iterator[tuple[str, Any]]:
    if name == "target":
        target = _TELESCOPIUS.sub("", text.replace("_", " ")).strip()
        if target.lower() not in _NO_TARGET:
            yield "target", target
    elif name == "telescope":
        yield "telescope", re.sub(r"^T0+", "T", text.upper()) if text[:1] in "Tt" else text
    elif name == "late_filter":
        yield "filter", text
    elif name == "exposure":
        # 0.2 ms is 0.0002 s, not 0.00019999999.
        yield "exposure", round(float(text) * unit, 12)
    elif name == "binning":
        yield "binning", (int(text), int(text))
    elif name == "pier":
        yield "pier_side", {"E": "east", "W": "west"}[text.upper()]
    elif name == "kind":
        yield "kind", _KINDS[text.lower()]
    elif name == "letter":
        yield "kind", _LETTERS[text.lower()]
    elif name in ("temperature", "gain_setting"):
        yield name, float(text)
    else:
        yield name, text
