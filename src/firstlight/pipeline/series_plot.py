"""Plots of light curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.io.atomic import atomic_path
from firstlight.ops.catalog.detrend import Event
from firstlight.ops.catalog.variability import Variability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from firstlight.pipeline.series_curve import Curve
    from firstlight.pipeline.timeseries import Series

STAR, CHECK, FLAGGED, LINE, SOFT = "#1f4e9c", "#8a8a8a", "#c0392b", "#e08e0b", "#555555"
DPI = 150
FEW = 60
"""Points up to which markers are large."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all, the same bytes each time."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return path


def draw_curve(series: Series, curve: Curve, event: Event | None = None) -> Figure:
    """Light curve (with the event that was fitted), check star, and the circumstances under them."""
    r = series.reduced
    figure = new_figure(9.5, 7.6)
    grid = figure.add_gridspec(3, 1, height_ratios=(3.2, 1.1, 1.3))
    top = figure.add_subplot(grid[0])
    check_axes, low = figure.add_subplot(grid[1], sharex=top), figure.add_subplot(grid[2], sharex=top)
    day = np.floor(np.nanmin(r.times))
    t = r.times - day
    _curve_panel(top, curve, t, r, event)
    span = np.ptp(top.get_ylim())
    _check_panel(check_axes, series, t, span)
    _circumstances(low, series, curve, t)
    low.set_xlabel(f"{'BJD (TDB)' if r.is_bjd else 'JD (UTC)'} - {day:.0f}")
    for axes in (top, check_axes):
        axes.tick_params(labelbottom=False)
    for axes in (top, check_axes, low):
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.tick_params(labelsize=9)
    filters = f", {series.filter}" if series.filter else ""
    top.set_title(f"{curve.name}{filters}", loc="left", fontsize=14, weight="bold")
    top.set_title(_subtitle(series, curve), loc="right", fontsize=9, color=SOFT)
    return figure


def _subtitle(series: Series, curve: Curve) -> str:
    r = series.reduced
    error = 1000 * float(np.nanmedian(curve.error))
    return f"{int(curve.good.sum())} points, {len(r.choice.stars)} comparison stars, error {error:.1f} mmag"


def _curve_panel(axes: Any, curve: Curve, t: np.ndarray, r: Any, event: Event | None) -> None:
    # Without a catalogue the number of the median says nothing.
    middle = 0.0 if r.standard is not None else float(np.nanmedian(curve.detrended.magnitude))
    values = curve.detrended.magnitude - middle
    good, bad = curve.good, ~curve.good & np.isfinite(values)
    size = 6 if len(t) <= FEW else 4 if len(t) <= 400 else 2.5
    axes.errorbar(
        t[good], values[good], curve.error[good], fmt="o", ms=size, color=STAR, ecolor="#9bb3dc", elinewidth=1.0,
        capsize=0, zorder=3, label="detrended" if curve.detrended.coefficients else None,
    )  # fmt: skip
    if bad.any():
        axes.plot(t[bad], values[bad], "x", ms=size + 1, color=FLAGGED, zorder=2, label="flagged")
    if curve.detrended.coefficients:
        axes.plot(t, curve.magnitude - middle, ".", ms=size, color="#c9c9c9", zorder=1, label="as measured")
    if good.sum() >= 60:
        middle, level, error = _binned(t[good], values[good], curve.error[good])
        axes.errorbar(middle, level, error, fmt="s", ms=5, color=LINE, zorder=4, label="means")
    axes.set_ylabel("magnitude" if r.standard is not None else "magnitude less the median")
    shown = values[good] if good.any() else values[np.isfinite(values)]
    if len(shown):
        room = max(0.12 * np.ptp(shown), 3 * float(np.nanmedian(curve.error)))
        axes.set_ylim(shown.max() + room, shown.min() - room)
    if curve.detrended.depth is not None:
        depth, error = curve.detrended.depth
        if event is not None:
            fine = np.linspace(t.min(), t.max(), 800)
            shape = event.shape(fine + (r.times[0] - t[0]))
            rest = values[good] - depth * event.shape(r.times)[good]
            level = float(np.average(rest, weights=curve.error[good] ** -2.0))
            axes.plot(fine, level + depth * shape, "-", color=LINE, linewidth=1.6, zorder=2)
        axes.text(
            0.015, 0.04, f"depth {1000 * depth:.1f} ± {1000 * error:.1f} mmag", transform=axes.transAxes, fontsize=10,
            color=SOFT,
        )  # fmt: skip
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize=8, framealpha=0.8)


