"""Plots as SVG inside the page: crisp at every size, in the page's colours, every point told by its tip."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import numpy as np

WIDTH, HEIGHT = 520.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 10.0, 26.0


@dataclass(frozen=True)
class Point:
    """One frame in a plot."""

    x: float
    y: float
    series: int
    """Which of the filters."""
    good: bool
    tip: str


@dataclass(frozen=True)
class Axis:
    """Numbers from ``low`` to ``high`` with marks at round places."""

    low: float
    high: float
    marks: tuple[float, ...]
    words: Callable[[float], str]


def ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round numbers within.

    >>> ticks(0.0, 10.0)
    (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    """
    if not high > low:
        return (low,)
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def number_axis(values: Sequence[float], *, zero: bool = False) -> Axis:
    """An axis that holds these values with a little room."""
    low, high = min(values), max(values)
    low = min(low, 0.0) if zero else low
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = (low if zero else low - room), high + room
    marks = ticks(low, high)
    step = abs(marks[1] - marks[0]) if len(marks) > 1 else abs(high - low)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    # 2.5 needs a digit more than its size says.
    digits += 1 if len(marks) > 1 and abs(step * 10**digits - round(step * 10**digits)) > 1e-6 else 0

    def words(value: float) -> str:
        return f"{value:,.{min(digits, 4)}f}".replace(",", "\u2009")

    return Axis(low, high, marks, words)


def time_axis(times: Sequence[datetime]) -> Axis:
    """Hours and minutes of UTC; days where the session is longer."""
    seconds = [t.timestamp() for t in times]
    low, high = min(seconds), max(seconds)
    room = 0.02 * (high - low) or 60.0
    low, high = low - room, high + room
    span = high - low
    steps = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31557600)
    step = next((s for s in steps if span / s <= 6), steps[-1])
    marks = tuple(float(v) for v in np.arange(math.ceil(low / step) * step, high, step))
    form = "%H:%M" if span < 86400 else "%d %b" if span < 31557600 else "%b %Y"
    zone = times[0].tzinfo
    return Axis(low, high, marks, lambda v: datetime.fromtimestamp(v, zone).strftime(form))


def index_axis(count: int) -> Axis:
    """Frames by their number, where they have no times."""
    marks = tuple(v for v in ticks(1, max(count, 2)) if v == int(v))
    return Axis(0.5, count + 0.5, marks, lambda v: f"{v:.0f}")


def scatter(
    points: Sequence[Point], across: Axis, up: Axis, label: str, *, lines: Sequence[tuple[float, str]] = ()
) -> str:
    """Points over an axis: filled in the colour of their filter, hollow where the frame was set aside."""
    x = _scale(across, LEFT, WIDTH - RIGHT)
    y = _scale(up, HEIGHT - BOTTOM, TOP)
    parts = [_open(label, points), *_frame(across, up, x, y)]
    for value, words in lines:
        if up.low <= value <= up.high:
            parts.append(
                f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
                f'<text class="limit" x="{WIDTH - RIGHT}" y="{y(value) - 4:.1f}" text-anchor="end">'
                f"{escape(words)}</text>"
            )
    for series in sorted({p.series for p in points}):
        path = sorted((p.x, p.y) for p in points if p.series == series and p.good)
        if len(path) > 2:
            run = " ".join(f"{x(a):.1f},{y(min(max(b, up.low), up.high)):.1f}" for a, b in path)
            parts.append(f'<polyline class="run s{series % 6}" points="{run}"/>')
    for p in sorted(points, key=lambda p: p.good):
        # What is far out lies on the rim.
        parts.append(_dot(x(p.x), y(min(max(p.y, up.low), up.high)), p))
    return "".join([*parts, "</svg>"])


def _dot(x: float, y: float, p: Point) -> str:
    sort = f"s{p.series % 6}" if p.good else "bad"
    return (
        f'<g class="pt {sort}" data-tip="{escape(p.tip)}"><circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="9"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3.2 if p.good else 3.8}"/></g>'
    )


def track(points: Sequence[Point], label: str) -> str:
    """Where the frames pointed against the reference, px: equal scales along both axes."""
    xs, ys = [p.x for p in points], [p.y for p in points]
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    # Pixels per unit: the longer way decides.
    unit = max(float(np.ptp(xs)) / width, float(np.ptp(ys)) / height, 1.0 / height) * 1.16
    across, up = (
        _length_axis((min(v) + max(v) - unit * room) / 2, (min(v) + max(v) + unit * room) / 2)
        for v, room in ((xs, width), (ys, height))
    )
    x, y = _scale(across, LEFT, WIDTH - RIGHT), _scale(up, HEIGHT - BOTTOM, TOP)
    run = " ".join(f"{x(p.x):.1f},{y(p.y):.1f}" for p in points)
    head = f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(label)}">'
    body = [*_frame(across, up, x, y), f'<polyline class="run thin s0" points="{run}"/>']
    return "".join([head, *body, *(_dot(x(p.x), y(p.y), p) for p in points), "</svg>"])


def _length_axis(low: float, high: float) -> Axis:
    marks = ticks(low, high)
    digits = 0 if len(marks) < 2 or marks[1] - marks[0] >= 1 else 1
    return Axis(low, high, marks, lambda v: f"{v:.{digits}f}")


def bars(rows: Sequence[tuple[str, float, str]], label: str) -> str:
    """Horizontal bars with their words at the end."""
    most = max((value for _, value, _ in rows), default=1.0) or 1.0
    body = "".join(
        f'<div class="bar"><span class="what">{escape(name)}</span><span class="rail">'
        f'<i style="width:{100 * value / most:.2f}%"></i></span><span class="n">{escape(words)}</span></div>'
        for name, value, words in rows
    )
    return f'<div class="bars" role="img" aria-label="{escape(label)}">{body}</div>'


def shares(parts: Sequence[tuple[str, float, str]], label: str) -> str:
    """One bar made of parts, with what each is below."""
    total = sum(value for _, value, _ in parts) or 1.0
    rail = "".join(
        f'<i class="p{number}" style="width:{100 * value / total:.3f}%" data-tip="{escape(words)}"></i>'
        for number, (_, value, words) in enumerate(parts)
    )
    keys = "".join(
        f'<li><b class="p{number}"></b>{escape(name)} <em>{100 * value / total:.1f}\u2009%</em></li>'
        for number, (name, value, _) in enumerate(parts)
    )
    return (
        f'<div class="shares" role="img" aria-label="{escape(label)}"><div class="rail">{rail}</div></div><ul '
        f'class="keys">{keys}</ul>'
    )


def _scale(axis: Axis, start: float, end: float) -> Callable[[float], float]:
    span = (axis.high - axis.low) or 1.0
    return lambda value: start + (value - axis.low) / span * (end - start)


def _open(label: str, points: Sequence[Point]) -> str:
    values = [p.y for p in points if p.good] or [p.y for p in points]
    words = (
        f"{label}: {len(points)} frames, from {min(values):.4g} to {max(values):.4g}, median {np.median(values):.4g}"
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(words)}" '
        'preserveAspectRatio="xMidYMid meet">'
    )


def _frame(across: Axis, up: Axis, x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    parts = []
    for mark in up.marks:
        at = y(mark)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{at + 3.5:.1f}" text-anchor="end">{escape(up.words(mark))}</text>')
    for mark in across.marks:
        at = x(mark)
        parts.append(f'<line class="grid v" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 16:.1f}" text-anchor="middle">'
            f"{escape(across.words(mark))}</text>"
        )
    return parts
