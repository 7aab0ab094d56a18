"""``firstlight continuum``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.pipeline.continuum import ContinuumSettings

if TYPE_CHECKING:
    from firstlight.pipeline.continuum import ContinuumResult


@click.command("continuum", cls=SettingsCommand)
@click.argument("narrow", type=click.Path(path_type=Path))
@click.argument("broad", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The FITS file to write.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary.")
@options_of(ContinuumSettings)
def command(narrow: Path, broad: Path, output: Path, quiet: bool, **options: Any) -> None:
    """Subtract the continuum from a narrowband image.

    NARROW and BROAD are linear mono images, such as Ha and R. What the broadband image is multiplied with is the ratio
    of the stars' light in both; its error and the spread of the stars' colours are told. The result carries variance,
    flags and RESIDUAL, its light over its noise; a picture shows what is left of each star.

    \b
    firstlight continuum Ha.fits R.fits -o line.fits
    firstlight continuum Ha.fits R.fits -o line.fits --match-psf
    """
    from firstlight.pipeline.continuum import continuum

    settings = settings_from(options, ContinuumSettings)
    click.echo(summary(continuum(narrow, broad, output, settings, progress=TerminalProgress(quiet))))


def summary(result: ContinuumResult) -> str:
    """What was found, in words."""
    given = "" if result.factor_error else ", as given"
    lines = [f"{result.path}: factor {result.factor:.6g} +/- {result.factor_error:.2g}{given}"]
    if result.ratio is not None:
        used = int(result.ratio.used.sum())
        seen = int(result.left[~(result.left != result.left)].size)
        lines.append(f"  {used} of {seen} stars; their colours spread the ratio by {100 * result.ratio.spread:.1f} %")
        if result.factor != result.ratio.ratio:
            lines.append(f"  the stars would say {result.ratio.ratio:.6g} +/- {result.ratio.error:.2g}")
    lines.append(f"  left of the stars: {100 * result.left_over:.1f} % of their light (typical, either way)")
    if result.matched:
        lines.append(f"  profiles: {result.matched}")
    lines += [f"  note: {note}" for note in result.notes]
    return "\n".join([*lines, *(f"  {path}" for path in result.files)])
