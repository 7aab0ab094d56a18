"""Which master fits which frame. One matcher for the whole program; `group` sorts frames into sets by the same rules.

Two frames fit when nothing that both headers state contradicts. What only one of them states, or neither, is *unknown*:
it is no match by itself and no refusal either, the explanation names it, and a master that states it goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.io.frame import Frame
from firstlight.model.meta import Kind, Meta

EXPOSURE_TOLERANCE = 0.1
"""s; exposures closer than this are equal (camera clocks jitter)."""
DARK_EXPOSURE_TOLERANCE = 0.05
"""Fraction of the exposure within which a dark is used unscaled, with a warning; beyond, only on request."""
TEMPERATURE_TOLERANCE = 2.0
"""Degrees C; a master further away is used only with a warning."""
TEMPERATURE_STEP = 1.0
"""Degrees C; calibration frames closer than this share a master, and a sensor this far from its set temperature has
the temperature that was measured."""
FOCAL_TOLERANCE = 0.02
"""Fraction; flats of another focal length are refused: a zoom lens shades differently at each."""
ROTATOR_TOLERANCE = 5.0
"""Degrees; a flat taken at another angle of the rotator is used only with a warning: the shading of the tube turns."""
UNKNOWN_DISTANCE = 0.5
"""Added to the distance for each fact that only one of two headers states."""

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
_DARKS = (Kind.DARK, Kind.DARK_FLAT)
_ALWAYS_NAMED = ("camera", "gain_setting", "offset")
"""Facts whose absence is told even where neither header has them."""


@dataclass(frozen=True)
class Need:
    """What is compared, besides the sensor, between a frame and masters of one kind."""

    kind: Kind
    exposure: bool = False
    filter: bool = False
    temperature: bool = True
    optics: bool = False
    """Telescope, focal length and rotator."""
    oldest: float = 365.0
    """Days between frame and master beyond which there is a warning."""


NEEDS: dict[Kind, Need] = {
    Kind.BIAS: Need(Kind.BIAS),
    Kind.DARK: Need(Kind.DARK, exposure=True),
    Kind.DARK_FLAT: Need(Kind.DARK_FLAT, exposure=True),
    Kind.FLAT: Need(Kind.FLAT, filter=True, temperature=False, optics=True, oldest=30.0),
}
"""Bias and dark change over months, as hot pixels come and go; dust on a flat moves within weeks."""


@dataclass(frozen=True)
class Fit:
    """How well a master's frames fit a frame."""

    refusals: tuple[str, ...] = ()
    """What contradicts; the master must not be used."""
    unknown: tuple[str, ...] = ()
    """What the headers do not tell on both sides."""
    warnings: tuple[str, ...] = ()
    distance: float = 0.0
    """Smaller is better: temperature in degrees, plus exposure in per cent, plus age in days / 30, plus 0.5 for each
    fact that only one side states."""
    wants_bias: bool = False
    """The dark has lost its bias and the frame has not: it is used together with a bias, or not at all."""

    @property
    def usable(self) -> bool:
        return not self.refusals


def temperature_of(meta: Meta) -> float | None:
    """Set temperature where it is given (it does not jitter) and was reached, else the measured one, degrees C.

    >>> temperature_of(Meta(set_temperature=-10.0, temperature=-9.8))
    -10.0
    >>> temperature_of(Meta(set_temperature=-10.0, temperature=-6.0))
    -6.0
    """
    wanted, measured = meta.set_temperature, meta.temperature
    if wanted is None or (measured is not None and abs(measured - wanted) > TEMPERATURE_STEP):
        return measured
    return wanted


def same_exposure(a: float | None, b: float | None) -> bool:
    """Equal within the jitter of a camera's clock; unknown equals unknown.

    >>> same_exposure(30.05, 30.0), same_exposure(30.5, 30.0), same_exposure(0.01, 0.02)
    (True, False, False)
    """
    if a is None or b is None:
        return a is b
    return abs(a - b) <= (EXPOSURE_TOLERANCE if min(a, b) > 1 else 0.05 * max(a, b)) + 1e-9


def same_gain(a: Frame, b: Frame) -> bool:
    """Equal settings of the camera's gain, else equal e-/adu; where a header names neither, nothing speaks against."""
    if a.meta.gain_setting is not None and b.meta.gain_setting is not None:
        return a.meta.gain_setting == b.meta.gain_setting
    if not _both_gains(a, b):
        return True
    return abs(a.meta.gain - b.meta.gain) <= 0.001 * abs(a.meta.gain)  # type: ignore[operator]


