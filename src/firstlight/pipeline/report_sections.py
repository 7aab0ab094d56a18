"""The parts of a report: stacks, set-aside frames, masters, times, tables, the making."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from firstlight.errors import FirstlightError
from firstlight.io.frame import Frame
from firstlight.io.thumbnails import frame_uri, picture_uri
from firstlight.pipeline.report_charts import bars, shares
from firstlight.pipeline.report_facts import Row, RunFacts, StackFacts

LARGE, THUMB, SMALL = 1800, 420, 200
"""px of the longer side of pictures."""
MOST_THUMBS = 48
PARTS = (("sky", "sky"), ("dark", "dark current"), ("read", "reading"), ("masters", "masters"))
ZERO_POINTS = ("MAGZPT", "MAGZERO", "ZP", "PHOTZP", "ZEROPNT", "MAGZP")


def stack_section(facts: RunFacts) -> tuple[str, str, str]:
    """The stacks; what enlarged pictures need; the URI of the first picture for the head of the page."""
    cards, views, first = [], [], ""
    for number, stack in enumerate(facts.stacks):
        picture = ""
        if stack.picture is not None:
            try:
                uri, width, height = picture_uri(stack.picture, LARGE)
            except FirstlightError:
                uri = ""
            if uri:
                first = first or uri
                name = escape(stack.name)
                picture = (
                    f'<a class="pic" href="#view-{number}" aria-label="Enlarge the picture of {name}">'
                    f'<img src="{uri}" width="{width}" height="{height}" alt="Picture of the stack {name}"></a>'
                )
                views.append(
                    f'<div class="light" id="view-{number}" role="dialog" aria-label="{name}, enlarged">'
                    f'<img src="{uri}" alt="Picture of the stack {name}, enlarged">'
                    f'<a href="#stack-{number}" aria-label="Back to the report"></a><span aria-hidden="true">'
                    "&times;</span></div>"
                )
        cards.append(
            f'<article class="card stack{"" if picture else " bare"}" id="stack-{number}">{picture}'
            f'<div class="text"><h3>{escape(stack.name)}</h3>'
            f"{_stack_facts(stack)}{_notes(stack.record.get('notes', ()))}"
            f"</div></article>"
        )
    if not cards:
        return "", "", ""
    title = "The stack" if len(cards) == 1 else "The stacks"
    return f'<section id="stacks"><h2>{title}</h2>{"".join(cards)}</section>', "".join(views), first


def _stack_facts(stack: StackFacts) -> str:
    record = stack.record
    rows = [
        (
            "Frames",
            f"{record['frames']}"
            + (f" <small>({record['set_aside']} set aside)</small>" if record["set_aside"] else ""),
        )
    ]
    if record.get("total_exposure_s"):
        rows.append(("Exposure", duration(record["total_exposure_s"])))
    if record.get("filter"):
        rows.append(("Filter", escape(record["filter"])))
    chosen = " <small>(chosen by auto)</small>" if record.get("method_chosen_by") == "auto" else ""
    rows.append(
        (
            "Combined",
            f"{escape(record['method'].replace(':', ', ').replace(',high', ', high').replace('=', ' '))}{chosen}",
        )
    )
    if record.get("fwhm_px"):
        single = f" <small>(best frame {record['single_fwhm_px']:.2f})</small>" if record.get("single_fwhm_px") else ""
        rows.append(("FWHM", f"{record['fwhm_px']:.2f} px{_arcsec(stack, record['fwhm_px'])}{single}"))
    rows.append(("Stars", f"{record.get('stars', 0)}"))
    if record.get("noise_adu") and record.get("single_noise_adu"):
        gain = record["single_noise_adu"] / record["noise_adu"]
        rows.append(("Noise", f"{record['noise_adu']:.3g} adu <small>({gain:.2f}&times; below a frame)</small>"))
    rows.append(("Reference", escape(str(record.get("reference", "")))))
    if record.get("drizzle"):
        rows.append(("Drizzle", f"scale {record['drizzle'].get('scale', 1):g}"))
    if stack.frame is not None:
        rows += _plate_rows(stack.frame)
        rows += _photometry_rows(stack.frame)
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"


def _arcsec(stack: StackFacts, px: float) -> str:
    scale = None if stack.frame is None or stack.frame.plate is None else plate_scale(stack.frame.plate.cards)
    return f" = {px * scale:.2f}\u2033" if scale else ""


def plate_scale(cards: Mapping[str, Any]) -> float | None:
    """Arcsec per pixel of the WCS cards of a plate, or None where they make no sense."""
    matrix = _matrix(cards)
    area = abs(matrix[0] * matrix[3] - matrix[1] * matrix[2])
    return 3600 * math.sqrt(area) if area > 0 else None


def _matrix(cards: Mapping[str, Any]) -> tuple[float, float, float, float]:
    if "CD1_1" in cards or "CD1_2" in cards:
        return tuple(float(cards.get(f"CD{i}_{j}", 0.0)) for i in (1, 2) for j in (1, 2))  # type: ignore[return-value]
    pc = [float(cards.get(f"PC{i}_{j}", float(i == j))) for i in (1, 2) for j in (1, 2)]
    one, two = float(cards.get("CDELT1", 0.0)), float(cards.get("CDELT2", 0.0))
    return pc[0] * one, pc[1] * one, pc[2] * two, pc[3] * two


def up_from_north(cards: Mapping[str, Any], bottom_up: bool) -> float:
    """Position angle of the picture's upward direction, degrees from north towards east."""
    _, east, _, north = _matrix(cards)
    sign = 1 if bottom_up else -1
    return math.degrees(math.atan2(sign * east, sign * north)) % 360


