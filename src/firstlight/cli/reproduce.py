"""``firstlight reproduce``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("reproduce")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--threads", type=click.IntRange(0, 1024), default=0, help="Worker threads; 0: one per core.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the outcome.")
def command(file: Path, threads: int, as_json: bool, quiet: bool) -> None:
    """Make a file again, from its recorded inputs and settings, and compare.

    The work is done in a temporary folder; nothing that exists is changed. The outcome is that the bytes are the same,
    or what differs, and what is not as it was: inputs of other content, versions, settings. Exit code 1: it differs.

    \b
    firstlight reproduce night/firstlight/stacks/M31_L_60s.fits
    firstlight reproduce library/ASI294MM/master_dark_300s_-10C_20260117_ab12cd.fits
    """
    import json

    from firstlight.cli.progress import TerminalProgress
    from firstlight.pipeline.reproduce import reproduce

    outcome = reproduce(file, progress=TerminalProgress(quiet or as_json), threads=threads)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "file": str(file), "same": outcome.same, "pixels_same": outcome.pixels_same,
                    "differences": outcome.differences, "causes": outcome.causes,
                },
                indent=1,
            )
        )  # fmt: skip
    else:
        click.echo(outcome.words())
    if not outcome.same:
        click.get_current_context().exit(1)
