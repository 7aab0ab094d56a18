"""``firstlight runs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstlight.cli.tables import show_table

if TYPE_CHECKING:
    from firstlight.pipeline.runs import Run


@click.command("runs")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--stale", is_flag=True, help="Only runs that something has changed for, or that were not finished.")
def command(folder: Path, stale: bool) -> list[Run]:
    """List runs: what is finished, when, and what has changed since.

    Every run folder at or below FOLDER (default: where you are). `unfinished`: it was stopped, and goes on where it was
    when it is started again. `stale`: frames have come, gone or changed, or products are missing.
    """
    from firstlight.pipeline.runs import find_runs

    runs = [run for run in find_runs(folder) if not stale or run.state != "whole"]
    if not runs:
        click.echo(f"{folder}: no runs.")
        return []
    heads = ("run", "state", "ended (UTC)", "time", "lights", "stacks", "size", "recipe", "since then")
    show_table(heads, [_row(run) for run in runs])
    return runs


def _row(run: Run) -> tuple[str, ...]:
    ended = "" if run.ended is None else f"{run.ended:%Y-%m-%d %H:%M}"
    size = f"{run.bytes / 1e6:.0f} MB"
    changed = "; ".join(run.changed)
    return (
        str(run.folder), run.state, ended, f"{run.seconds:.0f} s", str(run.lights), str(run.stacks), size,
        run.recipe or "-", changed or "-",
    )  # fmt: skip
