"""``firstlight quality``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import tell
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.cli.tables import plain_table, terminal_width
from firstlight.io.targets import check_folder
from firstlight.pipeline.quality import QualitySettings

if TYPE_CHECKING:
    from firstlight.pipeline.quality import Judged, QualityResult


@click.command("quality", cls=SettingsCommand)
@click.argument("given", metavar="SESSION|FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the tables.  [default: SESSION/firstlight, or quality]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be kept, and write no tables.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the report.")
@options_of(QualitySettings)
def command(given: tuple[Path, ...], output: Path | None, dry_run: bool, quiet: bool, **options: Any) -> int:
    """Tell good frames from poor ones, and say why.

    Each frame is judged by those of its target, filter, exposure and gain (five at least): clouds, dew, wind or
    guiding, focus, a bright sky, satellites and aeroplanes are told apart, with the evidence. No frame is moved or
    changed. `firstlight process` takes the same --select-best and --select-where.

    \b
    firstlight quality SESSION
    firstlight quality SESSION --best 70 --dry-run
    firstlight quality Lights/*.fits --where 'fwhm < 1.3*median(fwhm) and stars > 0.6*median(stars)'

    \b
    quality.csv, .ecsv          a row for each frame: numbers, faults, the reason
    kept.txt, set_aside.txt     lists of files
    """
    from firstlight.pipeline.quality import judge_session, write_quality

    settings = settings_from(options, QualitySettings)
    folder = output or (given[0] / "firstlight" if len(given) == 1 and given[0].is_dir() else Path("quality"))
    if not dry_run:
        check_folder(folder)
    result = judge_session(given, settings, output=output, progress=TerminalProgress(quiet))
    tell([record(frame) for frame in result.frames], report(result))
    if not dry_run:
        for file in write_quality(result, folder):
            click.echo(f"  {file}")
    return 2 if result.unreadable and not result.frames else 0


def record(frame: Judged) -> dict[str, Any]:
    """One frame for programs."""
    return {
        "file": str(frame.seen.path),
        "group": frame.group,
        "kept": not frame.reason,
        "reason": frame.reason,
        "faults": [{"kind": fault.kind, "evidence": fault.evidence} for fault in frame.faults],
        **frame.numbers,
    }


def report(result: QualityResult) -> str:
    """What is kept, what not and why, by group."""
    lines = []
    groups: dict[str, list[Judged]] = {}
    for frame in result.frames:
        groups.setdefault(frame.group, []).append(frame)
    for name, frames in groups.items():
        aside = [f for f in frames if f.reason]
        lines.append(f"{name}: {len(frames)} frame{'' if len(frames) == 1 else 's'}, {len(frames) - len(aside)} kept")
        if aside:
            rows = [[f.seen.name, f.reason] for f in aside]
            lines.append(plain_table(rows, indent="  ", width=terminal_width()))
        crossed = [f for f in frames if not f.reason and f.faults]
        if crossed:
            rows = [[f.seen.name, "; ".join(f"{x.kind}: {x.evidence}" for x in f.faults)] for f in crossed]
            lines += ["  kept, but:", plain_table(rows, indent="  ", width=terminal_width())]
    lines += [f"{name}: not judged: {why}" for name, why in result.unreadable.items()]
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join(lines)
