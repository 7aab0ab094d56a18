"""Facts from file names, by named patterns; they fill only what the header lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ITELESCOPE = re.compile(
    r"(?P<state>raw|calibrated)-(?P<telescope>T\d+[a-z]?)-(?P<observer>[^-]+)-(?P<target>.+)-(?P<date>\d{8})-(?P<time>\d{6})"
    r"-(?P<filter>[^-]+)-BIN(?P<binning>\d)-(?P<pier>[EW])-(?P<exposure>\d+(?:\.\d+)?)-(?P<number>\d+)\.",
    re.IGNORECASE,
)
_PREMIUM = re.compile(
    r"Calibrated-iTelescope-(?P<target>.+)-(?P<exposure>\d+(?:\.\d+)?)s-(?P<filter>[^-]+)-(?P<number>\d+)\.",
    re.IGNORECASE,
)
_TELESCOPIUS = re.compile(r"\s+x-?\d+\s+y-?\d+$")


def facts(path: Path) -> Iterator[tuple[str, Any, str]]:
    """(field, value, source) of what a name says; only the base name is looked at.

    >>> name = "raw-T31-jdoe-NGC_253_x1_y2-20210907-131415-Ha-BIN1-W-300-001.fit"
    >>> {field: value for field, value, _ in facts(Path(name)) if field != "start"}  # doctest: +NORMALIZE_WHITESPACE
    {'telescope': 'T31', 'observer': 'jdoe', 'target': 'NGC 253', 'filter': 'Ha', 'exposure': 300.0, 'binning': (1, 1),
     'pier_side': 'west'}
    """
    match = _ITELESCOPE.match(path.name) or _PREMIUM.match(path.name)
    if not match:
        return
    said = match.groupdict()
    source = f"file name '{path.name}'"
    if "telescope" in said:
        yield "telescope", said["telescope"].upper(), source
        yield "observer", said["observer"], source
    yield "target", _TELESCOPIUS.sub("", said["target"].replace("_", " ")).strip(), source
    yield "filter", said["filter"], source
    yield "exposure", float(said["exposure"]), source
    if "binning" in said:
        yield "binning", (int(said["binning"]), int(said["binning"])), source
        yield "pier_side", {"E": "east", "W": "west"}[said["pier"].upper()], source
        try:
            start = datetime.strptime(said["date"] + said["time"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return
        yield "start", start, source
