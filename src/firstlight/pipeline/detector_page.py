"""One page of plots of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.pipeline.detector_numbers import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (16.5, 11.7)
"""Inches: A3, landscape."""
INK = {"mono": "#30507a", "R": "#b8413a", "G": "#3d8b50", "B": "#3a66b8"}
OTHER = "#555555"
SMALL = 8


def draw_page(measured: Measured, rows: Sequence[tuple[str, str]]) -> Figure:
    """Plots of all that was measured; what was not is said in its panel. Nothing is written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 4, width_ratios=(1.25, 1, 1, 1))
    panels = [figure.add_subplot(grid[i, j]) for i in range(3) for j in range(1, 4)]
    _words(figure.add_subplot(grid[:, 0]), measured, rows)
    drawn = (
        _histogram, _log_histogram, _transfer, _linearity, _deviations, _dark_current, _dark_map, _flat_map, _defects
    )  # fmt: skip
    for axes, draw in zip(panels, drawn):
        axes.tick_params(labelsize=SMALL)
        draw(axes, measured)
        axes.title.set_fontsize(10)
        axes.xaxis.label.set_fontsize(SMALL + 1)
        axes.yaxis.label.set_fontsize(SMALL + 1)
    return figure


def _ink(name: str) -> str:
    return INK.get(name, OTHER)


def _none(axes: Any, title: str, why: str) -> None:
    axes.set_title(title)
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color=OTHER, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def _words(axes: Any, measured: Measured, rows: Sequence[tuple[str, str]]) -> None:
    import textwrap

    axes.axis("off")
    meta = measured.frames.meta
    setting = [f"gain {meta.gain_setting:g}"] if meta.gain_setting is not None else []
    setting += [f"offset {meta.offset:g}"] if meta.offset is not None else []
    setting += [meta.readout_mode] if meta.readout_mode else []
    setting += [f"binning {meta.binning[0]}x{meta.binning[1]}"]
    channels, height, width = measured.frames.shape
    kind = f"{meta.cfa} mosaic" if meta.cfa else "mono" if channels == 1 else f"{channels} channels"
    counts = ", ".join(f"{n} {kind}" for kind, n in measured.frames.n_frames.items() if n)
    y = 1.0
    for text, size, weight in (
        (meta.camera or "unnamed camera", 15, "bold"), (", ".join(setting), 10, "normal"),
        (f"{width} x {height} px, {kind}; from {counts} frames", 9, "normal"),
    ):  # fmt: skip
        for line in textwrap.wrap(text, 34 if size > 12 else 62):
            axes.text(0, y, line, fontsize=size, weight=weight, va="top", transform=axes.transAxes)
            y -= 0.0022 * size
        y -= 0.004
    y -= 0.012
    notes = [("note", note) for note in measured.notes[:6]]
    for name, value in [*rows, *notes]:
        axes.text(0, y, name, fontsize=8.5, va="top", color=OTHER, transform=axes.transAxes)
        for line in textwrap.wrap(value, 43) or [""]:
            axes.text(0.37, y, line, fontsize=8.5, va="top", transform=axes.transAxes)
            y -= 0.0165
        y -= 0.003


def _histogram(axes: Any, measured: Measured, log: bool = False) -> None:
    title = "Noise of a bias frame" + (" (log)" if log else "")
    if measured.histogram is None:
        _none(axes, title, "takes two bias frames")
        return
    counts, edges, sigma = measured.histogram
    centres, width = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
    axes.stairs(counts, edges, fill=True, color="#9db4cf")
    law = counts.sum() * width / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * (centres / sigma) ** 2)
    axes.plot(centres, law, color="#b8413a", lw=1.2, label=f"normal law, {sigma:.3g} adu")
    axes.set_title(title)
    axes.set_xlabel("difference of two frames / sqrt 2, adu")
    axes.set_ylabel("pixels")
    if log:
        axes.set_yscale("log")
    axes.set_ylim(0.5 if log else 0, counts.max() * (8 if log else 1.2))
    axes.legend(fontsize=SMALL, frameon=False, loc="upper center")


def _log_histogram(axes: Any, measured: Measured) -> None:
    _histogram(axes, measured, log=True)


def _transfer(axes: Any, measured: Measured) -> None:
    shown = {name: c for name, c in measured.colours.items() if c.points is not None and len(c.points.signal)}
    if not shown:
        _none(axes, "Photon transfer curve", "takes two flats of one exposure")
        return
    for name, c in shown.items():
        points = c.points.binned(60)  # type: ignore[union-attr]
        axes.plot(points.signal, points.variance, "o", ms=3, color=_ink(name), alpha=0.7)
        if c.transfer:
            low, high = max(points.signal.min() / 3, 0.5), points.signal.max()
            x = np.geomspace(low, high, 80)
            axes.plot(x, c.transfer.variance(x), lw=1, color=_ink(name), label=f"{name}: {c.gain:.4g} e-/adu")
        if c.read_noise:
            axes.axhline(c.read_noise.adu**2, color=_ink(name), ls=":", lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="signal, adu", ylabel="variance, adu$^2$")
    axes.set_title("Photon transfer curve (dotted: read noise)")
    axes.legend(fontsize=SMALL, frameon=False)


