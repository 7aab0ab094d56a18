"""``firstlight live``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import tell
from firstlight.cli.errors import NOTHING
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.pipeline.live_settings import LiveSettings

if TYPE_CHECKING:
    from firstlight.pipeline.live import LiveResult


@click.command("live", cls=SettingsCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default FOLDER/firstlight.")
@click.option(
    "--masters", type=click.Path(path_type=Path), help="Folder of masters or of raw bias, dark and flat frames."
)
@click.option("--once", is_flag=True, help="Work on what is there, and end.")
@click.option("-q", "--quiet", is_flag=True, help="Only the summary.")
@options_of(LiveSettings)
def command(folder: Path, output: Path | None, masters: Path | None, once: bool, quiet: bool, **options: Any) -> None:
    """Watch a folder and add each new frame to a running stack.

    Runs until Ctrl-C; asked twice, it ends at once. Either way the files on the disk are whole.

    Each frame is calibrated with the masters that fit, registered to the first good frame of its target, filter and
    exposure, and added; cosmic rays and trails are rejected. A frame that cannot be used is set aside with the reason.
    Started again, it goes on where it was.

    \b
    FOLDER/firstlight/stacks/         the stack of each target, filter and exposure
    FOLDER/firstlight/pictures/       its preview
    FOLDER/firstlight/journal.jsonl   what has become of every frame
    """
    from firstlight.pipeline.executors import stop_when_asked
    from firstlight.pipeline.live import live

    with stop_when_asked() as stop:
        result = live(
            folder, settings_from(options, LiveSettings), output=output, masters=masters, once=once, stop=stop,
            progress=TerminalProgress(quiet),
        )  # fmt: skip
    tell(result, summary(result))
    if once and not result.stacks:
        click.get_current_context().exit(NOTHING)


def summary(result: LiveResult) -> str:
    """What has become of the frames, in words."""
    lines = [f"{name}: {n} frame{'s' * (n != 1)}" for name, n in result.stacks] or ["Nothing was stacked."]
    lines.append(", ".join(f"{n} {state}" for state, n in sorted(result.counts.items())) or "No frames were seen.")
    if result.set_aside:
        lines.append(f"Set aside ({len(result.set_aside)}):")
        lines += [
            f"  {name}: {reason.removeprefix(Path(name).name + ': ')}"
            for name, reason in sorted(result.set_aside.items())
        ]
    if result.waiting:
        lines.append(f"{result.waiting} file{'s wait' if result.waiting > 1 else ' waits'} for the next start.")
    return "\n".join([*lines, f"Products: {result.output}"])
