"""``firstlight meta``: facts beside and behind the header."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.meta_edit import command as edit
from firstlight.cli.settings import options_of, settings_from
from firstlight.cli.tables import show_table
from firstlight.errors import InputError
from firstlight.ops.meta.facts import Facts

if TYPE_CHECKING:
    from datetime import datetime

    from firstlight.io.frame import Frame
    from firstlight.model.observing import Observing


@click.group("meta")
def command() -> None:
    """Airmass, Moon, night and site of frames; edit keywords; the table of sites.

    \b
    firstlight meta show SESSION                             airmass, altitude, Moon, twilight of each light
    firstlight meta edit FILES... --set FILTER=Ha            say what would change; with -o FOLDER, write copies
    firstlight meta sites                                    the sites and telescopes known
    """


@command.command("show")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with all numbers.")
@click.option("--csv", "as_csv", is_flag=True, help="A table for programs, with all numbers.")
@options_of(Facts)
def show(files: tuple[Path, ...], as_json: bool, as_csv: bool, **options: Any) -> int:
    """Show airmass, altitude, Moon and twilight.

    Of the middle of each exposure, from time, site and position: of the header, of metadata.csv or metadata.yaml beside
    the frames, of the site's or telescope's name, or of the options. Give files or folders. Altitudes are without
    refraction, the airmass is that of Young (1994), BJD_TDB is good to 0.1 ms for the position given. Nothing is
    written, no network is used.
    """
    frames, failed = _frames(files, settings_from(options, Facts))
    rows = facts_of(frames)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
    elif as_csv:
        click.echo(_csv(rows), nl=False)
    else:
        _table(frames, rows)
    return 2 if failed else 0


def _frames(files: Sequence[Path], facts: Facts) -> tuple[list[Frame], bool]:
    from firstlight.cli.errors import say_error
    from firstlight.errors import FrameError
    from firstlight.io.read import find_files, open_frames
    from firstlight.pipeline.facts import with_facts

    found: list[Frame] = []
    failed = False
    for given in files:
        frames: list[Frame] = []
        paths = find_files(given)
        if not paths:
            failed = bool(say_error(f"{given}: no frames in this folder"))
        for path in paths:
            try:
                frames += open_frames(path)
            except FrameError as error:
                failed = bool(say_error(str(error)))
        known = with_facts(frames, facts, given if given.is_dir() else given.parent)
        found += known.frames
        for note in known.notes:
            click.echo(f"note: {note}", err=True)
    return found, failed


def facts_of(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """One record a frame: what it shows, when and where, and how the sky stood."""
    from dataclasses import asdict

    from firstlight.ops.meta.observing import end_of, observing_of
    from firstlight.ops.meta.sky_at import night_of

    metas = [frame.meta for frame in frames]
    moments = {
        "start": [meta.start for meta in metas],
        "middle": [meta.mid_time for meta in metas],
        "end": [end_of(meta) for meta in metas],
    }
    # One call for all moments: loading and setting up costs more than the numbers.
    both = observing_of([*metas] * 3, [time for times in moments.values() for time in times])
    at = {name: both[i * len(metas) : (i + 1) * len(metas)] for i, name in enumerate(moments)}
    rows = []
    for i, (frame, meta) in enumerate(zip(frames, metas)):
        middle: Observing = at["middle"][i]
        rows.append(
            {
                "file": str(frame.path.with_name(frame.name)),
                "kind": meta.kind.value,
                "target": meta.target,
                "filter": meta.filter,
                "exposure": meta.exposure,
                "night": night_of(meta.mid_time, meta.longitude) if meta.mid_time else None,
                **{name: _iso(times[i]) for name, times in moments.items()},
                "observer": meta.observer,
                "observer_code": meta.observer_code,
                "telescope": meta.telescope,
                "site": meta.site,
                "latitude": meta.latitude,
                "longitude": meta.longitude,
                "elevation": meta.elevation,
                "ra": meta.ra,
                "dec": meta.dec,
                **asdict(middle),
                "airmass_start": at["start"][i].airmass,
                "airmass_end": at["end"][i].airmass,
                "hour_angle_start": at["start"][i].hour_angle,
                "hour_angle_end": at["end"][i].hour_angle,
                "twilight": middle.twilight,
            }
        )
    return rows


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds")


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["file"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
    return buffer.getvalue()


HEADS = ("file", "target", "filter", "middle, UTC", "altitude", "airmass", "hour angle", "Moon", "sky")


def _table(frames: Sequence[Frame], rows: Sequence[dict[str, Any]]) -> None:
    from firstlight.model.observing import Observing
    from firstlight.pipeline.facts import missing_words

    shown = [row for row in rows if row["kind"] in ("light", "unknown", "stack")]
    others = len(rows) - len(shown)
    cells = []
    for row in shown:
        there = Observing(**{name: row[name] for name in Observing.__dataclass_fields__})
        cells.append(
            (
                Path(row["file"]).name,
                row["target"] or "",
                row["filter"] or "",
                (row["middle"] or "")[:19].replace("T", " "),
                "" if there.altitude is None else f"{there.altitude:.1f}",
                there.airmass_words,
                _hours(there.hour_angle),
                _moon(there),
                there.twilight or "",
            )
        )
    if cells:
        show_table(HEADS, cells)
    if others:
        click.echo(f"{others} calibration frames are not listed.")
    for line in _nights(rows):
        click.echo(line)
    for note in missing_words([frame for frame, row in zip(frames, rows) if row in shown]):
        click.echo(note)


def _hours(angle: float | None) -> str:
    """Hour angle as a person reads it: ``-1h32m``."""
    if angle is None:
        return ""
    minutes = round(abs(angle) * 4)
    return f"{'-' if angle < 0 else '+'}{minutes // 60}h{minutes % 60:02d}m"


def _moon(there: Observing) -> str:
    if there.moon_altitude is None or there.moon_illumination is None:
        return ""
    if there.moon_altitude < 0:
        return f"{100 * there.moon_illumination:.0f} %, down"
    away = "" if there.moon_distance is None else f", {there.moon_distance:.0f} deg away"
    return f"{100 * there.moon_illumination:.0f} %{away}"


def _nights(rows: Sequence[dict[str, Any]]) -> list[str]:
    from firstlight.model.observing import Site
    from firstlight.ops.meta.sky_at import night_events

    seen = dict.fromkeys(
        (row["night"], row["site"] or "", row["latitude"], row["longitude"], row["elevation"] or 0.0)
        for row in rows
        if row["night"] and row["latitude"] is not None and row["longitude"] is not None
    )
    lines = []
    for night, name, latitude, longitude, elevation in seen:
        events = night_events(night, Site(name, latitude, longitude, elevation))
        times = {key: time.strftime("%H:%M") if time else "-" for key, time in events.items()}
        where = name or f"{latitude:.3f}, {longitude:.3f}"
        dark = f"dark from {times['dusk']} to {times['dawn']}" if events["dusk"] else "never dark"
        lines.append(f"Night of {night} at {where}: Sun down {times['sunset']} to {times['sunrise']}, {dark} (UTC)")
    return lines


command.add_command(edit)


@command.command("sites")
@click.argument("word", required=False)
def sites(word: str | None) -> None:
    """List the sites and telescopes known.

    With WORD, those that have it in a name.
    Yours go into ~/.config/firstlight/sites.toml (or sites.toml beside the frames) and win over these:

    \b
    [[site]]
    name = "Garden"
    latitude = 48.1371          # or "48 08 14", "48.14 N"
    longitude = 11.5754         # east positive
    elevation = 520
    telescopes = ["Newton 200"]
    """
    from firstlight.io.sites import read_sites

    rows = []
    for entry in read_sites(Path.cwd()).entries:
        site = entry.site
        telescopes = ", ".join(
            t.name + (f" from {t.since}" if t.since else "") + (f" until {t.until}" if t.until else "")
            for t in entry.telescopes
        )
        names = [site.name, site.code, *entry.aliases, telescopes]
        if word is None or any(word.lower() in name.lower() for name in names):
            place = (f"{site.latitude:.5f}", f"{site.longitude:.5f}", f"{site.elevation:g}")
            rows.append((site.name, site.code, *place, telescopes))
    if not rows:
        raise InputError(f"{word!r}: no site or telescope of this name; `firstlight meta sites` lists all")
    show_table(("site", "code", "latitude", "longitude", "m", "telescopes"), rows)
