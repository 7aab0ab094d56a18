"""Where a comet, or another thing that moves before the stars, was when each light was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, field_validator, model_validator

from firstlight.errors import FrameError, InputError, nearest
from firstlight.ops.registry import Params
from firstlight.units import Degrees, Px, Unit

if TYPE_CHECKING:
    from firstlight.pipeline.measure import Light
    from firstlight.pipeline.register import Placed


class Comet(Params):
    """What moves before the stars gets a stack of its own; another has the stars without it, a third both together.

    Say where it is in the first and in the last light (two clicks), or how it moves.
    """

    first: str = ""
    """Its position in the first light: x,y, px from 0; NAME:x,y in the light of that name."""
    last: str = ""
    """Its position in the last light, or NAME:x,y. Between, it moves steadily; times are those of the headers."""
    drift: str = ""
    """Instead of clicks: its motion on the reference frame, dx,dy, px/h."""
    rate: Annotated[float, Field(ge=0), Unit("arcsec/h")] = 0.0
    """Instead of clicks: its motion on the sky, as ephemerides give it; the reference frame needs a plate (WCS)."""
    angle: Degrees = 0.0
    """Direction of ``rate``: position angle, from north through east."""
    settle: Annotated[Px, Field(ge=0, le=200)] = 6
    """A click is moved to the brightest smoothed spot within so many px, and its centre of light; 0: taken as it is."""

    @field_validator("first", "last")
    @classmethod
    def _is_click(cls, text: str) -> str:
        if text:
            parse_click(text)
        return text

    @field_validator("drift")
    @classmethod
    def _is_drift(cls, text: str) -> str:
        if text and parse_click(text)[0]:
            raise ValueError("the drift is dx,dy in px/h on the reference frame, without a name")
        return text

    @model_validator(mode="after")
    def _one_way(self) -> Comet:
        if bool(self.first) != bool(self.last):
            raise ValueError("two clicks are needed: first and last; or a drift, or a rate")
        if sum(map(bool, (self.first, self.drift, self.rate))) > 1:
            raise ValueError("clicks, drift and rate exclude one another; give one of them")
        return self

    @property
    def wanted(self) -> bool:
        return bool(self.first or self.drift or self.rate)


def parse_click(text: str) -> tuple[str, np.ndarray]:
    """Name of a light, or empty, and x, y.

    >>> parse_click("light_0001.fits:512.5,300")
    ('light_0001.fits', array([512.5, 300. ]))
    """
    name, _, numbers = text.rpartition(":")
    try:
        x, y = (float(part) for part in numbers.split(","))
    except ValueError:
        raise ValueError("x,y (px from 0) is needed, or NAME:x,y") from None
    return name.strip(), np.array([x, y])


@dataclass(frozen=True, eq=False)
class Track:
    """Steady motion on the reference frame."""

    time: datetime
    """Middle of the exposure of the reference frame."""
    position: np.ndarray | None
    """(x, y) at that time, px of the reference; None where only the motion is known."""
    velocity: np.ndarray
    """(x, y), px/h."""

    def offset(self, time: datetime) -> np.ndarray:
        """What it has moved by since the reference frame, (x, y) px."""
        return self.velocity * ((time - self.time).total_seconds() / 3600.0)


def find_track(placed: Sequence[Placed], reference: Light, rule: Comet) -> Track:
    """The motion that the clicks, the drift or the rate tell of.

    Raises
    ------
    InputError
        The reference or a clicked light has no time, or none of that name is registered; no plate for a rate.
    """
    time = reference.frame.meta.mid_time
    if time is None:
        raise InputError(f"comet: {reference.name}, the reference, has no time (DATE-OBS); choose another reference")
    if rule.drift:
        return Track(time, None, parse_click(rule.drift)[1])
    if rule.rate:
        return Track(time, None, _motion_of_rate(reference, rule))
    dated = sorted(
        (p for p in placed if p.light.frame.meta.mid_time), key=lambda p: (p.light.frame.meta.mid_time, p.light.name)
    )
    if len(dated) < 2:
        raise InputError(f"comet: {len(dated)} registered lights have a time (DATE-OBS); at least 2 are needed")
    clicks = []
    for text, otherwise in ((rule.first, dated[0]), (rule.last, dated[-1])):
        name, position = parse_click(text)
        one = _named(dated, name) if name else otherwise
        clicks.append((one.light.frame.meta.mid_time, _on_reference(one, position, rule.settle)))
    (before, start), (after, end) = clicks
    hours = (after - before).total_seconds() / 3600.0  # type: ignore[operator]
    if hours == 0:
        raise InputError("comet: both clicks are in frames of one time; click in the first and in the last light")
    velocity = (end - start) / hours
    return Track(time, start + velocity * ((time - before).total_seconds() / 3600.0), velocity)  # type: ignore[operator]


def _named(placed: Sequence[Placed], name: str) -> Placed:
    for one in placed:
        if name in (one.light.name, one.light.frame.path.stem, str(one.light.frame.path)):
            return one
    names = [one.light.name for one in placed]
    raise InputError(
        f"comet: no registered light is called {name!r}{nearest(name, names) or ';'} click in one that is in the stack"
    )


def _on_reference(one: Placed, click: np.ndarray, settle: int) -> np.ndarray:
    _, height, width = one.light.frame.shape
    if not (0 <= click[0] < width and 0 <= click[1] < height):
        raise InputError(
            f"comet: {click[0]:g},{click[1]:g} lies outside of {one.light.name}, which is {width} x {height} px"
        )
    if settle:
        click = _settled(one.light, click, settle)
    return one.registration.transform(click[None])[0]


def _settled(light: Light, click: np.ndarray, within: int) -> np.ndarray:
    """The centre of light about the brightest spot near a click."""
    from scipy.ndimage import gaussian_filter

    from firstlight.pipeline.register import luminance

    x, y = np.rint(click).astype(int)
    reach = within + 24
    height, width = light.frame.shape[1:]
    left, top = max(x - reach, 0), max(y - reach, 0)
    plane = luminance(light)[top : min(y + reach + 1, height), left : min(x + reach + 1, width)]
    smooth = gaussian_filter(plane.astype(np.float64), 2.0) - np.median(plane)
    yy, xx = np.mgrid[: plane.shape[0], : plane.shape[1]]
    near = np.hypot(xx - (click[0] - left), yy - (click[1] - top)) <= within
    peak_y, peak_x = np.unravel_index(int(np.argmax(np.where(near, smooth, -np.inf))), smooth.shape)
    centre = np.array([peak_x, peak_y], np.float64)
    for _ in range(20):
        # A Gaussian window about the centre: what lies beside it pulls little.
        window = np.exp(-((xx - centre[0]) ** 2 + (yy - centre[1]) ** 2) / (2 * 4.0**2)) * np.maximum(smooth, 0)
        total = window.sum()
        if total <= 0:
            return click
        moved = np.array([(xx * window).sum(), (yy * window).sum()]) / total
        step = 2 * (moved - centre)
        centre = centre + step
        if np.hypot(*step) < 1e-3:
            break
    found = centre + np.array([left, top])
    return found if np.hypot(*(found - click)) <= 2 * within else click


def _motion_of_rate(reference: Light, rule: Comet) -> np.ndarray:
    from firstlight.ops.align.plates import motion_on

    plate = reference.frame.plate
    if plate is None:
        raise InputError(
            f"--comet-rate: {reference.name}, the reference, has no plate (WCS), which tells where north is; give two "
            f"clicks (--comet-first, --comet-last), or --comet-drift in px/h"
        )
    _, height, width = reference.frame.shape
    try:
        return motion_on(plate, np.array([(width - 1) / 2, (height - 1) / 2]), rule.rate, rule.angle)
    except FrameError as error:
        raise InputError(f"--comet-rate: {reference.name}: {error}") from error
