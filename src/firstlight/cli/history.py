"""``firstlight history``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("history")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--plain", is_flag=True, help="Only the steps, one a line, as `apply` takes them.")
def command(path: Path, plain: bool) -> None:
    """List the steps that were applied to an image.

    `firstlight replay` does them again: fewer, without one, or on another image.
    """
    from firstlight.pipeline.replay import history_of_file

    steps = history_of_file(path)
    if not steps:
        click.echo(f"{path}: no steps")
    for number, text in enumerate(steps, 1):
        click.echo(text if plain else f"{number:3}  {text}")
