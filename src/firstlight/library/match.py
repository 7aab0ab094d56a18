"""Which frames belong together, and which master fits which frame. One matcher for the whole program.

Two frames fit when nothing that both headers state contradicts. What only one of them states, or neither, is *unknown*:
it is no match by itself and no refusal either, and the explanation names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstlight.io.frame import Frame
from firstlight.model.meta import Meta

EXPOSURE_TOLERANCE = 0.1
"""s; exposures closer than this are equal (camera clocks jitter)."""
DARK_EXPOSURE_TOLERANCE = 0.05
"""Fraction of the exposure within which a dark is used unscaled; beyond, only on request."""
TEMPERATURE_TOLERANCE = 2.0
"""Degrees C; a master further away is used only with a warning."""
TEMPERATURE_STEP = 1.0
"""Degrees C; calibration frames closer than this share a master."""

SENSOR_FIELDS: dict[str, str] = {
    "camera": "camera",
    "serial": "serial number",
    "binning": "binning",
    "origin": "sub-frame",
    "cfa": "CFA pattern",
    "gain_setting": "gain setting",
    "gain": "gain (e-/adu)",
    "offset": "offset",
    "readout_mode": "readout mode",
}
"""Fields of `Meta` that must not contradict between a frame and its master, and their names."""


@dataclass(frozen=True)
class Fit:
    """How well a master's frames fit a frame."""

    refusals: tuple[str, ...] = ()
    """What contradicts; the master must not be used."""
    unknown: tuple[str, ...] = ()
    """What the headers do not tell on both sides."""
    warnings: tuple[str, ...] = ()
    distance: float = 0.0
    """Smaller is better: temperature in degrees, plus exposure in per cent, plus age in days / 30."""

    @property
    def usable(self) -> bool:
        return not self.refusals


def temperature_of(meta: Meta) -> float | None:
    """Set temperature where it is given (it does not jitter), else the measured one, degrees C."""
    return meta.set_temperature if meta.set_temperature is not None else meta.temperature


def same_exposure(a: float | None, b: float | None) -> bool:
    """Equal within the jitter of a camera's clock; unknown equals unknown.

    >>> same_exposure(30.05, 30.0), same_exposure(30.5, 30.0), same_exposure(0.01, 0.02)
    (True, False, False)
    """
    if a is None or b is None:
        return a is b
    return abs(a - b) <= (EXPOSURE_TOLERANCE if min(a, b) > 1 else 0.05 * max(a, b))


def same_gain(a: Frame, b: Frame) -> bool:
    """Equal settings of the camera's gain, else equal e-/adu; where a header names neither, nothing speaks against."""
    if a.meta.gain_setting is not None and b.meta.gain_setting is not None:
        return a.meta.gain_setting == b.meta.gain_setting
    if not _both_gains(a, b):
        return True
    return abs(a.meta.gain - b.meta.gain) <= 0.001 * abs(a.meta.gain)  # type: ignore[operator]


def compare_sensor(frame: Frame, other: Frame) -> Fit:
    """What contradicts and what is unknown between two frames, apart from exposure, temperature and filter."""
    refusals, unknown = [], []
    if frame.shape != other.shape:
        refusals.append(f"{_size(other)} against {_size(frame)} px")
    for name, words in SENSOR_FIELDS.items():
        mine, theirs = getattr(frame.meta, name), getattr(other.meta, name)
        if mine is None or theirs is None:
            if name in ("camera", "gain_setting", "offset") and not (
                name == "gain_setting" and _both_gains(frame, other)
            ):
                unknown.append(words)
        elif mine != theirs and not (name == "gain" and abs(mine - theirs) <= 0.001 * abs(mine)):
            refusals.append(f"{words} {theirs} against {mine}")
    return Fit(tuple(refusals), tuple(unknown))


def _both_gains(frame: Frame, other: Frame) -> bool:
    return frame.meta.gain is not None and other.meta.gain is not None


