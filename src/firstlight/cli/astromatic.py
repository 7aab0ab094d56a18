"""``firstlight astromatic``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.answer import current, tell
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.errors import FrameError, InputError
from firstlight.io.targets import check_folder, check_target
from firstlight.pipeline.astromatic import STEPS, Chain

WORDS = ("all", *STEPS, "swarp", "stiff")


@click.command("astromatic", cls=SettingsCommand)
@click.argument("step", type=click.Choice(WORDS))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path),
              help="Folder for the results; with swarp and stiff the file to write.")  # fmt: skip
@click.option("--config", "configs", multiple=True, metavar="PROGRAM=FILE",
              help="A configuration file of your own, such as sex=my.sex; it takes the place of the options below. Of "
              "sex, psfex, scamp, swarp, stiff; may be given several times.")  # fmt: skip
@click.option("--keep", is_flag=True, help="With all: keep the star tables and the PSF too.")
@click.option("--combine", default="clipped", show_default=True, help="swarp: how overlapping images are combined.",
              type=click.Choice(["clipped", "average", "median", "weighted", "sum", "min", "max", "chi2"]))  # fmt: skip
@click.option("--kernel", default="lanczos3", show_default=True, help="swarp: interpolation.",
              type=click.Choice(["lanczos2", "lanczos3", "lanczos4", "bilinear", "nearest"]))  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace results that are there.")
@options_of(Chain)
def command(step: str, files: tuple[Path, ...], output: Path, configs: tuple[str, ...], keep: bool, overwrite: bool,
            combine: Any, kernel: Any, **options: Any) -> None:  # fmt: skip
    """Run the programs of astromatic.net on images with a first plate.

    \b
    all        SExtractor, PSFEx, SExtractor with that PSF, SCAMP: images with a plate as good as their stars
    sex        star table (FITS_LDAC)            NAME.cat
    psfex      PSF, varying over the field       NAME.psf
    sexagain   star table with PSF photometry    NAME.psf.cat
    scamp      match with a catalogue on this machine; the plate with its distortion (TPV) into the header
    swarp      resample and combine images with plates
    stiff      one or three images to a TIFF

    \b
    firstlight astromatic all stacks/*.fits -o solved
    firstlight astromatic swarp solved/*.fits -o mosaic.fits

    Nothing is fetched from the network. The programs are found on the PATH (Debian: source-extractor psfex scamp swarp
    stiff); an image that fails is told, is not written, and the others go on.
    """
    from firstlight.pipeline.astromatic import run_chain, run_stiff, run_swarp
    from firstlight.pipeline.star_files import stem_of

    chosen = _configs(configs)
    for path in files:
        if not path.exists():
            raise InputError(f"{path}: there is no such file")
    if step in ("swarp", "stiff"):
        check_target(output, files, overwrite=overwrite)
        if step == "stiff":
            made = run_stiff(files, output, config=chosen.get("stiff"))
            tell({"image": made}, str(made))
            return
        image, weight = run_swarp(files, output, combine=combine, kernel=kernel, config=chosen.get("swarp"))
        said = f"{image}: {len(files)} images combined ({combine}); weights in {weight}"
        tell({"image": image, "weight": weight}, said)
        return
    check_folder(output)
    chain = settings_from(options, Chain)
    steps = STEPS if step == "all" else (step,)
    failed = 0
    done_all = current().result = []
    for path in files:
        target = output / f"{stem_of(path)}.fits"
        if "scamp" in steps:
            check_target(target, [path], overwrite=overwrite)
        try:
            done = run_chain(path, output, chain, steps=steps, configs=chosen, keep=keep, target=target)
        except FrameError as error:
            failed += 1
            click.echo(f"{path}: {error}", err=True)
            continue
        done_all.append(done)
        words = [f"{done.stars} stars"] if done.stars else []
        if done.solution:
            s = done.solution
            words += [f"{s.matched} matched, rms {s.rms:.3f} arcsec, contrast {s.contrast:.0f}"]
        click.echo(f"{path.name}: {', '.join(words)} -> {' '.join(str(p) for p in done.files)}")
    if failed:
        click.echo(f"{failed} of {len(files)} images failed.", err=True)
        click.get_current_context().exit(1)


def _configs(texts: tuple[str, ...]) -> dict[str, Path]:
    found = {}
    programs = ("sex", "psfex", "scamp", "swarp", "stiff")
    for text in texts:
        name, separator, path = text.partition("=")
        if not separator or name not in programs:
            raise InputError(f"--config {text!r}: write PROGRAM=FILE, PROGRAM one of {', '.join(programs)}")
        found[name] = Path(path)
    return found
