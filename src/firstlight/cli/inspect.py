"""``firstlight inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.answer import current
from firstlight.cli.errors import say_error
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.io.targets import check_folder
from firstlight.pipeline.inspect_files import InspectSettings


@click.command("inspect", cls=SettingsCommand)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("inspect"), show_default=True,
    help="Folder of the pictures.",
)  # fmt: skip
@options_of(InspectSettings)
def command(files: tuple[Path, ...], output: Path, **options: Any) -> int:
    """Draw how good images are: corners, tilt, maps of width and elongation, stars, histogram.

    Tilt and curvature are told in words too: which corner is wider and by how much, and where stars are drawn out to.

    \b
    firstlight inspect stack.fits
    firstlight inspect stack.fits --no-histogram --side 300 --colours viridis --bar

    \b
    NAME_corners.png     nine pieces at full size
    NAME_field.png       maps of width and elongation, tilt and curvature
    NAME_stars.png       the stars on the image; width by brightness
    NAME_histogram.png   histogram and statistics of each channel
    NAME_preview.png     the image between the limits of zscale
    """
    from firstlight.pipeline.inspect_files import Inspected, inspect_files

    check_folder(output)
    failed, results = False, []
    for found in inspect_files(files, settings_from(options, InspectSettings), output):
        if not isinstance(found, Inspected):
            failed = bool(say_error(found[1]))
            continue
        words = found.shape.words() if found.shape is not None else [found.note] if found.note else []
        results.append({"file": str(found.path), "words": words, "files": [str(file) for file in found.files]})
        click.echo(f"{found.path.name}:")
        for line in (*words, *map(str, found.files)):
            click.echo(f"  {line}")
    current().result = results
    return 2 if failed else 0
