"""``firstlight clear``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from firstlight.errors import InputError

SHOWN = 12


@click.command("clear")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Of a run also stacks, pictures, frames.csv and run.json.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def command(folder: Path, everything: bool, yes: bool, dry_run: bool) -> None:
    """Remove what `process` or `organize` made in FOLDER, after a question.

    FOLDER is a session, the output of a run, or a collection. Of a run the masters and the index go, which the next run
    makes anew; with --all its stacks, pictures and tables too. Of a collection its links and copies go. Only files that
    firstlight has recorded as its own are removed; what was changed since, and copies whose original is gone, stay.
    """
    from firstlight.pipeline.clear import by_folder, carry_out_clearing, plan_clearing

    clearing = plan_clearing(folder, everything=everything)
    for path, reason in clearing.stays:
        click.echo(f"{path}: stays: {reason}")
    if not clearing.remove:
        click.echo(f"{clearing.folder}: nothing to remove.")
        return
    click.echo(f"To be removed from {clearing.folder} ({clearing.bytes / 1e6:.1f} MB):")
    if len(clearing.remove) <= SHOWN:
        for path in clearing.remove:
            click.echo(f"  {path.relative_to(clearing.folder)}")
    else:
        for name, number in by_folder(clearing.remove, clearing.folder).items():
            click.echo(f"  {name}: {number} file{'' if number == 1 else 's'}")
    if dry_run:
        click.echo("Nothing was removed (--dry-run).")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"{folder}: nobody to ask; give --yes to remove these {len(clearing.remove)} files")
        if not click.confirm("Remove them?"):
            click.echo("Nothing was removed.")
            return
    carry_out_clearing(clearing)
    click.echo(f"{len(clearing.remove)} files removed.")
