"""The V-curve, drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firstlight.observe.focus import Focused
from firstlight.observe.vcurve import Parabola
from firstlight.pipeline.series_plot import new_figure, save

BLUE, RED, GREY = "#1f4e9c", "#c0392b", "#8a8a8a"


def draw_focus(found: Focused, path: Path) -> Path:
    """FWHM and contrast over the position, both parabolas, and the focus, as PNG."""
    figure = new_figure(8.0, 5.0)
    left = figure.add_subplot()
    right = left.twinx()
    x = np.array([each.position for each in found.samples], float)
    fwhm = np.array([each.fwhm for each in found.samples])
    contrast = np.array([each.contrast for each in found.samples])
    with np.errstate(divide="ignore", invalid="ignore"):
        rough = np.where(contrast > 0, contrast**-0.25, np.nan)
    unit = np.nanmin(rough) if np.isfinite(rough).any() else 1.0
    left.plot(x, fwhm, "o", color=BLUE, label="FWHM (px)")
    right.plot(x, rough / unit, "s", color=RED, markersize=4, label="contrast^(-1/4), least = 1")
    fine = np.linspace(x.min(), x.max(), 200)
    if found.fit.fwhm is not None:
        left.plot(
            fine,
            np.sqrt(np.maximum(found.fit.fwhm.at(fine), 0.0)),
            color=BLUE,
            linewidth=1,
            label=_told(found.fit.fwhm),
        )
    if found.fit.contrast is not None:
        right.plot(fine, found.fit.contrast.at(fine) / unit, color=RED, linewidth=1, label=_told(found.fit.contrast))
    left.axvline(found.position, color=GREY, linestyle="--", linewidth=1)
    left.set_ylim(bottom=0)
    right.set_ylim(bottom=0)
    left.set_xlabel("position (steps)")
    left.set_ylabel("FWHM (px)")
    right.set_ylabel("contrast^(-1/4)")
    of = f" of {found.filter}" if found.filter else ""
    left.set_title(f"Focus{of} at {found.position} by {found.fit.by}, FWHM {found.fwhm:.2f} px")
    lines = [*left.get_lines()[:2], *right.get_lines()]
    lines = [line for line in lines if not line.get_label().startswith("_")]
    left.legend(lines, [line.get_label() for line in lines], loc="upper center", fontsize=8)
    save(figure, path)
    return path


def _told(found: Parabola) -> str:
    return f"lowest at {found.vertex:.0f}, R^2 {found.r2:.2f}"
