"""``firstlight measure``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import current
from firstlight.cli.errors import say_error
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.io.targets import check_folder
from firstlight.pipeline.measure_files import MeasureSettings

if TYPE_CHECKING:
    from firstlight.pipeline.measure_files import Report


@click.command("measure", cls=SettingsCommand)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("measure"), show_default=True,
    help="Folder of the reports and the table.",
)  # fmt: skip
@click.option("--dark", type=click.Path(path_type=Path), help="A master dark to subtract first.")
@options_of(MeasureSettings)
def command(files: tuple[Path, ...], output: Path, dark: Path | None, **options: Any) -> int:
    """Measure how good images are: sky, noise, stars, widths, tilt, saturation, statistics.

    Give files or folders, linear or stretched, raw or not. Each gets a report, and all together a table with one row a
    file; what could not be measured stays empty. Nothing is judged: `firstlight quality` does that.

    \b
    firstlight measure stack.fits
    firstlight measure Lights --dark master_dark.fits --table ecsv -o numbers

    \b
    NAME_quality.yaml    image, background, sources, PSF, field, saturation, statistics of each channel
    quality.csv          one row for each file
    """
    from firstlight.pipeline.measure_files import Report, measure_files, write_table

    check_folder(output)
    settings = settings_from(options, MeasureSettings)
    reports, failed = [], False
    for found in measure_files(files, settings, output, dark):
        if not isinstance(found, Report):
            failed = bool(say_error(found[1]))
            continue
        reports.append(found)
        click.echo(summary(found))
    current().result = [report.content for report in reports]
    if reports:
        click.echo(f"  {write_table(reports, output, settings.table)}")
    return 2 if failed else 0


def summary(report: Report) -> str:
    """A few lines of what matters."""
    content = report.content
    lines = [f"{report.path.name}:"]
    if "sources" in content:
        width, sky = content["psf"]["fwhm"], content["background"]
        arcsec = f" = {width['arcsec']:.2f} arcsec" if width.get("arcsec") else ""
        known = width["px"] is not None
        fwhm = f"FWHM {width['px']:.2f} +- {width['error_px']:.2f} px{arcsec}" if known else "no width"
        lines[0] += f" {content['sources']['detected']} stars, {fwhm}, sky {sky['level']:.6g}, noise {sky['noise']:.4g}"
        lines += [f"  {word}" for word in content["field"].get("words", [])]
    else:
        first = next(iter(content["statistics"].values()))
        lines[0] += f" stretched: median {first['median']}, std {first['std']}; statistics only"
    return "\n".join(lines)
