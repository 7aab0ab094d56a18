"""``firstlight resample``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.answer import current, tell
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.errors import InputError
from firstlight.io.targets import check_folder, check_target
from firstlight.pipeline.resample_files import Resample, Resampled


@click.command("resample", cls=SettingsCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the resampled images.")
@click.option("--like", type=click.Path(path_type=Path), help="Take the grid of this image, its distortion left out.")
@click.option(
    "--engine", type=click.Choice(["native", "swarp"]), default="native", show_default=True,
    help="swarp: the program of astromatic.net, which combines the images too: OUTPUT is then one file.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(min=0), default=0, help="Worker threads; 0: one per core.")
@click.option("--overwrite", is_flag=True, help="Replace files of the same names.")
@options_of(Resample)
def command(
    files: tuple[Path, ...], output: Path, like: Path | None, engine: str, threads: int, overwrite: bool, **options: Any
) -> None:
    """Bring images with plates onto one grid on the sky.

    Each becomes OUTPUT/NAME.fits: the image with variance and flags, COVERAGE, EXPOSURE and WEIGHT (1/variance) maps,
    and the common plate (TAN, without distortion). They then lie pixel on pixel: `firstlight stack OUTPUT` combines
    them, `firstlight combine` makes colours of them.

    \b
    firstlight resample ha.fits oiii.fits -o aligned
    firstlight resample *.fits -o tiles --framing union --scale 1.5
    firstlight resample *.fits -o north --ra 10.6847 --dec 41.2690 --scale 2 --width 4000 --height 3000
    """
    from firstlight.pipeline.resample_files import resample_files

    for path in (*files, *((like,) if like else ())):
        if not path.exists():
            raise InputError(f"{path}: there is no such file")
    settings = settings_from(options, Resample)
    if engine == "swarp":
        from firstlight.pipeline.astromatic import run_swarp

        if settings.kernel == "bicubic":
            raise InputError("--kernel bicubic: SWarp has lanczos2, lanczos3, lanczos4, bilinear and nearest")
        check_target(output, files, overwrite=overwrite)
        image, weight = run_swarp(files, output, kernel=settings.kernel)
        tell({"image": image, "weight": weight}, f"{image}: {len(files)} images combined by SWarp; weights in {weight}")
        return
    check_folder(output)
    done = resample_files(files, output, settings, like=like, threads=threads, overwrite=overwrite, told=_say)
    current().result = done
    lost = [one for one in done if one.target is None]
    if lost:
        click.echo(f"{len(lost)} of {len(done)} images are not resampled.", err=True)
        click.get_current_context().exit(1)


def _say(one: Resampled) -> None:
    if one.target is None:
        click.echo(f"{one.source}: {one.reason}", err=True)
    else:
        click.echo(f"{one.source.name} -> {one.target} (covers {100 * one.covered:.0f} % of the grid)")