def _linearity(axes: Any, measured: Measured) -> None:
    shown = {name: c for name, c in measured.colours.items() if c.linearity}
    if not shown:
        _none(axes, "Linearity", "takes flats of three exposures")
        return
    for name, c in shown.items():
        x = np.array([level.exposure for level in c.levels])
        y = np.array([level.signal for level in c.levels])
        full = np.array([level.saturated for level in c.levels])
        line = c.linearity.intercept + c.linearity.rate * x  # type: ignore[union-attr]
        axes.plot(x[~full], y[~full], "o", ms=4, color=_ink(name))
        axes.plot(x[full], y[full], "x", ms=5, color=_ink(name))
        axes.plot(x, line, lw=1, color=_ink(name), label=f"{name}: R2 {c.linearity.r2:.6f}")  # type: ignore[union-attr]
    axes.set(xlabel="exposure, s", ylabel="signal, adu")
    axes.set_title("Linearity (crosses: saturated)")
    axes.legend(fontsize=SMALL, frameon=False)


def _deviations(axes: Any, measured: Measured) -> None:
    shown = {name: c for name, c in measured.colours.items() if c.linearity}
    if not shown:
        _none(axes, "Off the straight line", "takes flats of three exposures")
        return
    for name, c in shown.items():
        axes.plot([v.signal for v in c.levels], c.linearity.deviations, "o-", ms=4, lw=0.8, color=_ink(name))  # type: ignore[union-attr]
        if len(shown) == 1:
            for level, off in zip(c.levels, c.linearity.deviations):  # type: ignore[union-attr]
                if np.isfinite(off):
                    axes.annotate(
                        f"{off:+.2f}", (level.signal, off), fontsize=6, xytext=(3, 3), textcoords="offset points"
                    )
    axes.axhline(0, color=OTHER, lw=0.6)
    axes.margins(y=0.2)
    axes.set(xlabel="signal, adu", ylabel="%")
    axes.set_title("Off the straight line")


def _dark_current(axes: Any, measured: Measured) -> None:
    if not measured.rates:
        _none(axes, "Dark current", "takes darks and bias frames")
        return
    many = len(measured.rates) > 1
    for number, rate in enumerate(measured.rates):
        ink = f"C{number}"
        label = "" if rate.temperature is None else f"{rate.temperature:g} C"
        said = f"{label}: {rate.rate:.3g} e-/s" if np.isfinite(rate.rate) else label
        axes.plot(rate.exposures, rate.levels, "o-", ms=4, lw=0.8, color=ink, label=said)
    axes.set(xlabel="exposure, s", ylabel="above the bias, adu")
    double = f"; doubles every {measured.doubling[0]:.2f} C" if measured.doubling and many else ""
    axes.set_title(f"Dark current{double}")
    axes.legend(fontsize=SMALL, frameon=False)


def _picture(axes: Any, plane: np.ndarray, title: str, unit: str, low: float = 1.0, high: float = 99.0) -> None:
    step = max(1, max(plane.shape) // 700)
    rows, columns = plane.shape[0] // step * step, plane.shape[1] // step * step
    # Means of blocks: single bright pixels fade, glow and dust stay.
    shown = plane[:rows, :columns].reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    bounds = np.nanpercentile(shown, [low, high])
    extent = (0.5, columns + 0.5, rows + 0.5, 0.5)
    drawn = axes.imshow(shown, cmap="gray", vmin=bounds[0], vmax=bounds[1], extent=extent, interpolation="nearest")
    axes.figure.colorbar(drawn, ax=axes, shrink=0.85).ax.tick_params(labelsize=6)
    axes.set_title(f"{title}, {unit}")


def _dark_map(axes: Any, measured: Measured) -> None:
    bad = measured.bad
    if bad is None or bad.dark_rate is None:
        _none(axes, "Dark", "takes darks")
        return
    gain = measured.gain
    dark = bad.dark[0].meta
    at = f" {dark.exposure:g} s" if dark.exposure else ""
    _picture(axes, bad.dark_rate * (gain or 1.0), f"Dark of{at}: glow, lines", "e-/s" if gain else "adu/s", 2, 98)


def _flat_map(axes: Any, measured: Measured) -> None:
    if measured.bad is None or measured.bad.flat is None:
        _none(axes, "Flat", "takes flats")
        return
    flat = measured.bad.flat
    if measured.frames.meta.cfa:
        flat = sum(flat[j::2, i::2][: flat.shape[0] // 2, : flat.shape[1] // 2] for j in (0, 1) for i in (0, 1)) / 4
    _picture(axes, flat, "Flat: vignetting, dust", "mean 1", 0.5, 99.5)


def _defects(axes: Any, measured: Measured) -> None:
    bad = measured.bad
    if bad is None or bad.excess is None:
        _none(axes, "Hot pixels", "takes darks")
        return
    gain = measured.gain or 1.0
    values = np.sort((bad.excess * gain).ravel())[::-1]
    values = values[values > 0]
    if not len(values):
        _none(axes, "Hot pixels", "none")
        return
    share = np.arange(1, len(values) + 1) / bad.excess.size
    pick = np.unique(np.geomspace(1, len(values), 400).astype(int)) - 1
    axes.plot(values[pick], 100 * share[pick], color=_ink("mono"), lw=1.2)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="dark current above the neighbours, " + ("e-/s" if measured.gain else "adu/s"),
    )
    axes.set_ylabel("% of the pixels above that")
    axes.set_title(f"{np.count_nonzero(bad.hot)} hot pixels, {np.count_nonzero(bad.warm)} warm")
