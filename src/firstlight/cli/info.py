"""``firstlight info``."""

from __future__ import annotations

import enum
import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.errors import say_error
from firstlight.cli.settings import options_of, settings_from
from firstlight.cli.tables import plain_table
from firstlight.errors import FrameError, InputError
from firstlight.ops.meta.facts import Facts
from firstlight.pipeline.facts import Finder

if TYPE_CHECKING:
    from firstlight.io.frame import Frame
    from firstlight.model.meta import Meta

UNITS = {
    "exposure": "s", "gain": "e-/adu", "read_noise": "e-", "saturation": "adu", "pedestal": "adu",
    "temperature": "C", "set_temperature": "C", "pixel_size": "um", "focal_length": "mm", "ra": "deg", "dec": "deg",
    "rotator": "deg", "latitude": "deg", "longitude": "deg", "elevation": "m",
}  # fmt: skip
NOT_SHOWN = {"sources", "notes", "cards"}
FEW = 1
"""A file with more exposures than this is told by its first."""


@click.command("info")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--statistics", is_flag=True, help="Read the pixels too: median, noise, extremes, saturated pixels.")
@click.option("--header", is_flag=True, help="List the header as it stands in the file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@options_of(Facts)
def command(files: tuple[Path, ...], statistics: bool, header: bool, as_json: bool, **options: Any) -> int:
    """Show what firstlight understands of files, and from which keyword.

    Give files or folders. Only headers are read, unless statistics are asked for, and metadata.csv or metadata.yaml
    beside them; `firstlight meta show` tells airmass, Moon and night. Files that cannot be read are named
    with the reason, and the exit code is then 2.
    """
    from firstlight.io.read import find_files, open_frames

    failed = False
    first = True
    facts_given = settings_from(options, Facts)
    for given in files:
        finder = Finder(facts_given, given if given.is_dir() else given.parent)
        paths = find_files(given) if given.is_dir() else [given]
        if not paths:
            failed = bool(say_error(f"{given}: no frames in this folder"))
        for path in paths:
            try:
                frames = open_frames(path)
                frames[0] = finder.known(frames[0])
                facts = facts_of(frames, statistics)
            except (FrameError, InputError) as error:
                failed = True
                if as_json:
                    click.echo(json.dumps({"file": str(path), "error": str(error)}))
                else:
                    say_error(str(error))
                continue
            if as_json:
                click.echo(json.dumps({**facts, **({"header": header_of(frames[0])} if header else {})}))
                continue
            click.echo(("" if first else "\n") + as_text(facts, header_of(frames[0]) if header else []))
            first = False
    return 2 if failed else 0


def facts_of(frames: list[Frame], statistics: bool) -> dict[str, Any]:
    """What is known of a file, as JSON holds it; ``understood`` maps each field to its value, unit and source."""
    frame = frames[0]
    channels, height, width = frame.shape
    facts: dict[str, Any] = {
        "file": str(frame.path),
        "shape": [channels, height, width],
        "type": frame.dtype.newbyteorder("=").name,
        "unit": str(frame.unit),
        "state": str(frame.state),
        "plate": frame.plate is not None,
        "understood": understood(frame.meta),
        "notes": list(frame.meta.notes),
        "history": list(frame.history),
    }
    if len(frames) > FEW:
        facts["exposures"] = len(frames)
    if statistics:
        facts["statistics"] = statistics_of(frame)
    return facts


def understood(meta: Meta) -> dict[str, dict[str, Any]]:
    """Fields that the file says something about: value, unit, source."""
    found = {}
    for field in fields(meta):
        value = getattr(meta, field.name)
        source = meta.sources.get(field.name)
        if field.name in NOT_SHOWN or value is None or (value == field.default and source is None):
            continue
        if field.name == "calibrated" and not value:
            continue
        entry = {"value": _plain(value)}
        if field.name in UNITS:
            entry["unit"] = UNITS[field.name]
        if source:
            entry["from"] = source
        found[field.name] = entry
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def statistics_of(frame: Frame) -> list[dict[str, float]]:
    """Median, robust noise, extremes and share of saturated pixels of each channel."""
    import numpy as np

    image = frame.read()
    white = image.meta.saturation or np.inf
    rows = []
    for channel, plane in enumerate(image.data):
        values = plane[image.good[channel]]
        if not values.size:
            rows.append({"good": 0})
            continue
        median = float(np.median(values))
        rows.append(
            {
                "good": int(values.size),
                "median": median,
                "noise": 1.4826 * float(np.median(np.abs(values - np.float32(median)))),
                "minimum": float(values.min()),
                "maximum": float(values.max()),
                "saturated": float(np.mean(values >= white)),
            }
        )
    return rows


def header_of(frame: Frame) -> list[list[Any]]:
    return [[keyword, _plain(value), comment] for keyword, value, comment in frame.meta.cards]


def as_text(facts: dict[str, Any], header: list[list[Any]]) -> str:
    """The facts as a person reads them."""
    channels, height, width = facts["shape"]
    size = f"{width} x {height} px" + (f", {channels} channels" if channels > 1 else "")
    parts = [size, facts["type"], f"in {facts['unit']}", facts["state"]]
    if "exposures" in facts:
        parts.append(f"{facts['exposures']} exposures, of which this is the first")
    if facts["plate"]:
        parts.append("with a plate (WCS)")
    lines = [facts["file"], "  " + ", ".join(parts)]
    rows = [
        (name.replace("_", " "), _shown(entry["value"]) + (f" {entry['unit']}" if "unit" in entry else ""),
         f"from {entry['from']}" if "from" in entry else "")
        for name, entry in facts["understood"].items()
    ]  # fmt: skip
    if rows:
        lines.append(plain_table(rows, indent="  "))
    else:
        lines.append("  the header says nothing that firstlight understands")
    for number, row in enumerate(facts.get("statistics", [])):
        label = f"channel {number}" if channels > 1 else "pixels"
        if row["good"]:
            lines.append(
                f"  {label}: median {row['median']:.6g}, noise {row['noise']:.4g}, {row['minimum']:.6g} to "
                f"{row['maximum']:.6g}, {100 * row['saturated']:.3g} % saturated"
            )
        else:
            lines.append(f"  {label}: none holds a number")
    lines += [f"  note: {note}" for note in facts["notes"]]
    lines += [f"  done: {entry}" for entry in facts["history"]]
    if header:
        lines.append("  header:")
        lines.append(plain_table([(k, _shown(v), c) for k, v, c in header], indent="    "))
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
