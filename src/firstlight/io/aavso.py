"""AAVSO Extended File Format 1.2: written, and any such file checked against the rules of the format.

The rules are those of https://www.aavso.org/aavso-extended-file-format (version 1.2).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path

FIELDS = (
    "NAME", "DATE", "MAG", "MERR", "FILT", "TRANS", "MTYPE", "CNAME", "CMAG", "KNAME", "KMAG", "AMASS", "GROUP",
    "CHART", "NOTES",
)  # fmt: skip
LIMITS = {
    "NAME": 30, "DATE": 16, "MAG": 8, "MERR": 6, "CNAME": 20, "CMAG": 8, "KNAME": 20, "KMAG": 8, "AMASS": 7,
    "GROUP": 5, "CHART": 20, "NOTES": 2000,
}  # fmt: skip
"""Characters that a field may have."""
FILTERS = frozenset([
    "U", "B", "V", "R", "I", "J", "H", "K", "TG", "TB", "TR", "CV", "CR", "SZ", "SU", "SG", "SR", "SI", "STU", "STV",
    "STB", "STY", "STHBW", "STHBN", "MA", "MB", "MI", "ZS", "Y", "HA", "HAC", "CBB", "O",
])  # fmt: skip
REQUIRED = ("TYPE", "OBSCODE", "SOFTWARE", "DELIM", "DATE")
OBSTYPES = frozenset(["CCD", "CMOS", "DSLR", "PEP", "VISDIG"])
NONE = "na"
_DELIMITERS = {"comma": ",", "tab": "\t"}
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?$|[+-]?\.\d+$")


@dataclass(frozen=True)
class Observation:
    """One line of a report; None is written as ``na``."""

    name: str
    date: float
    """JD (UTC) or HJD, as the report says."""
    magnitude: float
    error: float | None
    filter: str
    is_transformed: bool = False
    is_standard: bool = True
    """On the scale of a catalogue; else a difference to the comparison star."""
    comparison: str = "ENSEMBLE"
    comparison_magnitude: float | None = None
    check: str | None = None
    check_magnitude: float | None = None
    airmass: float | None = None
    group: str | None = None
    chart: str | None = None
    notes: str = ""
    is_fainter: bool = False
    """The star was not seen; the magnitude is a limit."""

    def fields(self) -> dict[str, str]:
        """The texts of the line, each within its limit."""
        return {
            "NAME": _text(self.name, "NAME"),
            "DATE": f"{self.date:.6f}",
            "MAG": ("<" if self.is_fainter else "") + f"{self.magnitude:.4f}",
            "MERR": NONE if self.error is None or self.is_fainter else f"{min(self.error, 9.9999):.4f}",
            "FILT": self.filter,
            "TRANS": "YES" if self.is_transformed else "NO",
            "MTYPE": "STD" if self.is_standard else "DIF",
            "CNAME": _text(self.comparison, "CNAME"),
            "CMAG": _number(self.comparison_magnitude, 3),
            "KNAME": _text(self.check or NONE, "KNAME"),
            "KMAG": _number(self.check_magnitude, 3),
            "AMASS": _number(self.airmass, 3),
            "GROUP": _text(self.group or NONE, "GROUP"),
            "CHART": _text(self.chart or NONE, "CHART"),
            "NOTES": _text(self.notes or NONE, "NOTES"),
        }


def _text(text: str, field: str) -> str:
    """Without the delimiter and line ends, ASCII, cut to the field's limit."""
    clean = " ".join(text.replace(",", ";").split()).encode("ascii", "replace").decode()
    return clean[: LIMITS[field]] or NONE


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None or value != value else f"{value:.{digits}f}"


def write_aavso(
    path: str | os.PathLike[str],
    observations: Iterable[Observation],
    *,
    observer_code: str,
    software: str,
    obstype: str = "CCD",
    remarks: Iterable[str] = (),
) -> Path:
    """Write a report in the Extended Format, whole or not at all, and hold it against the rules.

    Raises
    ------
    InputError
        The report would break a rule of the format; the message says which.
    """
    lines = [
        "#TYPE=Extended", f"#OBSCODE={observer_code}", f"#SOFTWARE={software[:255]}", "#DELIM=,", "#DATE=JD",
        f"#OBSTYPE={obstype}",
    ]  # fmt: skip
    lines += [f"# {' '.join(remark.split())}" for remark in remarks]
    lines.append("#" + ",".join(FIELDS))
    lines += [",".join(observation.fields().values()) for observation in observations]
    text = "\n".join(lines) + "\n"
    if faults := check_aavso(text):
        raise InputError(f"{path}: AAVSO's format: {faults[0]}; nothing was written")
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="ascii", errors="replace")
    return path


