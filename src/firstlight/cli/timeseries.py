"""``firstlight timeseries``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.pipeline.series_settings import SeriesSettings

if TYPE_CHECKING:
    from firstlight.pipeline.timeseries import SeriesResult


@click.command("timeseries", cls=SettingsCommand)
@click.argument("session", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the products go; default SESSION/firstlight."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the report.")
@options_of(SeriesSettings)
def command(session: Path, output: Path | None, quiet: bool, **options: Any) -> None:
    """From a folder of frames to a light curve.

    Frames are calibrated in memory and registered as `process` does it; one star, or all of them, are measured in every
    frame against an ensemble of comparison stars. Drifting and turning fields are followed; frames that cannot be used
    are listed with the reason.

    \b
    firstlight timeseries SESSION --target 423.3,286.8
    firstlight timeseries SESSION --target "02:04:10.3 +46:41:16" --plate solved.fits --detrend airmass
    firstlight timeseries SESSION --target all

    \b
    SESSION/firstlight/timeseries/   NAME.csv, .ecsv      the light curve, a row for each frame
                                     NAME.png             its plot
                                     NAME_aavso.txt       AAVSO Extended Format 1.2
                                     NAME.txt             what was done, and how well
                                     NAME_stars.csv, NAME_scatter.png   of --target all
    """
    from firstlight.pipeline.timeseries import timeseries

    result = timeseries(
        session, settings_from(options, SeriesSettings), output=output, progress=TerminalProgress(quiet)
    )
    click.echo(summary(result))


def summary(result: SeriesResult) -> str:
    """The reports of all series, and their files."""
    lines = []
    for series in result.series:
        report = next(path for path in series.files if path.suffix == ".txt" and not path.stem.endswith("_aavso"))
        lines.append(report.read_text(encoding="utf-8").rstrip().rpartition("\n\n")[0])
        lines += ["", *(f"  {path}" for path in series.files), ""]
    lines += [f"No light curve of {name}: {why}" for name, why in result.failed.items()]
    wall = sum(spent["wall_s"] for spent in result.timings.values())
    cpu = sum(spent["cpu_s"] for spent in result.timings.values())
    return "\n".join([*lines, f"Done in {wall:.1f} s (CPU {cpu:.1f} s)."])
