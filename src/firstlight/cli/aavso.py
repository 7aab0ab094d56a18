"""``firstlight aavso``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("aavso")
@click.argument("reports", metavar="REPORT...", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(reports: tuple[Path, ...]) -> None:
    """Check reports of AAVSO's Extended Format 1.2 against the rules of the format.

    Each breach is named with its line: fields that are too long, missing or out of place, numbers, filters, dates. The
    exit code is 1 where there is any. Reports of any program may be checked.
    """
    from firstlight.io.aavso import check_aavso_file

    sound = True
    for path in reports:
        faults = check_aavso_file(path)
        sound &= not faults
        click.echo(f"{path}: valid" if not faults else "\n".join(f"{path}: {fault}" for fault in faults))
    if not sound:
        click.get_current_context().exit(1)
