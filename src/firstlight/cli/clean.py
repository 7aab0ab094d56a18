"""``firstlight clean``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from firstlight.errors import InputError

SHOWN = 12


@click.command("clean")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--keep-measurements", is_flag=True, help="Leave what makes the next run quick.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(folder: Path, keep_measurements: bool, dry_run: bool, yes: bool) -> dict[str, Any]:
    """Remove what runs keep only to save time, after a question.

    Of every run at or below FOLDER: what a killed run left half made, products of other settings that are no part of
    the run any more, the index of headers and the measurements of the lights. The products of the run stay (`firstlight
    clear` removes those).
    """
    from firstlight.pipeline.runs import clean, plan_cleaning

    litter = plan_cleaning(folder, keep_results=keep_measurements)
    total, number = sum(each.bytes for each in litter), sum(len(each.paths) for each in litter)
    told = {
        "bytes": total,
        "paths": [{"path": str(path), "what": what} for each in litter for path, what in each.paths],
        "removed": False,
    }
    if not litter:
        click.echo(f"{folder}: nothing to clean.")
        return told
    for each in litter:
        click.echo(f"{each.folder} ({each.bytes / 1e6:.1f} MB):")
        for path, what in each.paths[:SHOWN]:
            click.echo(f"  {path.relative_to(each.folder)}: {what}")
        if len(each.paths) > SHOWN:
            click.echo(f"  and {len(each.paths) - SHOWN} more")
    if dry_run:
        click.echo(f"{total / 1e6:.1f} MB in all; nothing was removed (--dry-run).")
        return told
    if not yes:
        if not sys.stdin.isatty():
            size = f"{number} files, {total / 1e6:.1f} MB"
            raise InputError(f"{folder}: nobody to ask; give --yes to remove these ({size})")
        if not click.confirm(f"Remove them ({total / 1e6:.1f} MB)?"):
            click.echo("Nothing was removed.")
            return told
    freed = clean(litter)
    click.echo(f"{number} removed, {freed / 1e6:.1f} MB free.")
    return {**told, "removed": True}
