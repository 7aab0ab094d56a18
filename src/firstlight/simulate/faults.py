"""Faults planted in a night where they are asked for: clouds, wind, focus, satellites, aeroplanes, dew, the Moon."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from firstlight.errors import SpecError, nearest
from firstlight.simulate.settings import Night
from firstlight.simulate.truth import FrameTruth, Trail

_WORDS = re.compile(r"(\w+)@(\d+)(?:-(\d+))?(?::([0-9.]+))?$")


def plant(shots: Sequence[FrameTruth], night: Night, rng: np.random.Generator) -> list[FrameTruth]:
    """The lights with the faults of ``night.faults``: texts such as ``clouds@5-8`` or ``focus@12-15:1.6``.

    Numbers count the lights from 1; the one behind the colon is how strong the fault is, where the usual is not wanted.

    Raises
    ------
    SpecError
        A text cannot be read, there is no such fault, or no such light.
    """
    shots = list(shots)
    for text in night.faults:
        kind, first, last, strength = parse_fault(text)
        if last > len(shots):
            raise SpecError(f"fault {text!r}: the night has {len(shots)} lights; 1 to {len(shots)} is allowed")
        usual, change = _FAULTS[kind]
        n = last - first + 1
        for k in range(first - 1, last):
            changed = change(shots[k], (k - first + 2) / n, usual if strength is None else strength, night, rng)
            shots[k] = replace(changed, fault=" ".join(filter(None, (shots[k].fault, kind))))
    return shots


def parse_fault(text: str) -> tuple[str, int, int, float | None]:
    """Kind, first and last light, strength.

    >>> parse_fault("focus@12-15:1.6")
    ('focus', 12, 15, 1.6)
    """
    found = _WORDS.match(text.strip())
    if not found:
        raise SpecError(f"fault {text!r}: write KIND@FIRST-LAST, such as clouds@5-8, or KIND@FIRST-LAST:STRENGTH")
    kind, first, last, strength = found.groups()
    if kind not in _FAULTS:
        raise SpecError(f"fault {text!r}: unknown{nearest(kind, _FAULTS) or ';'} the faults are {', '.join(_FAULTS)}")
    begin, end = int(first), int(last or first)
    if not 1 <= begin <= end:
        raise SpecError(f"fault {text!r}: lights are counted from 1, and the last is not before the first")
    return kind, begin, end, float(strength) if strength else None


def _clouds(shot: FrameTruth, share: float, loss: float, night: Night, rng: np.random.Generator) -> FrameTruth:
    """A part of the light is lost; the cloud shines."""
    depth = loss * float(rng.uniform(0.75, 1.15))
    level = 1.0 + 0.5 * depth
    return replace(shot, transparency=shot.transparency * (1 - depth), sky=tuple(level * c for c in shot.sky))


def _wind(shot: FrameTruth, share: float, shake: float, night: Night, rng: np.random.Generator) -> FrameTruth:
    """The long axis is ``shake`` times the short one."""
    short = shot.fwhm * math.sqrt(1 - shot.ellipticity)
    long = short * shake * float(rng.uniform(0.9, 1.15))
    return replace(shot, fwhm=math.sqrt(short * long), ellipticity=1 - short / long, angle=float(rng.uniform(0, 180)))


def _focus(shot: FrameTruth, share: float, factor: float, night: Night, rng: np.random.Generator) -> FrameTruth:
    """Stars as many times wider, round."""
    return replace(shot, fwhm=shot.fwhm * (1 + (factor - 1) * (0.6 + 0.4 * share)))


def _trail(night: Night, rng: np.random.Generator, light: float, width: float, angle: float | None = None) -> Trail:
    x, y = np.array(night.shape[::-1]) * rng.uniform(0.35, 0.65, 2)
    turn = float(rng.uniform(0, 180)) if angle is None else angle
    return Trail(float(x), float(y), turn, light, width)


def _satellite(shot: FrameTruth, share: float, light: float, night: Night, rng: np.random.Generator) -> FrameTruth:
    """One narrow line; ``light``: e- per px of length over the root of the sky's."""
    noise = math.sqrt(shot.sky_level * shot.exposure)
    trail = _trail(night, rng, light * noise, math.hypot(shot.fwhm, 1.0))
    return replace(shot, trails=(*shot.trails, trail))


def _plane(shot: FrameTruth, share: float, light: float, night: Night, rng: np.random.Generator) -> FrameTruth:
    """Two lines side by side, of the lights on the wings, and a blinking one between them."""
    noise = math.sqrt(shot.sky_level * shot.exposure)
    middle = _trail(night, rng, 0.6 * light * noise, 2.0 * shot.fwhm)
    apart = min(night.shape) * 0.06
    dx, dy = -math.sin(math.radians(middle.angle)) * apart, math.cos(math.radians(middle.angle)) * apart
    wide = 1.6 * shot.fwhm
    wings = [Trail(middle.x + s * dx, middle.y + s * dy, middle.angle, light * noise, wide) for s in (-1, 1)]
    blink = replace(middle, swing=0.9, period=0.15 * max(night.shape))
    return replace(shot, trails=(*shot.trails, *wings, blink))


def _dew(shot: FrameTruth, share: float, loss: float, night: Night, rng: np.random.Generator) -> FrameTruth:
    """Ever more light is lost, and ever more of the rest lies in a halo."""
    return replace(shot, transparency=shot.transparency * (1 - loss * share), halo=0.7 * share)


def _moon(shot: FrameTruth, share: float, factor: float, night: Night, rng: np.random.Generator) -> FrameTruth:
    """The sky as many times as bright."""
    return replace(shot, sky=tuple((1 + (factor - 1) * share) * c for c in shot.sky))


_Change = Callable[[FrameTruth, float, float, Night, np.random.Generator], FrameTruth]
_FAULTS: dict[str, tuple[float, _Change]] = {
    "clouds": (0.4, _clouds),
    "wind": (1.8, _wind),
    "focus": (1.5, _focus),
    "satellite": (14.0, _satellite),
    "plane": (60.0, _plane),
    "dew": (0.5, _dew),
    "moon": (3.0, _moon),
}
"""Usual strength, and what becomes of a light."""
KINDS = tuple(_FAULTS)