def check_aavso(text: str) -> list[str]:
    """Every breach of the rules in a report, each as ``line N: what``; none: the report is valid.

    >>> head = "#TYPE=Extended\\n#OBSCODE=XYZ\\n#SOFTWARE=x\\n#DELIM=,\\n#DATE=JD\\n#OBSTYPE=CCD\\n"
    >>> check_aavso(head + "SS CYG,2450702.1234,11.135,0.003,V,NO,STD,105,na,na,na,1.5,na,X16382L,na")
    []
    >>> check_aavso(head + "SS CYG,2450702.1234,11.135,0.00312345,V,NO,STD,105,na,na,na,1.23456789,na,na,na")
    ['line 7: MERR has 10 characters ("0.00312345"); at most 6 are allowed', 'line 7: AMASS has 10 characters
    ("1.23456789"); at most 7 are allowed']
    """
    faults: list[str] = []
    head: dict[str, str] = {}
    n = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            key, equals, value = line[1:].partition("=")
            if equals and key.strip().upper() in (*REQUIRED, "OBSTYPE"):
                head[key.strip().upper()] = value.strip()
        elif not line.strip():
            faults.append(f"line {number}: is empty; begin it with # or take it out")
        else:
            if n == 0:
                faults += _head_faults(head)
            n += 1
            faults += [f"line {number}: {fault}" for fault in _line_faults(line, head)]
    if n == 0:
        faults += [*_head_faults(head), "there is no observation in it"]
    return faults


def _head_faults(head: Mapping[str, str]) -> list[str]:
    faults = [f"#{name}= is missing at the top" for name in REQUIRED if not head.get(name)]
    if head.get("TYPE", "extended").lower() != "extended":
        faults.append(f"#TYPE={head['TYPE']}: must be Extended")
    if head.get("DATE", "JD").upper() not in ("JD", "HJD", "EXCEL"):
        faults.append(f"#DATE={head['DATE']}: JD, HJD and EXCEL are allowed")
    if head.get("OBSTYPE", "CCD").upper() not in OBSTYPES:
        faults.append(f"#OBSTYPE={head['OBSTYPE']}: {', '.join(sorted(OBSTYPES))} are allowed")
    if len(head.get("SOFTWARE", "")) > 255:
        faults.append("#SOFTWARE has more than 255 characters")
    if not re.fullmatch(r"[A-Za-z0-9]{1,5}", head.get("OBSCODE", "X")):
        faults.append(f"#OBSCODE={head['OBSCODE']}: an observer code has up to 5 letters and digits")
    return faults


def _delimiter(head: Mapping[str, str]) -> str:
    text = head.get("DELIM", ",")
    if text.isdigit() and 32 <= int(text) <= 126:
        return chr(int(text))
    return _DELIMITERS.get(text.lower(), text) or ","


def _line_faults(line: str, head: Mapping[str, str]) -> list[str]:
    faults = []
    if not line.isascii():
        faults.append("holds characters that are not ASCII")
    parts = [part.strip() for part in line.split(_delimiter(head))]
    if len(parts) != len(FIELDS):
        return [*faults, f"has {len(parts)} fields; {len(FIELDS)} are needed ({', '.join(FIELDS)})"]
    row = dict(zip(FIELDS, parts))
    for name, text in row.items():
        if not text:
            faults.append(f"{name} is empty; write na where there is nothing")
        if len(text) > LIMITS.get(name, 10_000):
            faults.append(f'{name} has {len(text)} characters ("{text[:24]}"); at most {LIMITS[name]} are allowed')
    if row["NAME"].lower() == NONE:
        faults.append("NAME is na; the star must be named")
    magnitude = row["MAG"].removeprefix("<")
    if not _NUMBER.match(magnitude) or "." not in magnitude:
        faults.append(f'MAG "{row["MAG"]}": a number with a dot is needed, < before a limit')
    if not _NUMBER.match(row["DATE"]):
        faults.append(f'DATE "{row["DATE"]}": a number is needed')
    elif head.get("DATE", "JD").upper() in ("JD", "HJD") and not 2_300_000 < float(row["DATE"]) < 2_600_000:
        faults.append(f"DATE {row['DATE']}: is no Julian date of our time")
    for name in ("MERR", "CMAG", "KMAG", "AMASS"):
        if row[name].lower() != NONE and not _NUMBER.match(row[name]):
            faults.append(f'{name} "{row[name]}": a number or na is needed')
    if row["FILT"].upper() not in FILTERS:
        faults.append(f"FILT {row['FILT']}: is no filter of the format")
    if row["TRANS"].upper() not in ("YES", "NO"):
        faults.append(f"TRANS {row['TRANS']}: YES or NO")
    if row["MTYPE"].upper() not in ("STD", "DIF", "STEP"):
        faults.append(f"MTYPE {row['MTYPE']}: STD, DIF or STEP")
    if row["MTYPE"].upper() == "DIF" and row["CNAME"].lower() == NONE:
        faults.append("MTYPE DIF: the comparison star must be named in CNAME")
    if row["CNAME"].upper() == "ENSEMBLE" and row["CMAG"].lower() != NONE:
        faults.append("CNAME ENSEMBLE: CMAG must be na")
    return faults


def check_aavso_file(path: str | os.PathLike[str]) -> list[str]:
    """As `check_aavso`, of a file; its name is part of the rules.

    Raises
    ------
    InputError
        The file cannot be read, or is no text.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give a report of AAVSO's format") from error
    if b"\0" in content:
        raise InputError(f"{path}: is no text; give a report of AAVSO's format")
    text = content.decode("utf-8", "replace")
    name = [] if path.suffix.lower() in (".txt", ".csv", ".tsv") else [f"{path.name}: must end with .txt, .csv or .tsv"]
    return name + check_aavso(text)
