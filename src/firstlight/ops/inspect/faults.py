"""What is wrong with a frame, told by what its fellows of the same target and filter show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.ops.registry import Params
from firstlight.units import Percent, Sigma, Unit

PARALLEL = 4.0
"""Degrees between streaks of one aeroplane."""


class Faults(Params):
    """Limits of the faults. Each is against the median of the group; ``sigma`` are robust ones, of its MAD."""

    sigma: Annotated[Sigma, Field(gt=0)] = 5.0
    """A number must lie this far from the median and by the share named below, or by twice the share."""
    wider: Annotated[Percent, Field(gt=0)] = 16.0
    """Wider stars, by more than this: focus (or seeing); with a common direction: wind or guiding."""
    dimmer: Annotated[Percent, Field(gt=0, lt=100)] = 12.0
    """Stars fainter by more than this: clouds; with a halo around the stars: dew."""
    brighter: Annotated[Percent, Field(gt=0)] = 30.0
    """Sky brighter by more than this (and no fainter stars): Moon, dawn or lamps."""
    elongated: Annotated[float, Field(gt=0, le=1), Unit("eccentricity")] = 0.5
    """Stars longer than this, all one way: wind or guiding."""
    halo: Annotated[Percent, Field(gt=0)] = 4.0
    """Light in halos above the usual, in percent of all light, that tells dew from clouds."""
    fewer: Annotated[Percent, Field(gt=0, lt=100)] = 60.0
    """Stars missing, without any of the reasons above: few stars."""


@dataclass(frozen=True)
class Fault:
    """One fault of one frame."""

    kind: str
    """``clouds dew wind focus bright_sky few_stars satellite plane``."""
    evidence: str


@dataclass(frozen=True)
class Line:
    """A streak as far as faults care."""

    angle: float
    length: float
    half_width: float
    rows: float
    """Distance of its line from the origin, px: tells parallel ones apart."""


def find_faults(
    metrics: Mapping[str, np.ndarray], streaks: list[tuple[Line, ...]], p: Faults = Faults()
) -> list[tuple[Fault, ...]]:
    """The faults of each frame of a group (one target, filter, exposure), with the evidence in words.

    Clouds dim the stars and leave their shape; dew dims them too, and puts light into halos; wind and guiding draw all
    stars out one way; a slipped focus (or bad seeing, which looks alike) widens them all round and loses no light; Moon
    and dawn brighten the sky and leave the stars. Streaks are satellites, or, where two run side by side or one is as
    wide as no satellite is, aeroplanes.

    Parameters
    ----------
    metrics : name to float64 (frames,): ``fwhm eccentricity elongation angle short_fwhm halo transparency background
        noise stars``, and ``sun_altitude moon_altitude`` (degrees) where known; NaN where not measured.
    streaks : of each frame.
    """
    n = len(streaks)
    seen = {name: np.asarray(metrics.get(name, np.full(n, np.nan)), float) for name in _NAMES}
    judged = _Group(seen, p)
    return [(*judged.faults(i), *streak_faults(streaks[i], seen["fwhm"][i])) for i in range(n)]


_NAMES = (
    "fwhm", "eccentricity", "elongation", "angle", "short_fwhm", "halo", "transparency", "background", "noise", "stars",
    "sun_altitude", "moon_altitude",
)  # fmt: skip


class _Group:
    def __init__(self, seen: Mapping[str, np.ndarray], p: Faults) -> None:
        self.seen, self.p = seen, p
        self.middle, self.spread = {}, {}
        for name, values in seen.items():
            finite = values[np.isfinite(values)]
            self.middle[name] = float(np.median(finite)) if len(finite) else float("nan")
            mad = float(np.median(np.abs(finite - self.middle[name]))) if len(finite) else float("nan")
            self.spread[name] = 1.4826 * mad

    def off(self, name: str, i: int, percent: float, sign: int) -> bool:
        """Whether a frame's number is off by the share and by the sigmas."""
        value, middle = self.seen[name][i], self.middle[name]
        away, share = sign * (value - middle), percent / 100 * abs(middle)
        # In an unsteady night the sigmas are wide: twice the share is always enough.
        return bool(away > max(share, min(self.p.sigma * self.spread[name], 2 * share)))

    def faults(self, i: int) -> list[Fault]:
        p, seen, middle = self.p, self.seen, self.middle
        found = []
        dim = self.off("transparency", i, p.dimmer, -1)
        halo = seen["halo"][i] - middle["halo"]
        halo_up = bool(halo > p.halo / 100 and halo > p.sigma * self.spread["halo"])
        bright = self.off("background", i, p.brighter, 1)
        lost = 100 * (1 - seen["transparency"][i] / middle["transparency"])
        sky = 100 * (seen["background"][i] / middle["background"] - 1)
        wide = self.off("fwhm", i, p.wider, 1)
        long = (
            seen["eccentricity"][i] > p.elongated and self.off("eccentricity", i, 10, 1) and seen["elongation"][i] > 0.6
        )
        if dim and wide and not long and sky < 0.2 * lost:
            # So much light in the halos that they widen the stars; a cloud that takes as much shines itself.
            wider = 100 * (seen["fwhm"][i] / middle["fwhm"] - 1)
            words = f"stars {lost:.0f} % fainter and {wider:.0f} % wider, the sky no brighter: halos"
            return [Fault("dew", words)]
        if dim and halo_up and not wide:
            found.append(Fault("dew", f"stars {lost:.0f} % fainter, {100 * halo:.0f} % more of their light in halos"))
        elif halo_up and not wide and not long:
            found.append(Fault("dew", f"{100 * halo:.0f} % more of the stars' light in halos than usual"))
        elif dim:
            words = f"stars {lost:.0f} % fainter"
            found.append(Fault("clouds", words + (f", sky {sky:+.0f} %" if abs(sky) > 3 else ", sky as usual")))
        if long:
            found.append(
                Fault(
                    "wind",
                    f"stars drawn out along {seen['angle'][i]:.0f} deg: eccentricity {seen['eccentricity'][i]:.2f}, "
                    f"usually {middle['eccentricity']:.2f}; wind or guiding",
                )
            )
        # What is long is wide too: only a wide short axis says that the focus is off as well.
        short = seen["short_fwhm"][i] / middle["short_fwhm"] - 1
        if wide and not (long and short < 0.6 * p.wider / 100):
            found.append(
                Fault(
                    "focus",
                    f"stars {100 * (seen['fwhm'][i] / middle['fwhm'] - 1):.0f} % wider all round "
                    f"({seen['fwhm'][i]:.2f} px, usually {middle['fwhm']:.2f}); focus or seeing",
                )
            )
        if bright and not dim:
            found.append(Fault("bright_sky", f"sky {sky:+.0f} %, stars as usual; {self._light(i)}"))
        missing = 100 * (1 - seen["stars"][i] / middle["stars"])
        if not found and missing > p.fewer:
            found.append(Fault("few_stars", f"{seen['stars'][i]:.0f} stars, usually {middle['stars']:.0f}"))
        return found

    def _light(self, i: int) -> str:
        sun, moon = self.seen["sun_altitude"][i], self.seen["moon_altitude"][i]
        if sun > -18:
            return f"twilight, the Sun stands at {sun:.0f} deg"
        if moon > 0:
            return f"the Moon stands at {moon:.0f} deg"
        return "Moon, dawn or lamps" if np.isnan(sun) else "no Moon and no twilight: lamps or haze"


