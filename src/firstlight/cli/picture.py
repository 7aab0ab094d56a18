"""``firstlight picture``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.errors import InputError
from firstlight.io.targets import FITS, PICTURES, check_target


def _options(command: Any) -> Any:
    from firstlight.pipeline.picture_settings import PictureSettings

    return options_of(PictureSettings)(command)


@click.command("picture", cls=SettingsCommand)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--beside", metavar="FILE", type=click.Path(path_type=Path), help="Show this image to the right of IN.")
@_options
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def command(source: Path, target: Path, beside: Path | None, overwrite: bool, **options: Any) -> None:
    """Make a picture of an image: PNG, JPEG or TIFF, or FITS for ds9.

    A linear image is stretched. OUT with the ending .fits gets three extensions Red, Green and Blue.

    \b
    firstlight picture stack.fits stack.png
    firstlight picture stack.fits paper.jpg --negative --scale --north --title "M 27"
    firstlight picture stack.fits quick.tif --cuts percentile --low 50 --high 99.9 --bits 16
    """
    from firstlight.pipeline.hands import hands
    from firstlight.pipeline.picture import picture_file
    from firstlight.pipeline.picture_settings import PictureSettings

    settings = settings_from(options, PictureSettings)
    for path in (source, *([beside] if beside else [])):
        if not path.exists() and "#" not in path.name:
            raise InputError(f"{path}: there is no such file")
    check_target(target, [source], overwrite=overwrite, endings=(*PICTURES, *FITS))
    with hands():
        picture_file(source, target, settings, beside)
