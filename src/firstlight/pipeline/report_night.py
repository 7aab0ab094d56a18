"""The plots of a session: seeing, sky, stars, weights, transparency, pointing, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from firstlight.pipeline.report_charts import Axis, Point, index_axis, number_axis, scatter, time_axis, track
from firstlight.pipeline.report_facts import UNNAMED, Row, RunFacts

Measure = Callable[[Row], float | None]


def _number(name: str, factor: float = 1.0) -> Measure:
    def read(row: Row) -> float | None:
        value = row.get(name)
        return None if value is None else factor * value

    return read


def _transparency(row: Row) -> float | None:
    scale = row.get("scale")
    return 100 / scale if scale else None


PLOTS: tuple[tuple[str, str, Measure, str, bool], ...] = (
    ("FWHM", "px", _number("fwhm"), "{:.2f} px", False),
    ("Background", "adu", _number("background"), "{:.1f} adu", False),
    ("Stars", "", _number("stars"), "{:.0f} stars", True),
    ("Eccentricity", "", _number("eccentricity"), "{:.2f}", True),
    ("Transparency", "% of the reference", _transparency, "{:.0f} %", False),
    ("Noise", "adu", _number("noise"), "{:.2f} adu", False),
    ("Weight", "", _number("weight"), "{:.3f}", True),
    ("Rejected samples", "%", _number("rejected", 100.0), "{:.2f} %", True),
    ("Airmass", "", _number("airmass"), "{:.3f}", False),
)
"""Title, unit, what is plotted, how it is said, whether the axis begins at zero."""


def night_section(facts: RunFacts) -> str:
    """Every measure over the session; empty without measured lights."""
    lights = facts.lights
    if not any(row.get("fwhm") or row.get("background") is not None for row in lights):
        return ""
    timed = all(row.middle is not None for row in lights)
    across = time_axis([row.middle for row in lights if row.middle]) if timed else index_axis(len(lights))
    places = {row.file: _place(row, number, timed) for number, row in enumerate(lights, 1)}
    names = facts.filters
    charts = [chart for plot in PLOTS if (chart := _chart(plot, lights, across, places, names))]
    pointing = _pointing(lights, names)
    when = "UTC" if timed else "number of the frame (the headers hold no times)"
    return (
        '<section id="night"><h2>The session, frame by frame</h2>'
        f'<p class="lead">Each point is a light; touch it for its numbers. Along the axis: {when}.</p>'
        f"{_legend(names, any(not row.accepted for row in lights))}"
        f'<div class="charts">{"".join(charts)}{pointing}</div></section>'
    )


def _place(row: Row, number: int, timed: bool) -> float:
    return row.middle.timestamp() if timed and row.middle else float(number)


def _chart(
    plot: tuple[str, str, Measure, str, bool], lights: Sequence[Row], across: Axis, places: dict[str, float],
    names: Sequence[str],
) -> str:  # fmt: skip
    title, unit, measure, form, zero = plot
    found = [(row, value) for row in lights if (value := measure(row)) is not None and np.isfinite(value)]
    if len(found) < 2:
        return ""
    points = [
        Point(
            places[row.file], value, names.index(row.filter or UNNAMED), row.accepted,
            _tip(row, title, form.format(value)),
        )
        for row, value in found
    ]  # fmt: skip
    good = [p.y for p in points if p.good] or [p.y for p in points]
    up = number_axis(_within(points), zero=zero)
    head = f"median {form.format(float(np.median(good)))}"
    name = f"{title} <small>{unit}</small>" if unit else title
    return (
        f'<div class="card"><h3><b>{name}</b><span>{escape(head)}</span></h3>{scatter(points, across, up, title)}</div>'
    )


def _within(points: Sequence[Point]) -> list[float]:
    """Values that set the axis: one wild frame must not flatten all others, so it may lie on the rim."""
    values = np.array([p.y for p in points])
    low, high = np.percentile(values, [2, 98])
    span = max(high - low, 1e-12)
    return [float(v) for v in values if low - 3 * span <= v <= high + 3 * span]


def _tip(row: Row, title: str, words: str) -> str:
    lines = [row.name, f"{title}: {words}"]
    if row.middle is not None:
        lines.append(row.middle.strftime("%Y-%m-%d %H:%M:%S UTC"))
    if row.filter:
        lines.append(f"filter {row.filter}")
    if not row.accepted:
        lines.append(f"set aside: {row.reason.removeprefix(row.name + ': ')}")
    return "\n".join(lines)


def _pointing(lights: Sequence[Row], names: Sequence[str]) -> str:
    points = []
    for row in lights:
        x, y = row.get("m02"), row.get("m12")
        if x is None or y is None:
            continue
        turn = float(np.degrees(np.arctan2(row.get("m10") or 0.0, row.get("m00") or 1.0)))
        words = f"{x:+.1f}, {y:+.1f} px; turned by {turn:+.3f} degrees"
        # Frames point opposite to where their pixels have to be moved.
        points.append(Point(-x, y, names.index(row.filter or UNNAMED), row.accepted, _tip(row, "Moved by", words)))
    if len(points) < 2:
        return ""
    reach = max(np.ptp([p.x for p in points]), np.ptp([p.y for p in points]))
    turns = [float(np.degrees(np.arctan2(r.get("m10") or 0, r.get("m00") or 1))) for r in lights if r.get("m00")]
    flips = " (both sides of the pier)" if max(turns) - min(turns) > 150 else ""
    head = f"{reach:.0f} px in all; rotation {max(turns) - min(turns):.2f} degrees{flips}"
    return (
        f'<div class="card"><h3><b>Pointing <small>px against the reference</small></b><span>{escape(head)}</span></h3>'
        f"{track(points, f'Where each frame pointed: {head}')}</div>"
    )


def _legend(names: Sequence[str], any_bad: bool) -> str:
    items = (
        [f'<li class="s{n % 6}"><i></i>{escape(name)}</li>' for n, name in enumerate(names)] if len(names) > 1 else []
    )
    if any_bad:
        items.append('<li><i class="bad"></i>set aside</li>')
    return f'<ul class="legend">{"".join(items)}</ul>' if items else ""