def streak_faults(lines: tuple[Line, ...], fwhm: float) -> list[Fault]:
    """Satellites and aeroplanes.

    >>> [f.kind for f in streak_faults((Line(30.0, 800.0, 4.0, 100.0), Line(31.0, 790.0, 4.0, 140.0)), 3.0)]
    ['plane']
    """
    if not lines:
        return []
    width = fwhm if np.isfinite(fwhm) else 3.0
    companions = [
        [b for b in lines if b is not a and abs((a.angle - b.angle + 90) % 180 - 90) < PARALLEL] for a in lines
    ]
    found, planes, satellites = [], [], []
    for line, beside in zip(lines, companions):
        (planes if beside or line.half_width > 4 * width else satellites).append(line)
    for kind, some in (("plane", planes), ("satellite", satellites)):
        if some:
            longest = max(some, key=lambda line: line.length)
            count = f"{len(some)} streaks side by side" if len(some) > 1 and kind == "plane" else f"{len(some)} streak"
            count += "s" if len(some) > 1 and kind == "satellite" else ""
            found.append(
                Fault(
                    kind,
                    f"{count} at {longest.angle % 180:.0f} deg, {longest.length:.0f} px long, "
                    f"{2 * longest.half_width:.0f} px wide",
                )
            )
    return found