def _plate_rows(frame: Frame) -> list[tuple[str, str]]:
    if frame.plate is None:
        return []
    cards = frame.plate.cards
    scale = plate_scale(cards)
    if scale is None or "CRVAL1" not in cards or "CRVAL2" not in cards:
        return []
    turned = up_from_north(cards, frame.meta.bottom_up)
    _, height, width = frame.shape
    rows = [
        (
            "Plate",
            f"{_hours(float(cards['CRVAL1']))} {_degrees(float(cards['CRVAL2']))} <small>(reference point)</small>",
        ),
        (
            "Scale",
            f"{scale:.3f}\u2033/px <small>(field {_field(width * scale)} &times; {_field(height * scale)})</small>",
        ),
        ("Orientation", f"up is {turned:.1f}\u00b0 east of north"),
    ]
    if frame.plate.n_matched:
        rms = f", rms {frame.plate.rms:.2f}\u2033" if frame.plate.rms else ""
        rows.append(("Solved with", f"{frame.plate.n_matched} stars{rms}"))
    return rows


def _photometry_rows(frame: Frame) -> list[tuple[str, str]]:
    known = {key: (value, comment) for key, value, comment in frame.meta.cards}
    found = [(key, *known[key]) for key in ZERO_POINTS if key in known]
    return [("Zero point", f"{float(v):.3f} <small>{escape(c or key)}</small>") for key, v, c in found[:1]]


def _hours(degrees: float) -> str:
    seconds = round((degrees % 360) / 15 * 3600, 1)
    return f"{int(seconds // 3600):02d}h {int(seconds % 3600 // 60):02d}m {seconds % 60:04.1f}s"


def _degrees(degrees: float) -> str:
    seconds = round(abs(degrees) * 3600)
    return (
        f"{'-' if degrees < 0 else '+'}{seconds // 3600:02d}\u00b0 {seconds % 3600 // 60:02d}\u2032 "
        f"{seconds % 60:02d}\u2033"
    )


def _field(arcsec: float) -> str:
    return f"{arcsec / 3600:.2f}\u00b0" if arcsec >= 3600 else f"{arcsec / 60:.1f}\u2032"


