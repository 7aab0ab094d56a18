"""The report of a run: one HTML page that holds all it shows, opens without a network and prints."""

from __future__ import annotations

from html import escape
from pathlib import Path

from firstlight.errors import FirstlightError, InputError
from firstlight.io.atomic import atomic_path
from firstlight.pipeline.report_facts import RunFacts, read_run, used
from firstlight.pipeline.report_night import night_section
from firstlight.pipeline.report_sections import (
    aside_section,
    duration,
    frames_section,
    masters_section,
    noise_section,
    stack_section,
    timing_section,
)

REPORT = "report.html"
_HERE = Path(__file__).parent


def write_report(run_folder: str | Path, output: str | Path | None = None) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    run_folder : path
        What `process` wrote; a session's folder stands for the run inside it.
    output : path, optional
        Default ``report.html`` in the run folder.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        There is no finished run in the folder.
    """
    facts = read_run(Path(run_folder))
    path = Path(output) if output is not None else facts.folder / REPORT
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: the report is a web page; give a name that ends in .html")
    text = page(facts)
    with atomic_path(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
    return path


def page(facts: RunFacts) -> str:
    """The whole page."""
    stacks, views, first = stack_section(facts)
    parts = [
        stacks, night_section(facts), noise_section(facts), aside_section(facts), masters_section(facts),
        timing_section(facts), _making(facts),
    ]  # fmt: skip
    style, script = ((_HERE / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    names = (
        ("stacks", "Stacks"), ("night", "Session"), ("noise", "Noise"), ("aside", "Set aside"),
        ("masters", "Calibration"), ("timing", "Time"), ("making", "How it was made"),
    )  # fmt: skip
    links = "".join(f'<a href="#{name}">{title}</a>' for (name, title), part in zip(names, parts) if part)
    back = f'<img class="back" src="{first}" alt="">' if first else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="generator" content="firstlight"><meta name="referrer" content="no-referrer">'
        # Whatever stands in a header of a frame: nothing of it is run or fetched.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f'<link rel="icon" href="data:,"><title>{escape(facts.title)}: firstlight</title>\n<style>'
        f"{style}</style></head>\n"
        f'<body id="top"><a class="skip" href="#content">To the content</a><header class="hero">{back}<div class="in">'
        f'<p class="over">{escape(_over(facts))}</p><h1>{escape(facts.title)}</h1><p class="sub">'
        f"{escape(_sub(facts))}</p>"
        f'</div></header>\n<main id="content">{_tiles(facts)}<nav aria-label="Parts of the report">{links}</nav>\n'
        + "\n".join(part for part in parts if part)
        + f"\n</main>\n<footer>Made by firstlight {escape(str(facts.record.get('version', '')))}. Raw frames "
        "were only read."
        f' This page holds everything it shows and needs no network.</footer>\n{views}<div id="tip" '
        'role="status"></div>'
        f"<script>{script}</script></body></html>\n"
    )


def _over(facts: RunFacts) -> str:
    times = [row.middle for row in facts.lights if row.middle is not None]
    if not times:
        return facts.session.name
    first, last = min(times), max(times)
    if (last - first).total_seconds() < 86400:
        return f"{first:%d %B %Y}, {first:%H:%M} to {last:%H:%M} UTC".lstrip("0")
    return f"{first:%d %B %Y} to {last:%d %B %Y}".lstrip("0")


def _sub(facts: RunFacts) -> str:
    frames = [stack.frame for stack in facts.stacks if stack.frame is not None]
    words = []
    if frames:
        meta = frames[0].meta
        words += [text for text in (meta.telescope, meta.camera) if text]
        if meta.latitude is not None and meta.site:
            words.append(meta.site)
    filters = [name for name in facts.filters if name != "no filter"]
    if filters:
        words.append(f"filter{'s' if len(filters) > 1 else ''} {', '.join(filters)}")
    return " \u00b7 ".join(words) or f"session {facts.session.name}"


def _tiles(facts: RunFacts) -> str:
    lights = facts.lights
    taken = used(lights)
    stacks = facts.record.get("stacks", [])
    whole = [s for s in stacks if not s["name"].endswith(("_stars", "_comet"))]
    tiles = [(f"{len(taken)} <small>of {len(lights)}</small>", "lights in the stacks")]
    exposure = sum(s["total_exposure_s"] or 0 for s in whole)
    if exposure:
        tiles.append((_with_small(duration(exposure)), "exposure in all"))
    sharp = [s["fwhm_px"] for s in whole if s.get("fwhm_px")]
    if sharp:
        tiles.append((f"{min(sharp):.2f} <small>px</small>", "FWHM of the sharpest stack"))
    gains = [s["single_noise_adu"] / s["noise_adu"] for s in whole if s.get("noise_adu") and s.get("single_noise_adu")]
    if gains:
        tiles.append((f"{max(gains):.2f}<small>&times;</small>", "less noise than a frame"))
    stars = [s["stars"] for s in whole if s.get("stars")]
    if stars:
        tiles.append((f"{max(stars):,}".replace(",", "\u2009"), "stars in the deepest stack"))
    tiles.append((f"{len(facts.set_aside)}", "frame set aside" if len(facts.set_aside) == 1 else "frames set aside"))
    return '<ul class="tiles">' + "".join(f"<li><b>{n}</b><span>{words}</span></li>" for n, words in tiles) + "</ul>"


def _with_small(words: str) -> str:
    parts = words.split()
    return " ".join(f"{n} <small>{unit}</small>" for n, unit in zip(parts[::2], parts[1::2]))


def _making(facts: RunFacts) -> str:
    from firstlight.pipeline.cite import methods_of
    from firstlight.pipeline.lineage import lineage_of
    from firstlight.pipeline.lineage_graph import graph_of, svg_of
    from firstlight.pipeline.lineage_text import explain_text

    parts = []
    for stack in facts.stacks[:1]:
        if not stack.path.is_file():
            continue
        try:
            lineage = lineage_of(stack.path)
            paragraph, references = methods_of(lineage)
        except FirstlightError:
            continue
        works = "; ".join(r.short for r in references)
        parts.append(
            f'<div class="card"><h3>Methods</h3><p>{escape(paragraph)}</p><p class="lead" style="margin:0">Works: '
            f"{escape(works)}. <code>firstlight cite</code> writes them as BibTeX.</p></div>"
            '<div class="card graph" tabindex="0" role="region" aria-label="Graph of files">'
            f"{svg_of(graph_of(lineage))}</div>"
            f'<details><summary>Everything: inputs, steps, settings, versions</summary><div class="card"><pre>'
            f"{escape(explain_text(lineage, everything=True))}</pre></div></details>"
        )
    record = facts.record
    notes = "".join(f"<li>{escape(note)}</li>" for note in record.get("notes", ()))
    command = f'<div class="card"><h3>Command</h3><pre>{escape(str(record.get("command", "")))}</pre></div>'
    told = f'<div class="card"><h3>Notes of the plan</h3><ul class="notes">{notes}</ul></div>' if notes else ""
    return (
        f'<section id="making"><h2>How it was made</h2>{told}{"".join(parts)}{frames_section(facts)}{command}</section>'
    )
