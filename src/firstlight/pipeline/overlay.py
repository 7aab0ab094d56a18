"""Draw marks, a grid, directions and a scale bar over a picture, at its own size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from firstlight.model.plate import Plate
from firstlight.pipeline.sky_marks import GridLine, Mark, direction, field_of, length_of_bar

COLOURS = {
    "star": "#ffe08a", "galaxy": "#7fd1ff", "open cluster": "#ffc36b", "globular cluster": "#ffc36b",
    "planetary nebula": "#8dffb0",
}  # fmt: skip
OTHERS = "#ff9ea8"
SOFT = "#c8d4e6"
DPI = 100


def draw(
    picture: np.ndarray, *, marks: Sequence[Mark] = (), lines: Iterable[GridLine] = (), plate: Plate | None = None,
    compass: bool = False, bar: bool = False, caption: str = "", bottom_up: bool = False,
) -> np.ndarray:  # fmt: skip
    """The picture with what is drawn over it.

    Parameters
    ----------
    picture : float (channels, y, x) in 0..1, one or three channels.
    plate : for compass and scale bar.
    bottom_up : rows are shown from the last to the first, as FITS viewers do.

    Returns
    -------
    float32 (3, y, x) in 0..1, rows in the order of the picture given.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    channels, height, width = picture.shape
    rgb = np.clip(np.moveaxis(picture if channels == 3 else np.repeat(picture[:1], 3, axis=0), 0, -1), 0, 1)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(rgb, interpolation="nearest", aspect="auto", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(*((-0.5, height - 0.5) if bottom_up else (height - 0.5, -0.5)))
    size = float(np.clip(min(width, height) / 60.0, 7.0, 26.0))
    for line in lines:
        _draw_line(axes, line, size)
    taken: list[tuple[float, float, float, float]] = []
    for mark in marks:
        _draw_mark(axes, mark, size, taken, (width, height), bottom_up)
    if plate is not None and (compass or bar):
        _draw_frame(axes, plate, (height, width), size, compass, bar, bottom_up)
    if caption:
        _text(axes, 0.015, 0.015, caption, size, "#ffffff", transform=axes.transAxes, ha="left", va="bottom")
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[:, :, :3].astype(np.float32) / np.float32(255)
    if bottom_up:
        drawn = drawn[::-1]
    return np.ascontiguousarray(np.moveaxis(drawn, -1, 0))


def _text(axes, x, y, words, size, colour, **more):
    from matplotlib import patheffects

    halo = [patheffects.withStroke(linewidth=max(size / 6, 1.5), foreground="black", alpha=0.75)]
    # Points are 1/72 inch: a size in px.
    return axes.text(x, y, words, color=colour, fontsize=size * 72 / DPI, path_effects=halo, **more)


def _draw_line(axes, line: GridLine, size: float) -> None:
    axes.plot(line.points[:, 0], line.points[:, 1], color=SOFT, linewidth=max(size / 18, 0.6), alpha=0.45)
    inside = np.flatnonzero(np.isfinite(line.points).all(axis=1))
    low, high = (sorted(limit) for limit in (axes.get_xlim(), axes.get_ylim()))
    for k in inside:
        x, y = line.points[k]
        if low[0] + 2 * size < x < low[1] - 4 * size and high[0] + 2 * size < y < high[1] - 2 * size:
            _text(axes, x, y, line.label, 0.75 * size, SOFT, ha="center", va="center", clip_on=True)
            return


def _draw_mark(
    axes, mark: Mark, size: float, taken: list[tuple[float, float, float, float]], frame: tuple[int, int],
    bottom_up: bool,
) -> None:  # fmt: skip
    from matplotlib.patches import Ellipse

    colour = COLOURS.get(mark.kind, OTHERS)
    least = 1.6 * size
    wide, high = max(mark.major, least), max(mark.minor, least if mark.major < least else 0.4 * least)
    if mark.kind == "star":
        wide = high = least
    axes.add_patch(Ellipse(
        (mark.x, mark.y), wide, high, angle=mark.angle, fill=False, edgecolor=colour, linewidth=max(size / 12, 0.9),
        alpha=0.9,
    ))  # fmt: skip
    if not mark.label:
        return
    turn = np.radians(mark.angle)
    half_x = 0.5 * np.hypot(wide * np.cos(turn), high * np.sin(turn))
    half_y = 0.5 * np.hypot(wide * np.sin(turn), high * np.cos(turn))
    length, tall = 0.56 * size * len(mark.label), 1.25 * size
    width, height = frame
    up = 1.0 if bottom_up else -1.0
    for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)):
        # Far out large ones carry their name on the rim.
        x = mark.x + dx * (half_x + 0.5 * length + 0.3 * size)
        y = mark.y + up * dy * (half_y + 0.5 * tall + 0.2 * size)
        box = (x - length / 2, y - tall / 2, x + length / 2, y + tall / 2)
        if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height:
            continue
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            continue
        taken.append(box)
        _text(axes, x, y, mark.label, size, colour, ha="center", va="center")
        return


def _draw_frame(axes, plate: Plate, shape, size: float, compass: bool, bar: bool, bottom_up: bool) -> None:
    height, width = shape
    edge = 3.0 * size
    up = 1.0 if bottom_up else -1.0
    bottom = 0.0 if bottom_up else height - 1.0
    if bar:
        length, words = length_of_bar(plate, width)
        x, y = width - edge - length, bottom + up * 2.2 * size
        axes.plot([x, x + length], [y, y], color="black", linewidth=size / 3, alpha=0.6, solid_capstyle="butt")
        axes.plot([x, x + length], [y, y], color="white", linewidth=size / 6, solid_capstyle="butt")
        _text(axes, x + length / 2, y + up * 0.9 * size, words, size, "white", ha="center", va="center")
    if compass:
        ra, dec, _ = field_of(plate, shape)
        reach = 4.0 * size
        x, y = width - edge - reach, (height - 1.0 - bottom) - up * (edge + reach)
        for name, position_angle in (("N", 0.0), ("E", 90.0)):
            turn = np.radians(direction(plate, (ra, dec), position_angle))
            dx, dy = np.cos(turn), np.sin(turn)
            axes.annotate(
                "", xy=(x + reach * dx, y + reach * dy), xytext=(x, y),
                arrowprops={"arrowstyle": "-|>", "color": "white", "linewidth": max(size / 10, 1.0)},
            )  # fmt: skip
            _text(axes, x + 1.3 * reach * dx, y + 1.3 * reach * dy, name, size, "white", ha="center", va="center")