def noise_section(facts: RunFacts) -> str:
    """Where the noise comes from, theory against measure."""
    cards = []
    for stack in facts.stacks:
        budget = stack.story.get("noise_budget")
        if not budget:
            continue
        variance = budget["variance_electrons2"]
        parts = [
            (name, variance[key], f"{name}: {variance[key]:.3g} e\u207b\u00b2")
            for key, name in PARTS
            if variance.get(key)
        ]
        missing = [name for key, name in PARTS if variance.get(key) is None]
        expected, measured = budget["frame_expected_adu"], budget["frame_measured_adu"]
        top = max(expected, measured)
        rows = [
            ("One frame, expected", expected, f"{expected:.2f} adu"),
            ("One frame, measured", measured, f"{measured:.2f} adu"),
        ]
        if budget.get("stack_measured_adu"):
            promised = measured / budget["gain_expected"]
            rows += [
                ("Stack, expected", promised, f"{promised:.2f} adu"),
                ("Stack, measured", budget["stack_measured_adu"], f"{budget['stack_measured_adu']:.2f} adu"),
            ]
        words = f"Measured is {measured / expected:.2f} times what theory says" if expected else ""
        if missing:
            words += f"; not known, and left out: {', '.join(missing)}"
        cards.append(
            f'<div class="card"><h3>{escape(stack.name)} <small>{escape(budget["frame"])}, '
            f"{budget['electrons_per_adu']:g} "
            'e\u207b/adu</small></h3><div class="two"><div><p class="lead" style="margin:2px 0 10px">Share of '
            "the variance of "
            f"a pixel of the sky</p>{shares(parts, 'Shares of the variance')}</div><div>"
            f"{bars(rows, f'Noise, up to {top:.2f} adu')}"
            f'</div></div><ul class="notes"><li>{escape(words)}.</li></ul></div>'
        )
    return f'<section id="noise"><h2>Noise budget</h2>{"".join(cards)}</section>' if cards else ""


def aside_section(facts: RunFacts) -> str:
    """Frames set aside, each with a picture and the reason."""
    rows = facts.set_aside
    if not rows:
        return ""
    cards = []
    for row in rows[:MOST_THUMBS]:
        try:
            uri, _, _ = frame_uri(facts.path_of(row), THUMB)
            picture = f'<img src="{uri}" alt="The frame {escape(row.name)}" loading="lazy">'
        except (FirstlightError, OSError, ValueError):
            picture = '<div class="none">cannot be shown</div>'
        reason = row.reason.removeprefix(row.name + ": ")
        cards.append(
            f'<figure class="card">{picture}<figcaption><b>{escape(row.name)}</b><span>{escape(reason)}</span>'
            "</figcaption></figure>"
        )
    more = f"<p>... and {len(rows) - MOST_THUMBS} more, listed below.</p>" if len(rows) > MOST_THUMBS else ""
    return (
        f'<section id="aside"><h2>Set aside <small>{len(rows)} of {len(facts.rows)} frames</small></h2>'
        f'<div class="aside">{"".join(cards)}</div>{more}</section>'
    )


