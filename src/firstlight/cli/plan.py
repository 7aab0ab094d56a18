"""``firstlight plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, settings_from, settings_options


@click.command("plan", cls=SettingsCommand)
@click.argument("session", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the products would go; default SESSION/firstlight."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@settings_options
def command(session: Path, output: Path | None, quiet: bool, **options: Any) -> None:
    """Say what `process` would do with SESSION, and write nothing.

    Lists what each frame was taken for and why, the masters, which of them each light gets and why, what is missing
    and how much room the products need.
    """
    from firstlight.pipeline.describe import describe_plan
    from firstlight.pipeline.plan import plan

    decided = plan(session, settings_from(options), output=output, progress=TerminalProgress(quiet))
    click.echo(describe_plan(decided))
    if not decided.sightings:
        click.get_current_context().exit(1)
