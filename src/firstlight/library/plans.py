"""What is planned before a pixel is read: masters, and who gets which."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from firstlight.io.frame import Frame
from firstlight.library.match import temperature_of
from firstlight.model.meta import Kind, Meta

FEW = {Kind.BIAS: 15, Kind.DARK: 10, Kind.FLAT: 8, Kind.DARK_FLAT: 10}
"""Masters of fewer frames work, and the plan says that they add noise."""


@dataclass(frozen=True)
class Rules:
    """What may be done where no master fits as it is. Nothing of this is done unasked."""

    scale_darks: bool = False
    """Scale a dark of another exposure, its bias taken off."""
    optimize_darks: Literal["no", "noise", "entropy"] = "no"
    """Find the scale of the dark in each light's pixels."""
    interpolate_exposure: bool = False
    """Make a dark of the exposure from darks of others."""
    interpolate_temperature: bool = False
    """Make a dark of the temperature from darks of others."""
    sky_flats: bool = False
    """Make a flat from the lights themselves."""
    own_first: bool = True
    """Masters of the session go before those of the library, unless there are warnings."""
    epoch: float | None = None
    """Days of pause that begin a new master; None: never."""


@dataclass(frozen=True)
class MasterPlan:
    """Frames that make one master, one ready master, or a sum of other masters."""

    kind: Kind
    frames: tuple[Frame, ...]
    subtract: MasterPlan | None = None
    """For flats: the dark flat, dark or bias to subtract first."""
    ready: bool = False
    """The single frame is a master already."""
    notes: tuple[str, ...] = ()
    shared: bool = False
    """It comes from a library: it is read where it lies."""
    parts: tuple[tuple[MasterPlan, float], ...] = ()
    """A sum of masters with these factors; its single frame says what it stands for."""
    sky: bool = False
    """A flat made of lights."""

    @cached_property
    def like(self) -> Frame:
        """The frame that stands for all: the first of the middle temperature."""
        known = sorted(t for f in self.frames if (t := temperature_of(f.meta)) is not None)
        if not known or known[0] == known[-1]:
            return self.frames[0]
        middle = known[(len(known) - 1) // 2]
        return next(f for f in self.frames if temperature_of(f.meta) == middle)

    @property
    def n_frames(self) -> int:
        """Raw frames behind it."""
        if self.parts:
            return sum(part.n_frames for part, _ in self.parts)
        return self.like.meta.n_combined if self.ready else len(self.frames)

    @property
    def name(self) -> str:
        """File name without suffix: kind, filter, exposure, temperature, gain; that of its file if it is shared."""
        if self.shared:
            return self.like.path.name.rsplit(".", 1)[0]
        meta = self.like.meta
        parts = ["master", self.kind.value.replace(" ", "")]
        if self.kind == Kind.FLAT:
            parts.append(slug(meta.filter) or "nofilter")
        elif self.kind != Kind.BIAS:
            parts.append(exposure_words(meta.exposure))
        temperature = temperature_of(meta)
        if temperature is not None:
            parts.append(f"{round(temperature):+d}C")
        if meta.gain_setting is not None:
            parts.append(f"gain{meta.gain_setting:g}")
        if meta.binning != (1, 1):
            parts.append(f"bin{meta.binning[0]}x{meta.binning[1]}")
        if self.parts:
            parts.append("interpolated")
        if self.sky:
            parts.append("sky")
        return "_".join(parts)


@dataclass(frozen=True)
class Assignment:
    """One light and its masters."""

    light: Frame
    bias: MasterPlan | None = None
    dark: MasterPlan | None = None
    flat: MasterPlan | None = None
    dark_scale: float = 1.0
    """1: the dark is subtracted as it is, its bias with it. Otherwise the bias-free dark is scaled by this."""
    find_scale: Literal["no", "noise", "entropy"] = "no"
    """The scale is to be looked for in the light's pixels, from `dark_scale` on."""
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for lights that are calibrated alike."""
        names = [id(m) if m is not None else None for m in (self.bias, self.dark, self.flat)]
        return (*names, self.dark_scale)

    @property
    def masters(self) -> tuple[MasterPlan, ...]:
        """Bias, dark and flat, as far as it has them."""
        return tuple(m for m in (self.bias, self.dark, self.flat) if m is not None)


@dataclass(frozen=True)
class Calibrations:
    """All masters of a session and who gets which."""

    masters: tuple[MasterPlan, ...] = ()
    """What can be made of the session's frames, and ready masters among them."""
    assignments: tuple[Assignment, ...] = ()
    shelf: tuple[MasterPlan, ...] = ()
    """Masters of libraries that were at hand."""
    notes: tuple[str, ...] = field(default=())


def slug(text: str | None) -> str:
    """Text for a file name: letters, digits, dot, plus and minus; the rest becomes an underscore.

    >>> slug("IC 5070 (Pelican)")
    'IC_5070_Pelican'
    """
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text or "").strip("_.")


def exposure_words(exposure: float | None) -> str:
    """``30s``, ``0.5s`` or ``noexposure``."""
    return "noexposure" if exposure is None else f"{exposure:.6g}s"


def wanted(kind: Kind, meta: Meta, temperatures: Collection[float] = ()) -> str:
    """The frames that would fit a light exactly, in words; ``temperatures`` (C) of several lights that are alike else.

    >>> wanted(Kind.DARK, Meta(exposure=60.0, set_temperature=-10.0, gain_setting=100.0, offset=50.0))
    'darks of 60 s at -10 C, gain 100, offset 50'
    >>> wanted(Kind.FLAT, Meta(filter="Ha", binning=(2, 2)))
    'flats in Ha, bin 2x2'
    >>> wanted(Kind.BIAS, Meta(), {-4.0, -1.5, -2.0})
    'bias frames at -4 to -1.5 C'
    """
    plural = {Kind.BIAS: "bias frames", Kind.DARK: "darks", Kind.DARK_FLAT: "dark flats", Kind.FLAT: "flats"}[kind]
    words = plural
    if kind in (Kind.DARK, Kind.DARK_FLAT) and meta.exposure is not None:
        words += f" of {meta.exposure:g} s"
    if kind is Kind.FLAT:
        words += f" in {meta.filter}" if meta.filter else ""
    elif temperatures or (temperature := temperature_of(meta)) is not None:
        low, high = (min(temperatures), max(temperatures)) if temperatures else (temperature, temperature)
        words += f" at {low:g} C" if low == high else f" at {low:g} to {high:g} C"
    more = []
    if meta.gain_setting is not None:
        more.append(f"gain {meta.gain_setting:g}")
    if meta.offset is not None:
        more.append(f"offset {meta.offset:g}")
    if meta.readout_mode:
        more.append(f"readout mode {meta.readout_mode}")
    if meta.binning != (1, 1):
        more.append(f"bin {meta.binning[0]}x{meta.binning[1]}")
    return ", ".join([words, *more])
