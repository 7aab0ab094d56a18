"""``firstlight photometry``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.io.targets import check_folder
from firstlight.pipeline.photometry import PhotometrySettings


@click.command("photometry", cls=SettingsCommand)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the tables; default: beside each FILE."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the report.")
@options_of(PhotometrySettings)
def command(files: tuple[Path, ...], output: Path | None, quiet: bool, **options: Any) -> None:
    """Measure the stars of images: calibrated magnitudes, zero point, limits.

    FILES are linear images: stacks, or single calibrated frames. With a plate (firstlight solve) the zero point and a
    colour term are fitted to a catalogue. Several images of one filter at different airmasses give extinction and
    its second order too.

    \b
    firstlight photometry stack.fits
    firstlight photometry stack.fits --catalog landolt.csv --band V --update
    firstlight photometry stack.fits --positions places.csv
    """
    from firstlight.pipeline.photometry import photometry
    from firstlight.pipeline.photometry_files import report_of

    if output is not None:
        check_folder(output)
    settings = settings_from(options, PhotometrySettings)
    result = photometry(files, settings, output=output, progress=TerminalProgress(quiet))
    click.echo(report_of(result))
    if result.failed:
        click.get_current_context().exit(1)