def same_word(a: str | None, b: str | None) -> bool:
    """Equal but for case and blanks; nothing equals nothing.

    >>> same_word("ZWO ASI 1600MM", "zwo asi1600mm "), same_word("Ha", None)
    (True, False)
    """
    return "".join((a or "").casefold().split()) == "".join((b or "").casefold().split())


def compare_sensor(frame: Frame, other: Frame) -> Fit:
    """What contradicts and what is unknown between two frames, apart from exposure, temperature and filter."""
    refusals, unknown, distance = [], [], 0.0
    if frame.shape != other.shape:
        refusals.append(f"{_size(other)} against {_size(frame)} px")
    for name, words in SENSOR_FIELDS.items():
        mine, theirs = getattr(frame.meta, name), getattr(other.meta, name)
        if mine is None or theirs is None:
            if name == "gain" or (name == "gain_setting" and _both_gains(frame, other)):
                continue
            one_sided = mine is not None or theirs is not None
            distance += UNKNOWN_DISTANCE * one_sided
            if one_sided or name in _ALWAYS_NAMED:
                unknown.append(words)
        elif not equal_values(name, mine, theirs):
            refusals.append(f"{words} {_shown(theirs)} against {_shown(mine)}")
    return Fit(tuple(refusals), tuple(unknown), distance=distance)


def equal_values(name: str, a: Any, b: Any) -> bool:
    """Whether two values of a field of `Meta` are the same fact; neither is None."""
    if isinstance(a, str) and isinstance(b, str):
        return same_word(a, b)
    return a == b or (name == "gain" and abs(a - b) <= 0.001 * abs(a))


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "({})".format(", ".join(map(_shown, value)))
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _both_gains(frame: Frame, other: Frame) -> bool:
    return frame.meta.gain is not None and other.meta.gain is not None


def compare(frame: Frame, other: Frame, need: Need, *, strict: bool = False) -> Fit:
    """How well calibration frames like ``other`` fit ``frame``, where a master of ``need.kind`` is needed.

    ``strict`` is for masters of a library, which holds many cameras: both headers must name the camera, and the
    exposure or filter that counts; a gain that only one states is a warning. In a session the folder vouches for that.
    """
    sensor = compare_sensor(frame, other)
    refusals, unknown, warnings = list(sensor.refusals), list(sensor.unknown), []
    if strict:
        _be_strict(frame, other, need, refusals, warnings)
    distance = sensor.distance
    mine, theirs = frame.meta, other.meta
    refusals += spent(need.kind, theirs)
    if need.kind in _DARKS and "bias" in mine.calibrated and "bias" not in theirs.calibrated:
        refusals.append("it holds its bias, and the bias of the frame is subtracted already")
    if need.filter and (mine.filter or theirs.filter):
        if mine.filter is None or theirs.filter is None:
            unknown.append("filter")
            distance += UNKNOWN_DISTANCE
        elif not same_word(mine.filter, theirs.filter):
            refusals.append(f"filter {theirs.filter} against {mine.filter}")
    if need.temperature:
        a, b = temperature_of(mine), temperature_of(theirs)
        if a is None or b is None:
            unknown.append("temperature")
            distance += UNKNOWN_DISTANCE * (a is not b)
        else:
            distance += abs(a - b)
            if abs(a - b) > TEMPERATURE_TOLERANCE:
                warnings.append(f"temperature {b:g} C against {a:g} C")
    if need.exposure:
        if mine.exposure is None or theirs.exposure is None:
            unknown.append("exposure")
            distance += UNKNOWN_DISTANCE
        else:
            off = abs(mine.exposure - theirs.exposure) / max(mine.exposure, 1e-6)
            distance += 100 * off
            if not same_exposure(mine.exposure, theirs.exposure):
                words = f"exposure {theirs.exposure:g} s against {mine.exposure:g} s"
                (refusals if off > DARK_EXPOSURE_TOLERANCE else warnings).append(words)
    if need.optics:
        distance += _compare_optics(mine, theirs, refusals, warnings)
    if mine.start and theirs.start:
        age = abs((mine.start - theirs.start).total_seconds()) / 86400
        distance += age / 30
        if age > need.oldest:
            warnings.append(f"{age:.0f} days apart, more than {need.oldest:.0f}")
    wants_bias = need.kind in _DARKS and "bias" in theirs.calibrated and "bias" not in mine.calibrated
    # Of two darks the one that holds its bias goes first: the noise of a bias less.
    return Fit(tuple(refusals), tuple(unknown), tuple(warnings), distance + 0.01 * wants_bias, wants_bias)


