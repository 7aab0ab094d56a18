"""``firstlight annotate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.answer import tell
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.errors import InputError
from firstlight.io.targets import PICTURES, check_target
from firstlight.pipeline.annotate import Annotate
from firstlight.pipeline.settings import PICTURE_STEPS


@click.command("annotate", cls=SettingsCommand)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--steps", default=PICTURE_STEPS, show_default=True,
    help="Operations that make the picture of a linear image, separated by blanks.",
)  # fmt: skip
@click.option("--table", type=click.Path(path_type=Path), help="Also write what was found as a table (CSV).")
@click.option("--catalogs", "folder", type=click.Path(path_type=Path), help="A folder with catalogues.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@options_of(Annotate)
def command(
    source: Path, target: Path, steps: str, table: Path | None, folder: Path | None, overwrite: bool, **options: Any
) -> None:
    """Write the names of objects and stars on a picture of an image that has a plate.

    \b
    firstlight annotate stack.fits m31.png
    firstlight annotate stack.fits m31.jpg --grid --catalog auto --faintest 9 --table m31.csv

    Deep-sky objects come from OpenNGC (pip install pyongc, or its NGC.csv in a folder of catalogues). An image that is
    stretched already is taken as it is.
    """
    from firstlight.io.read import read
    from firstlight.model.image import State
    from firstlight.pipeline.annotate import annotate, write_annotated
    from firstlight.pipeline.hands import hands
    from firstlight.pipeline.products import make_picture

    if not source.exists():
        raise InputError(f"{source}: there is no such file")
    check_target(target, [source], overwrite=overwrite, endings=PICTURES)
    if table is not None:
        check_target(table, [source], overwrite=overwrite)
    image = read(source)
    if image.state is State.LINEAR:
        with hands():
            image = make_picture(image, steps)
    done = annotate(image, settings_from(options, Annotate), folders=[str(folder)] if folder else [])
    written = write_annotated(target, done, table)
    named = [mark.label for mark in done.marks if mark.label]
    some = f" ({', '.join(named[:8])}{' ...' if len(named) > 8 else ''})" if named else ""
    tell({"files": written, "marks": done.marks}, f"{', '.join(map(str, written))}: {len(named)} names{some}")
