"""Plan the masters of a session and give every light its own, with the reasons in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from firstlight.io.frame import Frame
from firstlight.library.classify import Sighting
from firstlight.library.match import Fit, best, group_alike, same_exposure, temperature_of
from firstlight.model.meta import Kind

MASTER_KINDS = {
    Kind.MASTER_BIAS: Kind.BIAS,
    Kind.MASTER_DARK: Kind.DARK,
    Kind.MASTER_FLAT: Kind.FLAT,
}
FEW = {Kind.BIAS: 15, Kind.DARK: 10, Kind.FLAT: 8, Kind.DARK_FLAT: 10}
"""Masters of fewer frames work, and the plan says that they add noise."""


@dataclass(frozen=True)
class MasterPlan:
    """Frames that make one master, or one ready master."""

    kind: Kind
    frames: tuple[Frame, ...]
    subtract: MasterPlan | None = None
    """For flats: the dark flat, dark or bias to subtract first."""
    ready: bool = False
    """The single frame is a master already."""
    notes: tuple[str, ...] = ()

    @property
    def like(self) -> Frame:
        """The frame that stands for all."""
        return self.frames[0]

    @property
    def name(self) -> str:
        """File name without suffix: kind, filter, exposure, temperature, gain."""
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
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for lights that are calibrated alike."""
        names = [id(m) if m is not None else None for m in (self.bias, self.dark, self.flat)]
        return (*names, self.dark_scale)


@dataclass(frozen=True)
class Calibrations:
    """All masters of a session and who gets which."""

    masters: tuple[MasterPlan, ...] = ()
    assignments: tuple[Assignment, ...] = ()
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


def plan_calibrations(sightings: Sequence[Sighting], *, scale_darks: bool = False) -> Calibrations:
    """Group calibration frames into masters and assign them.

    The bias rule: a raw dark holds the bias, so a light (or flat) with a dark of its exposure gets that dark and no
    bias. Without one it gets the bias; only with ``scale_darks`` a dark of another exposure, its bias taken off first,
    scaled by exposure.
    """
    by_kind: dict[Kind, list[Frame]] = {kind: [] for kind in Kind}
    for sighting in sightings:
        by_kind[sighting.kind].append(sighting.frame)

    def masters(kind: Kind, **alike: bool) -> list[MasterPlan]:
        return [
            MasterPlan(kind, tuple(group), notes=_few(kind, len(group)))
            for group in group_alike(by_kind[kind], **alike)
        ]

    biases = masters(Kind.BIAS, exposure=False, filter=False, temperature=True)
    darks = masters(Kind.DARK, exposure=True, filter=False, temperature=True)
    dark_flats = masters(Kind.DARK_FLAT, exposure=True, filter=False, temperature=True)
    ready = {kind: [MasterPlan(kind, (f,), ready=True) for f in by_kind[m]] for m, kind in MASTER_KINDS.items()}
    biases += ready[Kind.BIAS]
    darks += ready[Kind.DARK]
    flats = []
    for flat in masters(Kind.FLAT, exposure=False, filter=True, temperature=False):
        under, notes = _under_flat(flat.like, [*dark_flats, *darks], biases)
        flats.append(MasterPlan(Kind.FLAT, flat.frames, under, notes=(*flat.notes, *notes)))
    flats += ready[Kind.FLAT]
    lights = by_kind[Kind.LIGHT]
    assignments = [_assign(light, biases, darks, flats, scale_darks) for light in lights]
    return Calibrations((*biases, *darks, *dark_flats, *flats), tuple(assignments))


def assign_masters(light: Frame, masters: Sequence[MasterPlan], *, scale_darks: bool = False) -> Assignment:
    """The masters of one more light, out of those that were planned; as `plan_calibrations`."""
    biases, darks, flats = ([m for m in masters if m.kind is kind] for kind in (Kind.BIAS, Kind.DARK, Kind.FLAT))
    return _assign(light, biases, darks, flats, scale_darks)


def _few(kind: Kind, n: int) -> tuple[str, ...]:
    return (f"only {n} frames; {FEW[kind]} or more keep its noise out of the lights",) if n < FEW[kind] else ()


def _choose(frame: Frame, masters: list[MasterPlan], **what: bool) -> tuple[MasterPlan | None, Fit, list[Fit]]:
    index, fit, fits = best(frame, [(m.like, len(m.frames)) for m in masters], **what)
    return (None if index is None else masters[index]), fit, fits


