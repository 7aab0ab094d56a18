"""``firstlight cutout``."""

from __future__ import annotations

from pathlib import Path

import click

from firstlight.cli.answer import tell
from firstlight.errors import InputError
from firstlight.io.targets import FITS, PICTURES, check_target


@click.command("cutout")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--ra", default="", help="Right ascension of the middle, in degrees or as 20:58:47.")
@click.option("--dec", default="", help="Declination of the middle, in degrees or as +44:19:48.")
@click.option("--target", "name", default="", help="Instead of a position: an object's name, such as NGC 7000.")
@click.option("--size", required=True, metavar="ARCMIN[,ARCMIN]", help="Width, or width and height. [arcmin]")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def command(source: Path, target: Path, ra: str, dec: str, name: str, size: str, overwrite: bool) -> None:
    """Cut the pixels around a place on the sky out of an image that has a plate.

    Pixels stay as they are; plate, flags and variance come along.

    \b
    firstlight cutout stack.fits m13.fits --ra 250.4235 --dec 36.4613 --size 12
    firstlight cutout stack.fits m13.fits --target M13 --size 12,8
    """
    from firstlight.io.read import read
    from firstlight.io.write import write
    from firstlight.ops.align.plate_solve import SolvePlate, position_given
    from firstlight.pipeline.resample_files import cut_outs
    from firstlight.pipeline.solve import named_position

    try:
        sides = [float(part) for part in size.split(",")]
        if not 1 <= len(sides) <= 2 or min(sides) <= 0:
            raise ValueError
    except ValueError:
        raise InputError(f"--size {size!r}: one or two positive numbers (arcmin), such as 12 or 12,8") from None
    if not source.exists():
        raise InputError(f"{source}: there is no such file")
    check_target(target, [source], overwrite=overwrite, endings=(*FITS, *PICTURES))
    place = position_given(SolvePlate(ra=ra, dec=dec, target=name), named_position, "cutout")
    if not place.ra:
        raise InputError("cutout: no place is given; --ra and --dec, or --target NAME, say where")
    part = cut_outs(read(source), float(place.ra), float(place.dec), (60 * sides[0], 60 * sides[-1]))
    write(target, part)
    tell({"file": target, "shape": part.shape}, f"{target}: {part.shape[2]} x {part.shape[1]} px")