def compare(frame: Frame, other: Frame, *, exposure: bool, filter: bool, temperature: bool = True) -> Fit:
    """How well calibration frames like ``other`` fit ``frame``.

    ``exposure`` compares exposures (darks), ``filter`` filters (flats), ``temperature`` sensor temperatures.
    """
    fit = compare_sensor(frame, other)
    refusals, unknown, warnings = list(fit.refusals), list(fit.unknown), []
    distance = 0.0
    mine, theirs = frame.meta, other.meta
    if filter and (mine.filter or theirs.filter):
        if mine.filter is None or theirs.filter is None:
            unknown.append("filter")
        elif mine.filter.casefold() != theirs.filter.casefold():
            refusals.append(f"filter {theirs.filter} against {mine.filter}")
    if temperature:
        a, b = temperature_of(mine), temperature_of(theirs)
        if a is None or b is None:
            unknown.append("temperature")
        else:
            distance += abs(a - b)
            if abs(a - b) > TEMPERATURE_TOLERANCE:
                warnings.append(f"temperature {b:g} C against {a:g} C")
    if exposure:
        if mine.exposure is None or theirs.exposure is None:
            unknown.append("exposure")
        else:
            off = abs(mine.exposure - theirs.exposure) / max(mine.exposure, 1e-6)
            distance += 100 * off
            if off > DARK_EXPOSURE_TOLERANCE and not same_exposure(mine.exposure, theirs.exposure):
                refusals.append(f"exposure {theirs.exposure:g} s against {mine.exposure:g} s")
    if mine.start and theirs.start:
        distance += abs((mine.start - theirs.start).total_seconds()) / 86400 / 30
    return Fit(tuple(refusals), tuple(unknown), tuple(warnings), distance)


def group_alike(frames: Iterable[Frame], *, exposure: bool, filter: bool, temperature: bool) -> list[list[Frame]]:
    """Split frames of one kind into sets that may share a master: equal in all that is compared.

    Unknown equals unknown here, never a known value. Temperatures closer than 1 C are one set; the order of the result
    and of the frames in it follows the names.
    """
    groups: list[list[Frame]] = []
    for frame in sorted(frames, key=lambda f: (temperature_of(f.meta) or 0.0, str(f.path))):
        for group in groups:
            if _alike(frame, group[-1], exposure=exposure, filter=filter, temperature=temperature):
                group.append(frame)
                break
        else:
            groups.append([frame])
    for group in groups:
        group.sort(key=lambda f: str(f.path))
    return sorted(groups, key=lambda g: str(g[0].path))


def _alike(a: Frame, b: Frame, *, exposure: bool, filter: bool, temperature: bool) -> bool:
    if a.shape != b.shape or any(getattr(a.meta, name) != getattr(b.meta, name) for name in SENSOR_FIELDS):
        return False
    if exposure and not same_exposure(a.meta.exposure, b.meta.exposure):
        return False
    if filter and (a.meta.filter or "").casefold() != (b.meta.filter or "").casefold():
        return False
    if a.meta.calibrated != b.meta.calibrated:
        return False
    if temperature:
        ta, tb = temperature_of(a.meta), temperature_of(b.meta)
        if (ta is None) != (tb is None):
            return False
        return ta is None or tb is None or abs(ta - tb) <= TEMPERATURE_STEP
    return True


def best(frame: Frame, candidates: Sequence[tuple[Frame, int]], **what: bool) -> tuple[int | None, Fit, list[Fit]]:
    """Index of the best usable candidate (frame, number of frames), its fit, and the fits of all.

    Ties go to the candidate with more frames, then to the first by name: never to the order of the directory.
    """
    fits = [compare(frame, candidate, **what) for candidate, _ in candidates]
    usable = [i for i, fit in enumerate(fits) if fit.usable]
    if not usable:
        return None, Fit(), fits
    index = min(usable, key=lambda i: (fits[i].distance, -candidates[i][1], str(candidates[i][0].path)))
    return index, fits[index], fits


def _size(frame: Frame) -> str:
    return f"{frame.shape[2]} x {frame.shape[1]}" + ("" if frame.shape[0] == 1 else f" x {frame.shape[0]}")