def masters_section(facts: RunFacts) -> str:
    """The masters, what they are made of and who got them; and what is missing."""
    used: dict[str, dict[str, Any]] = {}
    for stack in facts.stacks:
        for one in stack.record.get("calibration", []):
            name = one["file"].rpartition("/")[2]
            entry = used.setdefault(name, {**one, "lights": 0})
            entry["lights"] += one["lights"]
    cards = []
    recorded = {m["file"]: m for m in facts.record.get("masters", [])}
    for name in sorted({*recorded, *used}):
        record, use = recorded.get(name, {}), used.get(name, {})
        path = Path(use["file"]) if use.get("shared") else facts.folder / "masters" / name
        try:
            uri, _, _ = frame_uri(path, SMALL)
            picture = f'<img src="{uri}" alt="{escape(name)}" loading="lazy">'
        except (FirstlightError, OSError, ValueError):
            picture = '<div class="none"></div>'
        frames = record.get("frames") or use.get("frames")
        words = [f"{frames} frames" if frames else ""]
        words.append(f"for {use['lights']} lights" if use else "for other masters")
        words.append("of the library" if use.get("shared") else "")
        said = "; ".join(record.get("notes", ()))
        cards.append(
            f'<figure class="card">{picture}<figcaption><b>{escape(name.removesuffix(".fits"))}</b>'
            f"{escape(', '.join(w for w in words if w))}{f'<br>{escape(said)}' if said else ''}</figcaption></figure>"
        )
    why = sorted({reason for use in used.values() for reason in use.get("why", ())})
    told = [*facts.record.get("missing", ()), *why]
    parts = [f'<div class="masters">{"".join(cards)}</div>'] if cards else []
    parts += [f'<div class="card">{_notes(told)}</div>'] if told else []
    return f'<section id="masters"><h2>Calibration</h2>{"<br>".join(parts)}</section>' if parts else ""


def timing_section(facts: RunFacts) -> str:
    """Where the time went."""
    timings = facts.record.get("timings", {})
    rows = [(name, t["wall_s"], f"{t['wall_s']:.2f} s") for name, t in timings.items() if t["wall_s"] > 0]
    if not rows:
        return ""
    wall, cpu = (sum(t[key] for t in timings.values()) for key in ("wall_s", "cpu_s"))
    memory = facts.record.get("peak_memory_bytes", 0) / 1e6
    words = f"{wall:.1f} s in all, {cpu:.1f} s of processor time; at most {memory:.0f} MB of memory"
    return (
        f'<section id="timing"><h2>Time <small>{words}</small></h2><div class="card">'
        f"{bars(rows, 'Seconds of each stage')}</div></section>"
    )


def frames_section(facts: RunFacts) -> str:
    """Every light in a table."""
    columns = (
        ("stars", "Stars", "{:.0f}"), ("fwhm", "FWHM", "{:.2f}"), ("eccentricity", "Ecc.", "{:.2f}"),
        ("background", "Background", "{:.1f}"), ("noise", "Noise", "{:.2f}"), ("snr", "SNR", "{:.1f}"),
        ("weight", "Weight", "{:.3f}"), ("scale", "Scale", "{:.3f}"), ("rejected", "Rejected", "{:.2%}"),
        ("airmass", "Airmass", "{:.3f}"),
    )  # fmt: skip
    lights = facts.lights
    shown = [c for c in columns if any(row.get(c[0]) is not None for row in lights)]
    if not lights:
        return ""
    head = "".join(f'<th scope="col">{title}</th>' for _, title, _ in shown)
    body = "".join(_table_row(row, shown) for row in lights)
    return (
        f'<details id="frames"><summary>All {len(lights)} lights in a table</summary><div class="card scroll"><table>'
        f'<thead><tr><th scope="col">Frame</th><th scope="col">Filter</th>{head}<th scope="col" class="w">Set '
        "aside because</th>"
        f"</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def _table_row(row: Row, shown: Sequence[tuple[str, str, str]]) -> str:
    cells = "".join(f"<td>{form.format(v) if (v := row.get(name)) is not None else ''}</td>" for name, _, form in shown)
    reason = escape(row.reason.removeprefix(row.name + ": "))
    return (
        f"<tr{'' if row.accepted else ' class=out'}><td>{escape(row.name)}</td><td>{escape(row.filter)}</td>"
        f'{cells}<td class="w">{reason}</td></tr>'
    )


def _notes(notes: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>' if notes else ""


def duration(seconds: float) -> str:
    """``45 s``, ``12 min 30 s``, ``3 h 20 min``."""
    if seconds < 120:
        return f"{seconds:g} s"
    whole = round(seconds)
    if seconds < 7200:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")