def _be_strict(frame: Frame, other: Frame, need: Need, refusals: list[str], warnings: list[str]) -> None:
    mine, theirs = frame.meta, other.meta
    if mine.camera is None or theirs.camera is None:
        whose = "light's" if mine.camera is None else "master's"
        refusals.append(f"the {whose} header names no camera")
    if (mine.gain_setting is None) != (theirs.gain_setting is None) and not _both_gains(frame, other):
        warnings.append("only one header tells the gain setting")
    if need.exposure and (mine.exposure is None or theirs.exposure is None):
        refusals.append("the exposure is not told")
    if need.filter and (mine.filter is None) != (theirs.filter is None):
        refusals.append(f"filter {theirs.filter or 'not told'} against {mine.filter or 'not told'}")


def spent(kind: Kind, meta: Meta) -> list[str]:
    """Why frames cannot make a master of a kind: what it should hold was taken out of them before.

    >>> spent(Kind.DARK, Meta(calibrated=frozenset({"bias", "dark"})))
    ['its dark is subtracted: nothing is left in it']
    """
    done = meta.calibrated
    if kind is Kind.FLAT:
        return ["it was divided by a flat itself"] if "flat" in done else []
    if kind is Kind.BIAS:
        return ["its bias is subtracted: nothing is left in it"] if done else []
    if "dark" in done or "flat" in done:
        return [f"its {'dark is subtracted' if 'dark' in done else 'flat is divided'}: nothing is left in it"]
    return []


def _compare_optics(mine: Meta, theirs: Meta, refusals: list[str], warnings: list[str]) -> float:
    distance = 0.0
    if mine.telescope and theirs.telescope:
        if not same_word(mine.telescope, theirs.telescope):
            refusals.append(f"telescope {theirs.telescope} against {mine.telescope}")
    elif mine.telescope or theirs.telescope:
        distance += UNKNOWN_DISTANCE
    if mine.focal_length and theirs.focal_length:
        off = abs(mine.focal_length - theirs.focal_length) / mine.focal_length
        distance += 100 * off
        if off > FOCAL_TOLERANCE:
            refusals.append(f"focal length {theirs.focal_length:g} mm against {mine.focal_length:g} mm")
    if mine.rotator is not None and theirs.rotator is not None:
        angle = turned(mine.rotator, theirs.rotator)
        distance += angle / ROTATOR_TOLERANCE
        if angle > ROTATOR_TOLERANCE:
            warnings.append(f"rotator at {theirs.rotator:g} degrees against {mine.rotator:g}")
    return distance


def turned(a: float, b: float) -> float:
    """Degrees between two angles; half a turn is a flip of the mount to programs that write the angle of the sky."""
    return abs((a - b + 90) % 180 - 90)


def best(
    frame: Frame,
    candidates: Sequence[tuple[Frame, int]],
    need: Need,
    *,
    shared: Sequence[bool] = (),
    own_first: bool = True,
) -> tuple[int | None, Fit, list[Fit]]:
    """Index of the best usable candidate (frame, number of frames), its fit, and the fits of all.

    A candidate without warnings goes before one with, then the session's own before one that is ``shared`` (of a
    library), then the nearest. Ties go to the candidate with more frames, then to the first by name: never to the order
    of the directory.
    """
    of_library = list(shared) or [False] * len(candidates)
    fits = [compare(frame, other, need, strict=strict) for (other, _), strict in zip(candidates, of_library)]
    usable = [i for i, fit in enumerate(fits) if fit.usable]
    if not usable:
        return None, Fit(), fits
    index = min(
        usable,
        key=lambda i: (
            bool(fits[i].warnings),
            of_library[i] and own_first,
            round(fits[i].distance, 6),
            -candidates[i][1],
            str(candidates[i][0].path),
        ),
    )
    return index, fits[index], fits


def _size(frame: Frame) -> str:
    return f"{frame.shape[2]} x {frame.shape[1]}" + ("" if frame.shape[0] == 1 else f" x {frame.shape[0]}")
