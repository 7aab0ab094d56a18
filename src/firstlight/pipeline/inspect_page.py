"""Pictures that show how good an image is: corners, maps of width and elongation, stars, histogram, preview."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.model.image import Image
from firstlight.model.star_table import StarTable
from firstlight.ops.inspect.field_shape import NAMES, FieldShape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = ("#30507a", "#3d8b50", "#b8413a")
CHANNELS = {1: ("#444444",), 3: ("#b8413a", "#3d8b50", "#3a66b8")}
SMALL = 8
STARS_DRAWN = 4000


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def zscale(plane: np.ndarray, contrast: float = 0.25) -> tuple[float, float]:
    """Black and white of a picture, as IRAF's display chooses them.

    >>> low, high = zscale(np.random.default_rng(1).normal(100, 5, (200, 200)))
    >>> 80 < low < 100 < high < 120
    True
    """
    from astropy.visualization import ZScaleInterval

    finite = plane[np.isfinite(plane)]
    if len(finite) == 0:
        return 0.0, 1.0
    low, high = ZScaleInterval(contrast=contrast).get_limits(finite[:: max(1, len(finite) // 200_000)])
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def _reduced(plane: np.ndarray, most: int = 1400) -> np.ndarray:
    step = max(1, math.ceil(max(plane.shape) / most))
    rows, columns = plane.shape[0] // step * step, plane.shape[1] // step * step
    with np.errstate(invalid="ignore"):
        return plane[:rows, :columns].reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))


def draw_corners(plane: np.ndarray, shape: FieldShape | None, side: int, title: str) -> Figure:
    """Nine pieces at full size: corners, edges and the middle, with the width of the stars in each."""
    figure = _figure(11, 11.6)
    height, width = plane.shape
    side = max(16, min(side, height // 3, width // 3))
    axes = figure.subplots(3, 3)
    low, high = zscale(plane)
    # So that the shape of stars shows, and not only their wings.
    high = low + 3 * (high - low)
    for j, y in enumerate((0, (height - side) // 2, height - side)):
        for i, x in enumerate((0, (width - side) // 2, width - side)):
            panel = axes[j, i]
            panel.imshow(plane[y : y + side, x : x + side], cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            panel.set_xticks([])
            panel.set_yticks([])
            words = NAMES[j][i]
            if shape is not None and np.isfinite(shape.fwhm[j, i]):
                words += f": {shape.fwhm[j, i]:.2f} px, e {shape.eccentricity[j, i]:.2f}"
            panel.set_title(words, fontsize=SMALL + 1)
    figure.suptitle(f"{title}: nine pieces of {side} x {side} px", fontsize=11)
    return figure


def draw_field(table: StarTable, shape: FieldShape, title: str) -> Figure:
    """Maps of width and eccentricity, the elongation of stars as strokes, the tilt as a box, and the words."""
    height, width = shape.shape
    figure = _figure(13, 10)
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 1, 0.28))
    across, down = np.meshgrid(np.linspace(0, width - 1, 120), np.linspace(0, height - 1, 90))
    smooth = shape.at(across.ravel(), down.ravel()).reshape(across.shape)
    panel = figure.add_subplot(grid[0, 0])
    drawn = panel.imshow(smooth, extent=(0, width, height, 0), cmap="viridis", aspect="equal")
    lines = panel.contour(across, down, smooth, colors="white", linewidths=0.6)
    panel.clabel(lines, fontsize=SMALL, fmt="%.2f")
    figure.colorbar(drawn, ax=panel, label="FWHM, px")
    panel.set_title("width, smooth map")
    panel = figure.add_subplot(grid[0, 1])
    shown = np.argsort(-np.nan_to_num(table.snr))[:STARS_DRAWN]
    drawn = panel.scatter(table.x[shown], table.y[shown], c=table.eccentricity[shown], s=9, cmap="magma_r", vmin=0,
                          vmax=max(0.5, float(np.nanpercentile(table.eccentricity, 95))))  # fmt: skip
    _frame(panel, width, height, "eccentricity of single stars")
    figure.colorbar(drawn, ax=panel, label="eccentricity")
    panel = figure.add_subplot(grid[1, 0])
    _strokes(panel, table, shape)
    panel = figure.add_subplot(grid[1, 1])
    _box(panel, shape)
    words = figure.add_subplot(grid[2, :])
    words.axis("off")
    words.text(0.0, 1.0, "\n".join(shape.words()), va="top", fontsize=11)
    figure.suptitle(title, fontsize=12)
    return figure


def _frame(panel: Any, width: int, height: int, title: str) -> None:
    panel.set_xlim(0, width)
    panel.set_ylim(height, 0)
    panel.set_aspect("equal")
    panel.set_title(title)
    panel.tick_params(labelsize=SMALL)


def _strokes(panel: Any, table: StarTable, shape: FieldShape) -> None:
    """Mean elongation in the cells of a grid, as strokes along it."""
    height, width = shape.shape
    n = int(np.clip(math.sqrt(len(table) / 6), 3, 12))
    e = table.eccentricity**2 / (2 - table.eccentricity**2)
    e1, e2 = e * np.cos(np.radians(2 * table.angle)), e * np.sin(np.radians(2 * table.angle))
    column = np.clip(n * table.x // width, 0, n - 1)
    row = np.clip(n * table.y // height, 0, n - 1)
    xs, ys, us, vs = [], [], [], []
    for j in range(n):
        for i in range(n):
            members = (row == j) & (column == i)
            if members.sum() >= 3:
                a, b = float(np.mean(e1[members])), float(np.mean(e2[members]))
                size, turn = math.hypot(a, b), 0.5 * math.atan2(b, a)
                xs.append((i + 0.5) * width / n)
                ys.append((j + 0.5) * height / n)
                us.append(size * math.cos(turn))
                vs.append(size * math.sin(turn))
    if xs:
        longest = max(max(map(math.hypot, us, vs)), 0.05)
        panel.quiver(xs, ys, us, vs, angles="xy", pivot="middle", headlength=0, headaxislength=0, headwidth=0,
                     scale=longest * n * 1.1, scale_units="width", width=0.004, color=INK[2])  # fmt: skip
    _frame(panel, width, height, "direction of elongation")


def _box(panel: Any, shape: FieldShape) -> None:
    """The frame, each corner drawn out by how wide its stars are: leaning for tilt, as the inspectors draw it."""
    height, width = shape.shape
    corners = shape.corners
    least = min(corners.values())
    exaggeration = 2.5
    middle = np.array([width / 2, height / 2])
    points = []
    for name, x, y in (
        ("top left", 0, 0), ("top right", width, 0), ("bottom right", width, height), ("bottom left", 0, height)
    ):  # fmt: skip
        factor = 0.6 * (1 + exaggeration * (corners[name] / least - 1))
        points.append(middle + factor * (np.array([x, y]) - middle))
    outline = np.array([*points, points[0]])
    square = middle + 0.6 * (np.array([[0, 0], [width, 0], [width, height], [0, height], [0, 0]]) - middle)
    panel.plot(*square.T, color="#aaaaaa", linewidth=1)
    panel.plot(*outline.T, color=INK[0], linewidth=2)
    names = ("top left", "top right", "bottom right", "bottom left")
    for name, point in zip(names, points):
        panel.text(*point, f"{corners[name]:.2f}", ha="center", va="center", fontsize=10,
                   bbox={"facecolor": "white", "edgecolor": INK[0], "pad": 2})  # fmt: skip
    panel.text(*middle, f"centre {shape.centre:.2f} px", ha="center", va="center", fontsize=10)
    reach = np.abs(outline - middle).max(axis=0) * 1.15
    panel.set_xlim(middle[0] - reach[0], middle[0] + reach[0])
    panel.set_ylim(middle[1] + reach[1], middle[1] - reach[1])
    panel.set_aspect("equal")
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_title(f"tilt {shape.tilt:.0f} %, curvature {shape.curvature:+.0f} % (drawn {exaggeration:g} times)")


def draw_stars(plane: np.ndarray, table: StarTable, title: str) -> Figure:
    """The image with its stars, and their widths by brightness."""
    figure = _figure(15, 7)
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    low, high = zscale(plane)
    small = _reduced(plane)
    left.imshow(
        small, cmap="gray", vmin=low, vmax=high, extent=(-0.5, plane.shape[1] - 0.5, plane.shape[0] - 0.5, -0.5)
    )
    for mark, colour, words in (
        (~table.saturated.astype(bool) & ~table.companion.astype(bool), INK[1], "stars"),
        (table.companion.astype(bool), "#33b5c8", "beside others"),
        (table.saturated.astype(bool), INK[2], "saturated"),
    ):
        some = np.flatnonzero(mark)[:STARS_DRAWN]
        if len(some):
            left.scatter(table.x[some], table.y[some], s=28, facecolors="none", edgecolors=colour, linewidths=0.8,
                         label=f"{int(mark.sum())} {words}")  # fmt: skip
    left.legend(fontsize=SMALL, loc="upper right")
    left.set_title(f"{len(table)} stars")
    right.scatter(table.flux, table.fwhm, s=6, c=INK[0], alpha=0.5)
    right.set_xscale("log")
    middle = float(np.nanmedian(table.fwhm)) if np.isfinite(table.fwhm).any() else 1.0
    right.axhline(middle, color=INK[2], linewidth=1)
    right.set_ylim(0, 2.5 * middle)
    right.set_xlabel("flux")
    right.set_ylabel("FWHM, px")
    right.set_title(f"median FWHM {middle:.2f} px")
    figure.suptitle(title, fontsize=12)
    return figure


def draw_histogram(image: Image, rows: list[tuple[str, str]], title: str) -> Figure:
    """Counts of each channel, whole range and around the sky, and statistics."""
    figure = _figure(14, 6)
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 0.8))
    colours = CHANNELS.get(image.shape[0], tuple("#444444" for _ in range(image.shape[0])))
    planes = [plane[np.isfinite(plane)] for plane in image.data]
    values = np.concatenate([plane[:: max(1, len(plane) // 500_000)] for plane in planes])
    if len(values):
        low, high = np.percentile(values, [0.5, 97.0])
        whole = (float(values.min()), float(values.max()))
        for panel, (first, last), words in (
            (panels[0], whole, "all values"), (panels[1], (float(low), float(high)), "around the sky")
        ):  # fmt: skip
            last = last if last > first else first + 1.0
            # Bins finer than the steps of whole numbers would draw a comb.
            whole_numbers = bool((values == np.rint(values)).all())
            bins = int(np.clip(round(last - first), 8, 256)) if whole_numbers and last - first < 2048 else 256
            for plane, colour in zip(planes, colours):
                panel.hist(plane, bins, range=(first, last), histtype="step", color=colour)
            panel.set_yscale("log")
            panel.set_title(words)
            panel.set_xlabel(image.unit.value)
            panel.tick_params(labelsize=SMALL)
    panels[2].axis("off")
    panels[2].text(0, 1, "\n".join(f"{name:<12} {value}" for name, value in rows), va="top", family="monospace",
                   fontsize=9)  # fmt: skip
    figure.suptitle(title, fontsize=12)
    return figure


def draw_preview(image: Image, colours: str, bar: bool, title: str) -> Figure:
    """The image between the limits of zscale; a colour map and a colour bar where asked for (mono)."""
    height, width = image.shape[1:]
    figure = _figure(10.0 + (1.0 if bar else 0.0), max(2.0, 10.0 * height / width) + 0.4)
    panel = figure.add_subplot()
    if image.shape[0] == 3 and not colours:
        planes = []
        for plane in image.data:
            low, high = zscale(plane)
            planes.append(np.clip((_reduced(plane) - low) / (high - low), 0, 1))
        panel.imshow(np.nan_to_num(np.stack(planes, axis=-1)))
    else:
        plane = image.data.mean(axis=0)
        low, high = zscale(plane)
        drawn = panel.imshow(_reduced(plane), cmap=colours or "gray", vmin=low, vmax=high)
        if bar:
            figure.colorbar(drawn, ax=panel, label=image.unit.value, fraction=0.04)
    panel.axis("off")
    panel.set_title(title, fontsize=10)
    return figure
