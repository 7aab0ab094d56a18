"""How well the mount was guided: numbers and a plot."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.observe.guiding.step import GuideStep
from firstlight.pipeline.series_plot import new_figure, save

RA, DEC, SOFT = "#1f4e9c", "#c0392b", "#8a8a8a"
RECENT = 100
"""Frames of the running figures."""


@dataclass(frozen=True)
class Rms:
    """Scatter of the star about its mean place, px."""

    ra: float
    dec: float
    n: int
    lost: int = 0
    ra_peak: float = 0.0
    dec_peak: float = 0.0

    @property
    def total(self) -> float:
        """Both axes together."""
        return math.hypot(self.ra, self.dec)

    def text(self, scale: float | None) -> str:
        """For a person; in arcsec too, where the pixel scale is known.

        >>> Rms(0.3, 0.4, 100).text(2.0)
        'RMS RA 0.30 px (0.60"), Dec 0.40 px (0.80"), total 0.50 px (1.00")'
        """

        def shown(px: float) -> str:
            return f"{px:.2f} px" + (f' ({px * scale:.2f}")' if scale else "")

        return f"RMS RA {shown(self.ra)}, Dec {shown(self.dec)}, total {shown(self.total)}"


def rms_of(steps: Sequence[GuideStep]) -> Rms:
    """Figures of these frames; lost ones and those on the way of a dither take no part.

    >>> rms_of([GuideStep(1, 2.0, ra=1.0), GuideStep(2, 4.0, ra=-1.0), GuideStep(3, 6.0, lost="clouds")])
    Rms(ra=1.0, dec=0.0, n=2, lost=1, ra_peak=1.0, dec_peak=0.0)
    """
    good = [step for step in steps if not step.lost and not step.dithering]
    lost = sum(1 for step in steps if step.lost)
    if not good:
        return Rms(0.0, 0.0, 0, lost)
    ra, dec = np.array([step.ra for step in good]), np.array([step.dec for step in good])
    return Rms(float(ra.std()), float(dec.std()), len(good), lost, float(np.abs(ra).max()), float(np.abs(dec).max()))


class Recent:
    """Figures of the last frames."""

    def __init__(self) -> None:
        self._steps: deque[GuideStep] = deque(maxlen=RECENT)

    def add(self, step: GuideStep) -> Rms:
        """With one more."""
        self._steps.append(step)
        return rms_of(self._steps)


def draw_guiding(steps: Sequence[GuideStep], path: Path, scale: float | None = None, title: str = "Guiding") -> Path:
    """Plot offsets and pulses over time, and where the star was on the sensor, as PNG."""
    factor, unit = (scale, "arcsec") if scale else (1.0, "px")
    figure = new_figure(10.0, 6.0)
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 1), height_ratios=(2, 1))
    top, cloud = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    low = figure.add_subplot(grid[1, 0], sharex=top)
    good = [step for step in steps if not step.lost]
    minutes = np.array([step.time for step in good]) / 60.0
    for name, values, pulses, colour in (
        ("RA", [s.ra for s in good], [s.ra_pulse for s in good], RA),
        ("Dec", [s.dec for s in good], [s.dec_pulse for s in good], DEC),
    ):
        top.plot(minutes, factor * np.array(values), color=colour, linewidth=0.8, label=name)
        low.vlines(minutes, 0.0, pulses, color=colour, linewidth=0.8)
    for axes in (top, low):
        for step in steps:
            if step.lost:
                axes.axvline(step.time / 60.0, color=SOFT, linewidth=0.5, alpha=0.5)
        axes.axhline(0.0, color="black", linewidth=0.5)
    calm = [s for s in good if not s.dithering]
    cloud.plot([factor * s.ra for s in calm], [factor * s.dec for s in calm], ".", color=RA, markersize=3)
    reach = 1.1 * factor * max([0.5, *(math.hypot(s.ra, s.dec) for s in calm)])
    cloud.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel=f"RA ({unit})", ylabel=f"Dec ({unit})")
    figures = rms_of(steps)
    top.set(ylabel=f"offset ({unit})")
    figure.suptitle(title, x=0.02, ha="left", weight="bold")
    top.set_title(f"{figures.n} frames, {figures.lost} lost. {figures.text(scale)}", loc="left", fontsize=9)
    top.legend(loc="upper right", fontsize=8)
    low.set(xlabel="minutes", ylabel="pulses (s)")
    return save(figure, path)
