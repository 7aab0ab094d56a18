"""Reads guide logs in the format of PHD2: those of firstlight, PHD2 and KStars."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

from firstlight.errors import InputError
from firstlight.observe.guiding.step import GuideStep

_BEGINS = re.compile(r"(Guiding|Calibration) Begins at (.*)")
_SCALE = re.compile(r"Pixel scale = ([\d.]+) arc-sec/px")
_MOUNT = re.compile(r"xAngle = (-?[\d.]+), xRate = ([\d.]+), yAngle = (-?[\d.]+), yRate = ([\d.]+)")
_FOUND = ("0", "1")
"""Error codes of a star that was found, maybe saturated."""


@dataclass
class GuideSession:
    """Guiding from its begin to its end."""

    begins: str
    scale: float | None = None
    """arcsec/px."""
    angles: tuple[float, float] | None = None
    """Directions of right ascension and declination on the sensor, degrees."""
    rates: tuple[float, float] | None = None
    """px/s of pulse."""
    steps: list[GuideStep] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)


@dataclass
class CalibrationRecord:
    """What a calibration has seen."""

    begins: str
    steps: list[tuple[str, int, float, float]] = field(default_factory=list)
    """Direction, number, and the first place minus the present one (dx, dy), px."""
    complete: bool = False


@dataclass
class GuideRecord:
    """Everything in one log."""

    version: str = ""
    sessions: list[GuideSession] = field(default_factory=list)
    calibrations: list[CalibrationRecord] = field(default_factory=list)


def read_guide_log(path: str | Path) -> GuideRecord:
    """All sessions of a guide log; lines that are cut off or not known are left out.

    Raises
    ------
    InputError
        The file cannot be read, or holds neither guiding nor a calibration.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    record = parse_guide_log(text)
    if not record.sessions and not record.calibrations:
        raise InputError(f"{path}: holds no guiding; a guide log of PHD2, KStars or firstlight is needed")
    return record


def parse_guide_log(text: str) -> GuideRecord:
    """The same of a text.

    >>> log = parse_guide_log('''PHD2 version 2.6.13 [Linux], Log version 2.5. Log enabled at 2026-01-01 20:00:00
    ... Guiding Begins at 2026-01-01 20:01:00
    ... Pixel scale = 2.00 arc-sec/px, Binning = 1, Focal length = 400 mm
    ... Frame,Time,mount,dx,dy,RARawDistance,DECRawDistance,RAGuideDistance,DECGuideDistance,RADuration,RADirection
    ... 1,2.1,"Mount",0.5,-0.2,0.3,0.45,0.3,0.45,75,W,100,S,,,1234,45.0,0
    ... Guiding Ends at 2026-01-01 20:02:00
    ... ''')
    >>> log.sessions[0].scale, log.sessions[0].steps[0].ra_pulse
    (2.0, -0.075)
    """
    record = GuideRecord()
    session: GuideSession | None = None
    calibration: CalibrationRecord | None = None
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("PHD2 version "):
            record.version = line.removeprefix("PHD2 version ").partition(", Log version")[0]
        elif begins := _BEGINS.match(line):
            session = calibration = None
            if begins[1] == "Guiding":
                session = GuideSession(begins[2])
                record.sessions.append(session)
            else:
                calibration = CalibrationRecord(begins[2])
                record.calibrations.append(calibration)
        elif session is not None:
            if line.startswith("Guiding Ends"):
                session = None
            elif not _header(session, line) and line[:1].isdigit() and (step := _step(line)):
                session.steps.append(step)
        elif calibration is not None:
            if line.startswith("Calibration complete"):
                calibration.complete, calibration = True, None
            elif found := re.match(r"(\w+),(\d+),(-?[\d.]+),(-?[\d.]+),", line):
                calibration.steps.append((found[1], int(found[2]), float(found[3]), float(found[4])))
    return record


def _header(session: GuideSession, line: str) -> bool:
    if line.startswith("INFO: "):
        session.infos.append(line.removeprefix("INFO: "))
    elif found := _SCALE.match(line):
        session.scale = float(found[1])
    elif line.startswith("Mount = ") and (found := _MOUNT.search(line)):
        session.angles, session.rates = (float(found[1]), float(found[3])), (float(found[2]), float(found[4]))
    else:
        return False
    return True


def _step(line: str) -> GuideStep | None:
    cells = next(csv.reader([line]))
    if len(cells) < 18:
        return None
    try:
        numbers = [float(cell) if cell else 0.0 for cell in (*cells[3:10], cells[11], cells[15], cells[16])]
        frame, time = int(cells[0]), float(cells[1])
    except ValueError:
        return None
    dx, dy, ra, dec, _, _, ra_ms, dec_ms, flux, snr = numbers
    if cells[2] == "DROP" or cells[17] not in _FOUND:
        return GuideStep(frame, time, lost=cells[18] if len(cells) > 18 else "lost", flux=flux, snr=snr)
    east = -ra_ms if cells[10].startswith("W") else ra_ms
    north = -dec_ms if cells[12].startswith("S") else dec_ms
    return GuideStep(frame, time, dx, dy, ra, dec, east / 1000, north / 1000, flux, snr)
