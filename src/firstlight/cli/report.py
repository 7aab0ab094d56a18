"""``firstlight report``."""

from __future__ import annotations

from pathlib import Path

import click

from firstlight.io.targets import check_target


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where it goes; default RUN/report.html.")
def command(run: Path, output: Path | None) -> None:
    """Write the report of a run: one web page with pictures, plots and reasons.

    RUN is what `firstlight process` wrote, or the session's folder. The page holds all that it shows: it opens without
    a network, on a phone too, and prints. `process` writes it by itself, unless it is told --no-output-report.

    \b
    firstlight report night/firstlight
    """
    from firstlight.pipeline.report import write_report

    if output is not None:
        check_target(output, overwrite=True)
    click.echo(str(write_report(run, output)))
