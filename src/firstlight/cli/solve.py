"""``firstlight solve``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.errors import say_error
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.io.targets import FITS, check_folder, check_target
from firstlight.ops.align.plate_solve import SolvePlate

if TYPE_CHECKING:
    from firstlight.pipeline.solve import Outcome


@click.command("solve", cls=SettingsCommand)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="Folder for the solved images, or the file of a single one; default firstlight/solved beside each image.",
)  # fmt: skip
@click.option(
    "--in-place", is_flag=True, help="Change the headers of the FITS files themselves; pixels stay as they are."
)
@click.option("--sidecar", is_flag=True, help="Write the plate as NAME.wcs beside the image, and no image.")
@click.option("--no-write", is_flag=True, help="Solve and tell; write nothing.")
@click.option("--stars", type=click.Choice(["csv", "ecsv"]), help="Also a star table with sky positions and matches.")
@click.option("--regions", is_flag=True, help="Also stars (matched: green) and catalogue (red) as regions for ds9.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.option("--threads", type=click.IntRange(0, 1024), default=0, help="Workers; 0: one per core.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@options_of(SolvePlate)
def command(
    files: tuple[Path, ...], output: Path | None, in_place: bool, sidecar: bool, no_write: bool, stars: str | None,
    regions: bool, overwrite: bool, as_json: bool, threads: int, quiet: bool, **options: Any,
) -> int:  # fmt: skip
    """Find out where on the sky images lie, and write it into their headers.

    Give files or folders: FITS, XISF, TIFF, JPEG, PNG, camera raw. Works offline, on frames and stacks. The header's
    plate, position and scale are used as hints and checked; without any the whole sky is searched. The frames of one
    target hint each other. A plate is written only if the odds for it are better than a thousand million to one.

    \b
    firstlight solve light.fits                            a solved copy in firstlight/solved
    firstlight solve session/lights --in-place             all frames, headers changed in place
    firstlight solve picture.jpg --no-write                only say where it is
    firstlight solve light.fits --target M27 --scale 1.48  with hints

    Exit code: 0 all are solved; 1 some are not (the reason is told, nothing is written for them); 2 a file or an
    option cannot be used.
    """
    from firstlight.errors import InputError
    from firstlight.pipeline.solve import solve_files
    from firstlight.pipeline.solve_outputs import SolveOutputs, write_solution

    if in_place and sidecar:
        raise InputError("solve: --in-place and --sidecar are given; take one of them")
    wanted = SolveOutputs(output, in_place, sidecar, stars or "", regions, overwrite)
    single = len(files) == 1 and files[0].is_file()
    if output is not None and not no_write:
        if single and output.suffix.lower() in (*FITS, ".fz"):
            check_target(output, files, overwrite=overwrite)
        else:
            check_folder(output)
    code = 0

    def done(outcome: Outcome) -> None:
        nonlocal code
        if outcome.error is not None:
            code = max(code, 2 if isinstance(outcome.error, InputError) else 1)
        written = [] if no_write or outcome.solved is None else write_solution(outcome, wanted, single)
        _tell(outcome, written, as_json)

    solve_files(
        list(files), settings_from(options, SolvePlate), threads=threads, progress=TerminalProgress(quiet or as_json),
        done=done,
    )  # fmt: skip
    return code


def _tell(outcome: Outcome, written: list[Path], as_json: bool) -> None:
    name = outcome.path.name
    if outcome.solved is None:
        error = str(outcome.error)
        if as_json:
            click.echo(json.dumps({"file": str(outcome.path), "solved": False, "reason": error}))
        else:
            say_error(error if name in error else f"{name}: {error}")
        return
    facts = outcome.solved.facts(outcome.shape)
    if as_json:
        record = {"file": str(outcome.path), "solved": True, **facts, "written": [str(path) for path in written]}
        click.echo(json.dumps(record))
        return
    click.echo(f"{name}: {sexagesimal(facts['ra'] / 15)} {sexagesimal(facts['dec'], sign=True)} "
               f"({facts['ra']:.5f}, {facts['dec']:+.5f}), {facts['scale']:.5g} arcsec/px, "
               f"{_degrees(facts['width'])} x {_degrees(facts['height'])}")  # fmt: skip
    turned = f"y axis {facts['y_axis']:.1f} deg from north to east{', flipped' if facts['flipped'] else ''}"
    good = "not fitted: the catalogues here hold too few stars of it"
    if facts["rms_px"] is not None:
        good = (
            f"{facts['matched']} stars, rms {facts['rms_px']:.3f} px ({facts['rms']:.3f} arcsec), "
            f"{'no distortion' if facts['order'] == 1 else 'distortion of order ' + str(facts['order'])}"
        )
    click.echo(f"  {turned}; {good}; {facts['engine']}, {facts['hint']}, {facts['seconds']:.2f} s")
    for note in facts["notes"]:
        click.echo(f"  note: {note}")
    for path in written:
        click.echo(f"  -> {path}")


def sexagesimal(value: float, sign: bool = False) -> str:
    """``20:58:47.25``, or ``+44:19:48.1``.

    >>> sexagesimal(-0.5, sign=True), sexagesimal(23.9999999)
    ('-00:30:00.0', '24:00:00.00')
    """
    digits = 1 if sign else 2
    total = round(abs(value) * 3600 * 10**digits)
    seconds, rest = divmod(total, 10**digits)
    minutes, seconds = divmod(seconds, 60)
    head = ("-" if value < 0 else "+") if sign else ""
    return f"{head}{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{rest:0{digits}d}"


def _degrees(value: float) -> str:
    return f"{value:.2f} deg" if value >= 1 else f"{value * 60:.1f}'"
