"""``firstlight detector``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import options_of, settings_from
from firstlight.cli.tables import plain_table
from firstlight.io.targets import check_folder
from firstlight.pipeline.detector import DetectorSettings


@click.command("detector")
@click.argument("frames", metavar="FRAMES...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("detector"), show_default=True,
    help="Folder of the report.",
)  # fmt: skip
@click.option(
    "--bad-pixels", "listed", metavar="LIST", type=click.Path(path_type=Path),
    help="Your own list of bad columns, rows, rectangles and pixels (YAML, TOML, JSON): joins the map.",
)  # fmt: skip
@click.option("--profile/--no-profile", default=True, help="Keep the numbers for later sessions.  [default: yes]")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the numbers.")
@options_of(DetectorSettings)
def command(
    frames: tuple[Path, ...], output: Path, listed: Path | None, profile: bool, quiet: bool, **options: Any
) -> None:
    """Measure a detector from its own bias frames, darks and flats.

    Give files or folders (a session folder will do: its lights are left alone). Two bias frames tell the read noise,
    two flats of one exposure the gain, flats of several exposures the photon transfer curve, full well and linearity,
    darks the dark current, those of two temperatures its growth; 12 frames alike the pixels that jump. Frames of
    several cameras or settings are measured apart.

    \b
    CAMERA.pdf, .png        one page with plots
    CAMERA.json             every number
    CAMERA_badpixels.fits   map of bad pixels, for process --calibrate-bad-pixels

    Gain and read noise are also kept in the user's library (~/.local/share/firstlight/detectors, or FIRSTLIGHT_HOME);
    later sessions of this camera with these settings use them.
    """
    from firstlight.library.bad_pixels import read_list
    from firstlight.pipeline.detector import measure_detectors
    from firstlight.pipeline.detector_report import lines_of, write_report

    check_folder(output)
    settings = settings_from(options, DetectorSettings)
    found = measure_detectors(frames, settings, TerminalProgress(quiet))
    for measured in found:
        own = None if listed is None else read_list(listed, measured.frames.shape[1:])
        files = write_report(measured, output, user_list=own, profile=profile)
        counts = ", ".join(f"{n} {kind}" for kind, n in measured.frames.n_frames.items() if n)
        click.echo(f"{files[0].stem}: {counts} frames")
        click.echo(plain_table(lines_of(measured), indent="  "))
        for note in measured.notes:
            click.echo(f"  note: {note}")
        for file in files:
            click.echo(f"  {file}")