def _binned(t: np.ndarray, values: np.ndarray, error: np.ndarray, n: int = 25) -> tuple[np.ndarray, ...]:
    place = np.clip(((t - t.min()) / max(np.ptp(t), 1e-9) * n).astype(int), 0, n - 1)
    weight = error**-2.0
    total = np.bincount(place, weight, n)
    seen = total > 0
    middle, level = (np.bincount(place, weight * each, n)[seen] / total[seen] for each in (t, values))
    return middle, level, total[seen] ** -0.5


def _check_panel(axes: Any, series: Series, t: np.ndarray, span: float) -> None:
    check = series.reduced.check
    axes.set_ylabel("check star")
    if check is None:
        axes.text(0.5, 0.5, "no check star", ha="center", va="center", transform=axes.transAxes, color=SOFT)
        return
    rest = check.magnitude - np.nanmedian(check.magnitude)
    axes.axhline(0, color="#bbbbbb", linewidth=0.8)
    axes.errorbar(t, rest, check.error, fmt="o", ms=3.5, color=CHECK, ecolor="#d0d0d0", elinewidth=0.8)
    # The same scale as above, unless the check star needs more.
    half = max(span * 1.1 / 3.2 / 2, 1.15 * float(np.nanmax(np.abs(rest) + check.error)))
    axes.set_ylim(half, -half)


def _circumstances(axes: Any, series: Series, curve: Curve, t: np.ndarray) -> None:
    r, fluxes = series.reduced, series.fluxes
    axes.plot(t, -r.choice.ensemble.zero, "-", color="#3d8b50", linewidth=1.2)
    axes.set_ylabel("transparency, mag", color="#3d8b50")
    right = axes.twinx()
    known = np.isfinite(r.airmass)
    if known.any():
        right.plot(t[known], r.airmass[known], "-", color=LINE, linewidth=1.2)
        right.set_ylabel("airmass", color=LINE)
        right.invert_yaxis()
    else:
        right.plot(t, fluxes.fwhm, "-", color=LINE, linewidth=1.2)
        right.set_ylabel("FWHM, px", color=LINE)
    right.tick_params(labelsize=9)


def draw_scatter(series: Series, variables: Variability) -> Figure:
    """Scatter of all stars against their magnitude, the variable ones marked."""
    r = series.reduced
    figure = new_figure(9.0, 6.4)
    axes = figure.add_subplot()
    zero = r.standard[0] if r.standard is not None else 0.0
    m, s = variables.magnitude + zero, 1000 * variables.scatter
    known = np.isfinite(m) & np.isfinite(s) & (s > 0)
    used = np.zeros(len(m), bool)
    used[r.choice.stars] = True
    plain = known & ~variables.is_variable & ~used
    axes.plot(m[plain], s[plain], "o", ms=3.5, color="#7f9ccb", alpha=0.75, label="stars")
    axes.plot(m[known & used], s[known & used], "o", ms=4, color="#3d8b50", label="comparison stars")
    found = known & variables.is_variable
    axes.plot(m[found], s[found], "D", ms=6, mfc="none", mec=FLAGGED, mew=1.4, label="variable")
    for star in np.flatnonzero(found)[:40]:
        axes.annotate(f" {star + 1}", (m[star], s[star]), fontsize=8, color=FLAGGED)
    order = np.flatnonzero(known)[np.argsort(m[known])]
    if len(order):
        expected = 1000 * np.sqrt(np.nanmedian(r.errors[:, order] ** 2, axis=0))
        axes.plot(m[order], _smooth(expected), "-", color=LINE, linewidth=1.4, label="expected by the errors")
    axes.set_yscale("log")
    axes.grid(alpha=0.25, which="both", linewidth=0.6)
    axes.set_xlabel("magnitude" if r.standard is not None else "magnitude, instrumental")
    axes.set_ylabel("scatter, mmag")
    axes.set_title(
        f"{series.target}: {int(known.sum())} stars in {len(r.jd)} frames", loc="left", fontsize=13, weight="bold"
    )
    axes.legend(loc="upper left", fontsize=9)
    return figure


def _smooth(values: np.ndarray, wide: int = 9) -> np.ndarray:
    half = wide // 2
    return np.array([np.nanmedian(values[max(i - half, 0) : i + half + 1]) for i in range(len(values))])
