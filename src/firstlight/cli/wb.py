"""``firstlight wb``: white balance: what is known, and calibration by stars."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.cli.tables import show_table
from firstlight.io.targets import check_target
from firstlight.pipeline.colour_calibration import CalibrateColours

MANY = 10
"""Stars from which the factors are worth their digits."""
SHORT = {"pcc": "photometric", "spcc": "spectrophotometric"}


class Group(click.Group):
    """Short names for long ones."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return super().get_command(context, SHORT.get(name, name))


@click.group("wb", cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """White balance: list what is known, calibrate colours by the stars of a solved image.

    \b
    firstlight wb list                                       named factors and matrices
    firstlight wb curves                                     filters and sensors
    firstlight wb pcc solved.fits out.fits                   by colour indices of a catalogue
    firstlight wb spcc solved.fits out.fits --curves osc     by spectra, filters and sensor

    Balances without stars are operations: firstlight color:whitebalance --help. Without a command the list is shown.
    """
    if context.invoked_subcommand is None:
        _list()


@command.command("list")
def list_sets() -> None:
    """Print the named factors and matrices, and what can be white."""
    _list()


def _list() -> None:
    from firstlight.io.passbands import SETS as CURVES
    from firstlight.ops.color.camera_matrix import CAMERAS
    from firstlight.ops.color.locus import WHITES
    from firstlight.ops.color.matrix import MATRICES
    from firstlight.ops.color.white_balance import SET_NAMES, SETS

    rows = [(name, *(f"{v:g}" for v in factors), _also(name, SET_NAMES)) for name, factors in SETS.items()]
    click.echo("Factors: color:whitebalance:source=set,set=NAME")
    show_table(("set", "red", "green", "blue", "also"), rows)
    click.echo("\nMatrices: color:matrix:name=NAME")
    mixtures = [(name, *(" ".join(f"{v:g}" for v in row) for row in matrix)) for name, matrix in MATRICES.items()]
    show_table(("matrix", "red", "green", "blue"), mixtures)
    click.echo("\nMatrices of cameras: color:cameramatrix:camera=NAME\n" + "\n".join(("header", *CAMERAS)))
    click.echo("\nCurves: firstlight wb spcc --curves NAME\n" + "\n".join(CURVES))
    click.echo("\nWhite: --white NAME\n" + "\n".join((*WHITES, "a black body, such as 6500K")))


def _also(name: str, names: dict[str, str]) -> str:
    return ", ".join(other for other, of in names.items() if of == name)


@command.command("curves")
def list_curves() -> None:
    """Print the filters and sensors whose curves are known."""
    from firstlight.io.passbands import known_passbands

    for kind, entries in known_passbands().items():
        click.echo(f"{kind}:")
        show_table(("name", "about"), [(name, each.about) for name, each in entries.items()])


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    function = options_of(CalibrateColours)(function)
    for decorate in (
        click.option("--overwrite", is_flag=True, help="Replace OUT if it exists."),
        click.option("--report", type=click.Path(path_type=Path), help="Also write what was found as JSON."),
        click.option(
            "--catalogs",
            type=click.Path(path_type=Path),
            multiple=True,
            help="A folder of catalogues.",
        ),
        click.argument("target", metavar="OUT", type=click.Path(path_type=Path)),
        click.argument("source", metavar="IN", type=click.Path(path_type=Path)),
    ):
        function = decorate(function)
    return function


@command.command("photometric", cls=SettingsCommand)
@_shared
def photometric(source: Path, target: Path, **options: Any) -> None:
    """Calibrate colours against the colour indices of a catalogue (also: pcc).

    IN is linear, of three channels, and solved (firstlight solve). No curves of filters are needed: the stars of the
    image show how its channels answer to colour.
    """
    _calibrate("photometric", source, target, None, **options)


@command.command("spectrophotometric", cls=SettingsCommand)
@click.option("--spectra", type=click.Path(path_type=Path), help="A table with ra, dec and spectra (f400, ...).")
@_shared
def spectrophotometric(source: Path, target: Path, spectra: Path | None, **options: Any) -> None:
    """Calibrate colours against the spectra of the stars, through filters and sensor (also: spcc).

    IN is linear, of three channels, and solved (firstlight solve). Stars without a spectrum are given that of a
    main-sequence star of the same colour.
    """
    _calibrate("spectrophotometric", source, target, spectra, **options)


def _calibrate(
    method: Any, source: Path, target: Path, spectra: Path | None, overwrite: bool, report: Path | None,
    catalogs: tuple[Path, ...], **options: Any,
) -> None:  # fmt: skip
    from firstlight.cli.apply import check_files
    from firstlight.io.read import read
    from firstlight.io.write import write
    from firstlight.pipeline.colour_calibration import calibrate_colours, write_colour_report
    from firstlight.pipeline.hands import hands

    check_files(source, target, [], {}, overwrite)
    if report is not None:
        check_target(report, [source], overwrite=True)
    settings = settings_from(options, CalibrateColours)
    with hands():
        result, found = calibrate_colours(read(source), settings, method, spectra=spectra, folders=catalogs)
    write(target, result)
    if report is not None:
        write_colour_report(report, found)
    click.echo(
        f"{found.method}: {found.n_measured} stars measured, {found.n_matched} in {found.catalog}, {found.n_used} used"
        + (f", {found.without_spectra} spectra from colours" if found.without_spectra else "")
    )
    for name, fit in found.fits.items():
        click.echo(f"{name:<6} x {fit.factor:.4f}   scatter {100 * fit.scatter:.1f} %")
    if found.n_used < MANY:
        click.echo(f"only {found.n_used} stars: a deeper catalogue (--catalog FILE) would make the factors surer")
    click.echo(f"white: {found.white}; {target}")
