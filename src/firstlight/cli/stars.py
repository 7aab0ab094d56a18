"""``firstlight stars``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import current
from firstlight.cli.errors import say_error
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.errors import FrameError
from firstlight.io.targets import check_folder
from firstlight.pipeline.star_files import StarsSettings

if TYPE_CHECKING:
    from firstlight.pipeline.star_files import Listed


@click.command("stars", cls=SettingsCommand)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("stars"), show_default=True,
    help="Folder of the tables.",
)  # fmt: skip
@options_of(StarsSettings)
def command(files: tuple[Path, ...], output: Path, **options: Any) -> int:
    """List the stars of images: places, light, widths, shapes, the PSF.

    Give linear files or folders: stacks, calibrated or raw frames, mono, colour or mosaic. The point spread function
    is measured on bright single stars and may change over the field; all stars are fitted with it, those that touch
    together, and blends are taken apart. Light is summed in apertures as well; all comes with errors. With a plate
    there are right ascension, declination and arcsec too.

    \b
    firstlight stars stack.fits
    firstlight stars stack.fits --format ecsv --regions --psf-image
    firstlight stars Lights --find-threshold 10 --no-psf -o quick

    \b
    NAME_stars.csv (.ecsv, .fits)   a row for each star, the brightest first; pixels are counted from 0
    NAME_stars.reg                  ellipses for ds9 (--regions)
    NAME_psf.fits                   the PSF in the middle of the image (--psf-image)
    """
    from firstlight.pipeline.star_files import list_files

    check_folder(output)
    failed, results = False, []
    for _, found in list_files(files, settings_from(options, StarsSettings), output):
        if isinstance(found, FrameError):
            failed = bool(say_error(str(found)))
            continue
        results.append({**found.facts, "files": [str(file) for file in found.files]})
        click.echo(summary(found))
        for file in found.files:
            click.echo(f"  {file}")
    current().result = results
    return 2 if failed else 0


def summary(found: Listed) -> str:
    """One line of what was measured."""
    table, psf = found.measured.table, found.measured.psf
    extra = f", {int(table.companion.sum())} of them beside others" if table.companion.any() else ""
    full = f", {int(table.saturated.sum())} saturated" if table.saturated.any() else ""
    line = f"{found.path.name}: {len(table)} stars{extra}{full}"
    if psf is None:
        return line + (f"\n  no PSF: {found.measured.note}" if found.measured.note else "")
    wings = "Gaussian" if psf.bell is psf.gaussian else f"Moffat {psf.bell.beta:.1f}"
    change = ("the same over the field", "linear over the field", "quadratic over the field", "cubic over the field")
    return (
        f"{line}; PSF of {psf.n_stars} stars: FWHM {psf.fwhm:.2f} px, eccentricity {psf.bell.eccentricity:.2f}, "
        f"{wings}, {change[min(psf.degree, 3)]}"
    )
