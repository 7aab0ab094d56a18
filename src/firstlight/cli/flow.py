"""``firstlight flow``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.errors import NOTHING, WRONG_INPUT
from firstlight.cli.settings import SettingsCommand, settings_from, settings_options

_FOLDER = click.argument("folder", type=click.Path(path_type=Path))
_PORT = click.option(
    "--port", type=click.IntRange(1, 65535), default=4200, show_default=True, help="Of the page, on this machine only."
)
_QUIET = click.option(
    "--quiet-minutes", type=click.FloatRange(min=0), default=10.0, show_default=True,
    help="A session whose newest frame is younger is still being taken, and left for later.",
)  # fmt: skip


@click.group("flow")
def command() -> None:
    """Run sessions under Prefect: retries, a page with what was made, schedules.

    Prefect keeps to this machine: its database lies in the cache, it sends nothing anywhere. It is an extra:
    pip install 'firstlight[prefect]'.

    \b
    firstlight flow run night                           one session, now
    firstlight flow serve sessions                      watch a folder of sessions
    firstlight flow schedule sessions --cron "0 9 * * *"   every morning
    """


@command.command("run", cls=SettingsCommand)
@click.argument("session", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the products go; default SESSION/firstlight."
)
@click.option(
    "--dask", metavar="ADDRESS", is_flag=False, flag_value="",
    help="Run the tasks on the Dask scheduler at ADDRESS; without ADDRESS on workers of this machine.",
)  # fmt: skip
@settings_options
def run_command(session: Path, output: Path | None, dask: str | None, **options: Any) -> None:
    """Process one session as a Prefect flow.

    The same work and the same bytes as `firstlight process`, with each stage as a task: tried again when it fails,
    not done again when nothing has changed, and told on Prefect's page. PREFECT_API_URL names a server that is there
    already; without it one is started for the time of the run.
    """
    from firstlight.pipeline.flow import run_flow

    _check(session)
    settings = settings_from(options).model_dump(exclude_defaults=True)
    done = run_flow(str(session), None if output is None else str(output), settings, dask=dask)
    for stack in done["stacks"]:
        click.echo(f"{stack['name']}: {stack['frames']} frames, {stack['method']}")
    if done["set_aside"]:
        click.echo(f"Set aside ({len(done['set_aside'])}):")
        for path, reason in sorted(done["set_aside"].items()):
            click.echo(f"  {Path(path).name}: {reason.removeprefix(Path(path).name + ': ')}")
    click.echo(f"Products: {done['output']}")
    if done["came_to_nothing"]:
        click.get_current_context().exit(NOTHING if done["frames"] else WRONG_INPUT)


@command.command("serve", cls=SettingsCommand)
@_FOLDER
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Minutes between two looks."
)
@_QUIET
@_PORT
@settings_options
def serve_command(folder: Path, every: float, quiet_minutes: float, port: int, **options: Any) -> None:
    """Watch FOLDER, and process each session in it once it is complete; until Ctrl-C.

    A session is a folder below FOLDER. Prefect's page shows runs, tables and pictures, and starts runs by hand.
    """
    _serve(folder, every, None, quiet_minutes, port, options)


@command.command("schedule", cls=SettingsCommand)
@_FOLDER
@click.option(
    "--cron",
    required=True,
    help="When: minute hour day month weekday, such as '0 9 * * *'; in the time of this machine.",
)
@_QUIET
@_PORT
@settings_options
def schedule_command(folder: Path, cron: str, quiet_minutes: float, port: int, **options: Any) -> None:
    """Process the new sessions of FOLDER at fixed times; until Ctrl-C."""
    _serve(folder, 0.0, cron, quiet_minutes, port, options)


def _serve(
    folder: Path, minutes: float, cron: str | None, quiet_minutes: float, port: int, options: dict[str, Any]
) -> None:
    from firstlight.pipeline.cron import Cron
    from firstlight.pipeline.flow import at_times, every, serve_sweep
    from firstlight.pipeline.prefect_home import prefect_server

    _check(folder)
    due = every(60 * minutes) if cron is None else at_times(Cron.parse(cron))
    settings = settings_from(options).model_dump(exclude_defaults=True) or None
    with prefect_server(port) as url:
        click.echo(f"Page: {url.removesuffix('/api')}    (Ctrl-C ends it)")
        serve_sweep(folder, settings, due, quiet_minutes, click.echo)


def _check(folder: Path) -> None:
    from firstlight.errors import InputError

    if not folder.exists():
        raise InputError(f"{folder}: no such file or folder")