def _under_flat(
    flat: Frame, darks: list[MasterPlan], biases: list[MasterPlan]
) -> tuple[MasterPlan | None, tuple[str, ...]]:
    """What to subtract from a flat: a dark flat or dark of its exposure, else the bias."""
    if "dark" in flat.meta.calibrated or "bias" in flat.meta.calibrated:
        return None, ("its frames are bias- or dark-subtracted already",)
    if flat.meta.exposure is not None:
        dark, _, _ = _choose(flat, darks, exposure=True, filter=False)
        if dark is not None and same_exposure(dark.like.meta.exposure, flat.meta.exposure):
            return dark, ()
    bias, _, _ = _choose(flat, biases, exposure=False, filter=False)
    if bias is not None:
        return bias, ()
    return None, ("neither dark flat nor bias fits: its pedestal stays in and the correction is too weak",)


def _assign(
    light: Frame, biases: list[MasterPlan], darks: list[MasterPlan], flats: list[MasterPlan], scale_darks: bool
) -> Assignment:
    done = light.meta.calibrated
    reasons: list[str] = []
    warnings: list[str] = []
    bias = dark = flat = None
    scale = 1.0
    if "dark" in done:
        reasons.append("dark: already subtracted, the header says")
    else:
        dark, fit, fits = _choose(light, darks, exposure=True, filter=False)
        if dark is not None and ("bias" not in done or "bias" in dark.like.meta.calibrated):
            reasons.append(_reason("dark", dark, fit))
            warnings += [f"dark: {w}" for w in fit.warnings]
        else:
            dark, scale, bias = (
                _scaled(light, darks, biases) if scale_darks and "bias" not in done else (None, 1.0, None)
            )
            if dark is not None:
                reasons.append(
                    f"dark: {dark.name} scaled by {scale:.3f}, on request; bias: {bias.name if bias else ''}"
                )
            elif darks:
                reasons.append(f"dark: none fits ({_why_not(darks, fits)})")
                warnings.append("no dark fits")
            else:
                reasons.append("dark: there is none")
        if dark is None:
            if "bias" in done:
                reasons.append("bias: already subtracted, the header says")
            else:
                bias, fit, fits = _choose(light, biases, exposure=False, filter=False)
                if bias is not None:
                    reasons.append(_reason("bias", bias, fit))
                    warnings += [f"bias: {w}" for w in fit.warnings]
                else:
                    reasons.append(f"bias: none fits ({_why_not(biases, fits)})" if biases else "bias: there is none")
        elif scale == 1.0:
            reasons.append("bias: not needed, the dark holds it")
    if "flat" in done:
        reasons.append("flat: already divided, the header says")
    else:
        flat, fit, fits = _choose(light, flats, exposure=False, filter=True, temperature=False)
        if flat is not None:
            reasons.append(_reason("flat", flat, fit))
        else:
            reasons.append(f"flat: none fits ({_why_not(flats, fits)})" if flats else "flat: there is none")
    return Assignment(light, bias, dark, flat, scale, tuple(reasons), tuple(warnings))


def _scaled(
    light: Frame, darks: list[MasterPlan], biases: list[MasterPlan]
) -> tuple[MasterPlan | None, float, MasterPlan | None]:
    bias, _, _ = _choose(light, biases, exposure=False, filter=False)
    longer = [d for d in darks if d.like.meta.exposure]
    dark, _, _ = _choose(light, longer, exposure=False, filter=False)
    if bias is None or dark is None or not light.meta.exposure:
        return None, 1.0, None
    fitting = [d for d in longer if best(light, [(d.like, 1)], exposure=False, filter=False)[0] is not None]
    dark = min(fitting, key=lambda d: (abs(d.like.meta.exposure - light.meta.exposure), d.name))  # type: ignore[operator]
    return dark, light.meta.exposure / dark.like.meta.exposure, bias  # type: ignore[operator]


def _reason(kind: str, master: MasterPlan, fit: Fit) -> str:
    unknown = f"; not told by the headers: {', '.join(fit.unknown)}" if fit.unknown else ""
    warnings = f"; {', '.join(fit.warnings)}" if fit.warnings else ""
    return f"{kind}: {master.name} ({len(master.frames)} frames){warnings}{unknown}"


def _why_not(masters: list[MasterPlan], fits: list[Fit]) -> str:
    nearest = min(range(len(masters)), key=lambda i: (len(fits[i].refusals), fits[i].distance))
    return f"{masters[nearest].name}: {', '.join(fits[nearest].refusals) or 'the light is bias-subtracted, it is not'}"
